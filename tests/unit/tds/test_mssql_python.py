"""mssql-python, Microsoft's other driver for Python, as a client."""

import decimal

import pytest

from tests.tds_server import PASSWORD, USER

driver = pytest.importorskip("mssql_python", reason="mssql-python cannot be loaded here")


@pytest.fixture
def cursor(server):
    password = "{" + PASSWORD.replace("}", "}}") + "}"
    connection = driver.connect(
        f"SERVER=127.0.0.1,{server.port};UID={USER};PWD={password};"
        "Encrypt=yes;TrustServerCertificate=yes"
    )
    yield connection.cursor()
    connection.close()


def test_results_and_parameters_go_through(cursor):
    cursor.execute("SELECT 1 AS a, N'é' AS b, CAST(1.5 AS decimal(5, 2)) AS c")
    assert [tuple(row) for row in cursor.fetchall()] == [(1, "é", decimal.Decimal("1.50"))]
    cursor.execute("SELECT ? AS a, ? AS b", (5, "x"))
    assert [tuple(row) for row in cursor.fetchall()] == [(5, "x")]


def test_an_error_is_raised(cursor):
    with pytest.raises(driver.Error, match="Divide by zero"):
        cursor.execute("SELECT 1 / 0 AS a")
