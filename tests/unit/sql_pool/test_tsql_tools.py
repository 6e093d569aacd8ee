"""What tools such as dbt write, and readers of T-SQL seldom do."""


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
