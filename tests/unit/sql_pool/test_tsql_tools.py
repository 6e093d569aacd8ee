"""What tools and older scripts write, and readers of T-SQL seldom do."""

import pytest


def test_values_of_a_merge_without_a_qualifier_are_the_sources(session):
    session.run("CREATE TABLE dbo.kept (id int, n int); CREATE TABLE dbo.new (id int, n int)")
    session.run("INSERT INTO dbo.new VALUES (7, 8)")
    session.run(
        "MERGE INTO dbo.kept AS k USING dbo.new AS s ON s.id = k.id "
        "WHEN MATCHED THEN UPDATE SET n = s.n WHEN NOT MATCHED THEN INSERT (n, id) VALUES (n, id);"
    )
    assert session.run("SELECT id, n FROM dbo.kept")[0].rows == [(7, 8)]


def test_a_merge_inserts_nothing_of_the_target(session, error_of):
    session.run("CREATE TABLE dbo.kept (id int, n int)")
    batch = (
        "MERGE INTO dbo.kept AS k USING (SELECT 1 AS id) AS s ON s.id = k.id "
        "WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, {});"
    )
    assert error_of(session, batch.format("n")).number == 207
    assert error_of(session, batch.format("k.n")).number == 4104


def test_all_clocks_of_a_statement_show_one_moment(rows):
    # dbt's snapshots write NULL as NULLIF(SYSDATETIME(), SYSDATETIME())
    (row,) = rows(
        "SELECT NULLIF(SYSDATETIME(), SYSDATETIME()), NULLIF(GETDATE(), CURRENT_TIMESTAMP), "
        "DATEDIFF(microsecond, SYSUTCDATETIME(), SYSDATETIMEOFFSET())"
    )
    assert row == (None, None, 0)


def test_a_union_is_ordered_by_a_column_with_its_table(rows):
    # SQLAlchemy reads foreign keys so
    assert rows(
        "WITH c AS (SELECT 2 AS a, 1 AS b) SELECT c.a, c.b FROM c UNION SELECT 1, 2 "
        "ORDER BY c.A, c.b"
    ) == [(1, 2), (2, 1)]


def test_the_catalog_may_be_read_past_locks(rows, error_number):
    assert rows("SELECT name FROM sys.key_constraints WITH (READPAST)") == []
    assert error_number("SELECT a FROM dbo.t WITH (READPAST)") == 103010


def test_a_functions_parameter_has_a_default(session, error_of):
    session.run(
        "CREATE FUNCTION dbo.raised (@base float, @power int = 2, @negate bit = 0) RETURNS float "
        "AS BEGIN RETURN POWER(@base, @power) * CASE WHEN @negate = 1 THEN -1 ELSE 1 END END"
    )
    calls = "dbo.raised(3, DEFAULT, DEFAULT), dbo.raised(3, 3, DEFAULT), dbo.raised(3, DEFAULT, 1)"
    assert session.run(f"SELECT {calls}")[0].rows == [(9.0, 27.0, -9.0)]
    assert error_of(session, "SELECT dbo.raised(3)").number == 313
    wrong = "CREATE FUNCTION dbo.g (@d datetime = GETDATE()) RETURNS int AS BEGIN RETURN 1 END"
    assert "constant" in error_of(session, wrong).message


def test_a_function_may_loop(session):
    session.run(
        "CREATE FUNCTION dbo.digits (@n int) RETURNS varchar(20) AS BEGIN "
        "DECLARE @out varchar(20) = '', @left int = @n; "
        "WHILE @left > 0 BEGIN "
        "  IF @left % 2 = 0 SET @out = '0' + @out ELSE BEGIN SET @out = '1' + @out END "
        "  SET @left = @left / 2 "
        "END "
        "IF @out = '' RETURN '0' "
        "RETURN @out END"
    )
    session.run("CREATE TABLE dbo.numbers (n int) WITH (HEAP)")
    session.run("INSERT INTO dbo.numbers SELECT 0 UNION ALL SELECT 5 UNION ALL SELECT NULL")
    rows = session.run("SELECT n, dbo.digits(n) FROM dbo.numbers ORDER BY n")[0].rows
    assert rows == [(None, "0"), (0, "0"), (5, "101")]
    assert session.run("SELECT dbo.digits(6)")[0].rows == [("110",)]


