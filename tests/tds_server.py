"""A TDS endpoint in front of an embedded pool, and Microsoft's ODBC driver to talk to it."""

import contextlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bikecast.embedded.sql_pool import Credentials, Pool, serve, server_context
from resources.sql_pool.synapse import SynapseSqlPool

USER, PASSWORD, TOKEN = "someone", "Pass;word{}1", "a.b.c"
#: The location that COPY INTO takes for the pool's lake folder.
LAKE_URL = "https://account.dfs.core.windows.net/files"
CREDENTIALS = Credentials(USER, PASSWORD, TOKEN)


def odbc_driver() -> str:
    """The shared object of Microsoft's ODBC driver; skips the test where there is none."""
    pytest.importorskip("pyodbc", exc_type=ImportError)
    package = pytest.importorskip("mssql_python_odbc")
    found = sorted(Path(package.__file__).parent.glob("libs/linux/debian*/*/lib/libmsodbcsql*"))
    if not found:
        pytest.skip("mssql-python-odbc has no driver for this system")
    return str(found[0])


def embedded_pool(folder: Path) -> Pool:
    (folder / "lake").mkdir(parents=True, exist_ok=True)
    return Pool(folder / "pool.duckdb", folder / "lake", lake_url=LAKE_URL)


@contextlib.contextmanager
def sql_server(folder: Path, *, tls: bool = True, pool=None):
    """A running server on a free port."""
    context = server_context(folder) if tls else None
    pool = pool or embedded_pool(folder)
    with serve(pool, "127.0.0.1", 0, CREDENTIALS, context=context) as server:
        yield server


def connection_string(server, *, tls: bool = True, **changes: str) -> str:
    parts = {
        "DRIVER": odbc_driver(),
        "SERVER": f"127.0.0.1,{server.port}",
        "UID": USER,
        "PWD": "{" + PASSWORD.replace("}", "}}") + "}",
        "Encrypt": "yes" if tls else "no",
        "TrustServerCertificate": "yes",
        **changes,
    }
    return ";".join(f"{name}={value}" for name, value in parts.items() if value)


def synapse_pool(server, **changes) -> SynapseSqlPool:
    """The azure environment's resource, pointed at the server."""
    settings = {
        "server": "127.0.0.1",
        "port": server.port,
        "database": "pool",
        "driver": odbc_driver(),
        "authentication": "password",
        "user": USER,
        "password": PASSWORD,
        "trust_server_certificate": True,
        "login_seconds": 15,
        "pause_seconds": 0.0,
    }
    return SynapseSqlPool(**{**settings, **changes})


@contextlib.contextmanager
def server_process(folder: Path):
    """A server in a process of its own; it ends with its standard input.

    pyodbc keeps the interpreter's lock in some calls to the driver, so a server in the same
    process could not answer them.
    """
    command = [sys.executable, "-m", "tests.tds_server", str(folder)]
    project = Path(__file__).parents[1]
    with subprocess.Popen(
        command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        port = process.stdout.readline()
        assert port, "the server did not start"
        yield SimpleNamespace(port=int(port), pid=process.pid)
        process.stdin.close()


if __name__ == "__main__":
    with sql_server(Path(sys.argv[1])) as running:
        print(running.port, flush=True)  # noqa: T201 # the parent reads it
        sys.stdin.read()
