"""The catalog functions of ODBC, which the driver asks the server's procedures for."""

import pytest

pyodbc = pytest.importorskip("pyodbc", exc_type=ImportError)


@pytest.fixture
def cursor(connection):
    """Over a pool with a table dbo.listed, a view and a procedure."""
    connection.execute(
        "CREATE TABLE dbo.listed (a int NOT NULL, b nvarchar(50) DEFAULT 'x', d decimal(10, 3), "
        "w datetime2(3), m varbinary(max)) WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)"
    )
    connection.execute("CREATE VIEW dbo.listed_view AS SELECT a FROM dbo.listed")
    connection.execute("CREATE PROCEDURE dbo.listed_procedure AS SELECT 1 AS a")
    yield connection.cursor()
    connection.execute("DROP PROCEDURE dbo.listed_procedure")
    connection.execute("DROP VIEW dbo.listed_view")
    connection.execute("DROP TABLE dbo.listed")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"table": "listed%"}, [("listed", "TABLE"), ("listed_view", "VIEW")]),
        ({"table": "listed%", "tableType": "VIEW"}, [("listed_view", "VIEW")]),
        ({"table": "listed", "schema": "dbo"}, [("listed", "TABLE")]),
        ({"table": "nothing"}, []),
    ],
)
def test_tables_are_found_by_name_and_kind(cursor, wanted, expected):
    found = [(row.table_name, row.table_type) for row in cursor.tables(**wanted)]
    assert found == expected


def test_columns_come_with_types_sizes_and_defaults(cursor):
    found = [
        (row.column_name, row.type_name, row.column_size, row.decimal_digits, row.nullable)
        for row in cursor.columns(table="listed")
    ]
    assert found == [
        ("a", "int", 10, 0, 0),
        ("b", "nvarchar", 50, None, 1),
        ("d", "decimal", 10, 3, 1),
        ("w", "datetime2", 23, 3, 1),
        ("m", "varbinary", 0, None, 1),
    ]
    (only,) = cursor.columns(table="listed", column="b")
    assert only.column_def == "('x')"


def test_procedures_are_found(cursor):
    names = [row.procedure_name for row in cursor.procedures(procedure="listed%")]
    assert names == ["listed_procedure;1"]


def test_no_key_and_no_statistic_is_claimed(cursor):
    assert cursor.primaryKeys("listed").fetchall() == []
    assert cursor.foreignKeys("listed").fetchall() == []
    assert cursor.statistics("listed").fetchall() == []
    assert cursor.rowIdColumns("listed").fetchall() == []