def test_loops_of_a_function_nest(session):
    session.run(
        "CREATE FUNCTION dbo.pairs (@n int) RETURNS int AS BEGIN "
        "DECLARE @i int = 0, @j int = 0, @count int = 0; "
        "WHILE @i < @n BEGIN SET @j = 0; WHILE @j < @i BEGIN SET @count += 1; SET @j += 1 END; "
        "SET @i += 1 END RETURN @count END"
    )
    assert session.run("SELECT dbo.pairs(5), dbo.pairs(0)")[0].rows == [(10, 0)]


def test_a_jump_out_of_a_functions_loop_is_refused_by_name(session, error_of):
    session.run(
        "CREATE FUNCTION dbo.f (@n int) RETURNS int AS BEGIN WHILE @n < 9 BREAK RETURN @n END"
    )
    assert "BREAK inside of a function" in error_of(session, "SELECT dbo.f(1)").message


def test_identity_insert_takes_values_for_one_table_at_a_time(session, error_of):
    for name in ("counted", "other"):
        session.run(f"CREATE TABLE dbo.{name} (id int IDENTITY(1, 1) NOT NULL, n int)")
    session.run("CREATE TABLE dbo.plain (n int)")
    session.run("SET IDENTITY_INSERT pool.dbo.counted ON")
    session.run("INSERT INTO dbo.counted (id, n) VALUES (70, 1)")
    assert session.run("SELECT id, n FROM dbo.counted")[0].rows == [(70, 1)]
    assert error_of(session, "INSERT INTO dbo.counted (n) VALUES (1)").number == 545
    assert error_of(session, "INSERT INTO dbo.counted VALUES (71, 1)").number == 8101
    assert error_of(session, "SET IDENTITY_INSERT dbo.other ON").number == 8107
    assert error_of(session, "INSERT INTO dbo.other (id, n) VALUES (1, 1)").number == 544
    session.run("SET IDENTITY_INSERT dbo.counted OFF; INSERT INTO dbo.counted (n) VALUES (2)")
    assert error_of(session, "INSERT INTO dbo.counted (id, n) VALUES (70, 1)").number == 544
    assert error_of(session, "SET IDENTITY_INSERT dbo.plain ON").number == 8106
    assert error_of(session, "SET IDENTITY_INSERT dbo.nothing ON").number == 208


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k.a FROM k INNER REDUCE JOIN l ON k.a = l.a",
        "SELECT k.a FROM k LEFT OUTER REPLICATE JOIN l ON k.a = l.a",
        "SELECT k.a FROM k INNER REDISTRIBUTE JOIN l ON k.a = l.a",
        "SELECT k.a FROM k INNER REDISTRIBUTE (2) JOIN l ON k.a = l.a",
        "SELECT k.a, COUNT(*) AS n FROM k GROUP BY k.a WITH (DISTRIBUTED_AGG)",
    ],
)
def test_hints_on_distribution_change_nothing(session, query):
    session.run("CREATE TABLE dbo.k (a int) WITH (LOCATION = USER_DB, HEAP)")
    session.run("CREATE TABLE dbo.l (a int) WITH (HEAP, LOCATION = USER_DB)")
    session.run("INSERT INTO k VALUES (1); INSERT INTO l VALUES (1)")
    assert [row[0] for row in session.run(query)[0].rows] == [1]


def test_the_words_of_hints_are_names_elsewhere(rows):
    assert rows("SELECT reduce.replicate FROM (SELECT 1 AS replicate) AS reduce") == [(1,)]
