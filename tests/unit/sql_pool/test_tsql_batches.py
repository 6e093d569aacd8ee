"""Statements, variables, control flow, procedures and definitions."""

import duckdb
import pytest

from bikecast.core.sql import SqlError
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.parser import parse_batch


def test_statements_need_no_semicolons():
    kinds = [
        type(s) for s in parse_batch("DECLARE @a int SET @a = 1 SELECT @a SELECT 2 DROP TABLE x")
    ]
    assert kinds == [st.Declare, st.SetVariable, st.Query, st.Query, st.Drop]


def test_a_query_behind_the_row_of_an_insert_is_a_statement_of_its_own():
    found = parse_batch("INSERT INTO t VALUES (1) SELECT 2 INSERT INTO t (a) SELECT 3 SELECT 4")
    assert [type(statement) for statement in found] == [st.Insert, st.Query, st.Insert, st.Query]


def test_words_in_strings_names_and_comments_end_no_statement():
    batch = (
        "SELECT 'SELECT 1' AS [SELECT], /* DROP */ a FROM t -- DELETE\n"
        "WHERE b = CASE WHEN 1=1 THEN 2 END"
    )
    assert [type(s) for s in parse_batch(batch)] == [st.Query]


def test_else_belongs_to_the_nearest_if():
    (outer,) = parse_batch("IF 1=1 IF 2=2 SELECT 1 ELSE SELECT 2")
    assert outer.otherwise is None
    assert outer.then.otherwise is not None


def test_a_loop_breaks_and_continues(rows):
    assert rows(
        "DECLARE @i int = 0, @s int = 0; WHILE @i < 5 BEGIN SET @i += 1; IF @i = 2 CONTINUE; "
        "IF @i = 5 BREAK; SET @s = @s + @i END; SELECT @i, @s"
    ) == [(5, 8)]


def test_a_query_assigns_variables_from_its_last_row(rows):
    assert rows(
        "DECLARE @a int = 7, @b int; SELECT @b = 2; SELECT @a = 1 WHERE 1 = 0; SELECT @a, @b"
    ) == [(7, 2)]


def test_a_variable_cuts_text_to_its_length(rows):
    assert rows("DECLARE @s varchar(3) = 'abcdef'; SELECT @s") == [("abc",)]


def test_a_batch_returns_every_result_set(session):
    results = session.run("SELECT 1 AS a; PRINT 'hello'; SELECT 'x' AS b, 2 AS c")
    assert [result.rows for result in results] == [[(1,)], [("x", 2)]]
    assert session.messages == ["hello"]


def test_a_procedure_takes_arguments_by_name_and_by_position(session, rows):
    session.run(
        "CREATE PROCEDURE dbo.p @a int, @b varchar(5) AS BEGIN SELECT @a + 1 AS a, @b AS b END"
    )
    assert rows("EXEC dbo.p 1, 'x'") == [(2, "x")]
    assert rows("EXEC p @b = 'long text', @a = ?", 3) == [(4, "long ")]


def test_a_procedure_is_replaced_as_a_whole(session, rows):
    session.run("IF OBJECT_ID(N'dbo.p', N'P') IS NULL EXEC (N'CREATE PROCEDURE dbo.p AS SELECT 1')")
    session.run("ALTER PROCEDURE dbo.p AS SELECT 2 AS x")
    assert rows("EXEC dbo.p") == [(2,)]


def test_a_procedure_with_a_parse_error_leaves_the_old_one(session, rows):
    session.run("CREATE PROCEDURE dbo.p AS SELECT 1")
    with pytest.raises(SqlError):
        session.run("ALTER PROCEDURE dbo.p AS SELECT FROM")
    assert rows("EXEC dbo.p") == [(1,)]


def test_sp_executesql_has_its_own_variables(rows):
    assert rows("EXEC sp_executesql N'SELECT @p + @q', N'@p int, @q int', @q = 2, @p = 1") == [(3,)]


def test_output_parameters_come_back(session, rows):
    session.run("CREATE PROCEDURE dbo.p @a int, @b int OUTPUT AS SET @b = @a * 2")
    assert rows("DECLARE @r int; EXEC dbo.p 4, @r OUTPUT; SELECT @r") == [(8,)]


def test_a_caught_error_is_described(rows):
    batch = (
        "BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_MESSAGE() END CATCH"
    )
    assert rows(batch) == [(8134, "Divide by zero error encountered.")]


def test_throw_ends_the_batch_with_its_number(session):
    with pytest.raises(SqlError, match="no model") as caught:
        session.run("IF 1 = 1 BEGIN THROW 51000, N'no model', 3; END SELECT 1")
    assert (caught.value.number, caught.value.state) == (51000, 3)


