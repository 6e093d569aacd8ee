import contextlib

import pytest

from tests.tds_server import connection_string, odbc_driver, server_process


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tds")


@pytest.fixture(scope="module")
def server(folder):
    odbc_driver()
    with server_process(folder) as server:
        yield server


@pytest.fixture
def connect(server):
    """Connections by ODBC Driver 18 over TLS; changes are parts of the connection string."""
    import pyodbc

    pyodbc.pooling = False
    opened = []

    def run(attributes=None, *, autocommit=True, **changes):
        connection = pyodbc.connect(
            connection_string(server, **changes),
            autocommit=autocommit,
            timeout=15,
            attrs_before=attributes or {},
        )
        opened.append(connection)
        return connection

    yield run
    for connection in opened:
        with contextlib.suppress(pyodbc.ProgrammingError):  # the test closed it
            connection.close()


@pytest.fixture
def connection(connect):
    return connect()


@pytest.fixture
def table(connect):
    """An empty table dbo.t (a int NOT NULL, b nvarchar(max), m varbinary(max), d decimal)."""
    owner = connect()
    owner.execute(
        "CREATE TABLE dbo.t (a int NOT NULL, b nvarchar(max), m varbinary(max), "
        "d decimal(10, 3)) WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)"
    )
    yield "dbo.t"
    owner.execute("DROP TABLE dbo.t")