def test_a_temporary_table_ends_with_its_session(pool):
    with pool.session() as session:
        session.run("CREATE TABLE #t (a int); INSERT INTO #t SELECT 1")
        assert session.run("SELECT a FROM #t")[0].rows == [(1,)]
    with pool.session() as session, pytest.raises(SqlError, match="Invalid object name '#t'"):
        session.run("SELECT a FROM #t")


def test_a_table_is_made_from_a_query_renamed_and_emptied(session, rows):
    session.run(
        "CREATE TABLE dbo.a WITH (DISTRIBUTION = HASH(x), CLUSTERED COLUMNSTORE INDEX) "
        "AS SELECT 1 AS x, 'b' AS y"
    )
    session.run("RENAME OBJECT dbo.a TO b")
    assert rows("SELECT x, y FROM dbo.b") == [(1, "b")]
    session.run("TRUNCATE TABLE b")
    assert rows("SELECT COUNT(*) FROM b") == [(0,)]


def test_columns_left_out_take_their_default(session, rows):
    session.run("CREATE TABLE t (a int, b varchar(5) NOT NULL DEFAULT 'q', c int DEFAULT -1)")
    session.run("INSERT INTO t (a) VALUES (1); INSERT INTO t VALUES (2, DEFAULT, NULL)")
    assert rows("SELECT * FROM t ORDER BY a") == [(1, "q", -1), (2, "q", None)]


@pytest.mark.parametrize(
    ("batch", "number"),
    [
        ("INSERT INTO t VALUES ('x', 'y')", 245),
        ("INSERT INTO t VALUES (1, 'too long')", 8152),
        ("INSERT INTO t VALUES (NULL, 'x')", 515),
        ("INSERT INTO t VALUES (1)", 213),
        ("INSERT INTO t (a) VALUES (1, 2)", 110),
        ("INSERT INTO t (a, a) VALUES (1, 2)", 264),
        ("INSERT INTO t (nope) VALUES (1)", 207),
        ("UPDATE t SET nope = 1", 207),
        ("DELETE FROM nope", 208),
        ("CREATE TABLE t (a int)", 2714),
        ("CREATE TABLE u (a int, A int)", 2705),
        ("CREATE TABLE s.u (a int)", 2760),
        ("DROP TABLE nope", 3701),
        ("EXEC nope", 2812),
        ("EXEC dbo.p", 201),
        ("EXEC dbo.p 1, 2", 8144),
        ("EXEC dbo.p @z = 1", 8145),
        ("DECLARE @a int; DECLARE @a int", 134),
        ("SET @a = 1", 137),
        ("ROLLBACK", 3903),
        ("COMMIT", 3902),
        ("SELECT 1; CREATE VIEW v AS SELECT 1 AS a", 111),
        ("THROW 100, 'x', 1", 35100),
        ("THROW 120000, 'x', 1", 35100),
        ("SELECT ?", 8178),
    ],
)
def test_an_error_has_the_number_of_sql_server(session, error_number, batch, number):
    session.run("CREATE TABLE t (a int NOT NULL, b varchar(5))")
    session.run("CREATE PROCEDURE dbo.p @a int AS SELECT @a")
    assert error_number(batch) == number


def test_procedures_nest_eight_levels_deep(session, error_number):
    session.run("CREATE PROCEDURE dbo.p AS EXEC dbo.p")
    assert error_number("EXEC dbo.p") == 217


class InterruptedOnce:
    """A connection whose first ROLLBACK a cancel interrupts."""

    def __init__(self, connection):
        self.connection = connection
        self.rollbacks = 0

    def execute(self, text, *parameters):
        if text == "ROLLBACK":
            self.rollbacks += 1
            if self.rollbacks == 1:
                raise duckdb.InterruptException("INTERRUPT Error: Interrupted!")
        return self.connection.execute(text, *parameters)


@pytest.mark.parametrize("before", ["", "BEGIN TRANSACTION; "])
def test_a_rollback_that_a_cancel_interrupts_is_tried_again(session, error_number, rows, before):
    transaction = session._engine._interpreter.transaction
    transaction._connection = connection = InterruptedOnce(transaction._connection)
    assert error_number(f"{before}SELECT 1 / 0") == 8134
    assert connection.rollbacks > 1
    assert rows("SELECT 1 AS a") == [(1,)]


def test_a_session_that_has_been_closed_may_be_cancelled(pool):
    """An attention that came late raised an error of DuckDB."""
    with pool.session() as session:
        pass
    session._engine.cancel()
