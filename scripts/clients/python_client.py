"""One client of Python against a pool; arguments: its name, port, password, driver, certificate.

Prints a line "step ok" or "step failed: reason" for each step; it ends with the client's version.
"""
# ruff: noqa: D103, T201 # the table is made of what it prints

from __future__ import annotations

import importlib.metadata
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from typing import Any

NAME, PORT, PASSWORD, DRIVER, CERTIFICATE = sys.argv[1:6]
PARTS = (
    f"SERVER=127.0.0.1,{PORT};DATABASE=pool;UID=someone;PWD={PASSWORD};TrustServerCertificate=yes"
)
TABLE = "CREATE TABLE pool.dbo.client (id int NOT NULL, name nvarchar(20)) WITH (HEAP)"
ENDLESS = "DECLARE @i int = 0; WHILE 1 = 1 SET @i = 1 - @i"


def odbc() -> Any:
    import pyodbc

    pyodbc.pooling = False
    text = f"DRIVER={DRIVER};{PARTS};Encrypt=yes;LongAsMax=yes"
    return pyodbc.connect(text, autocommit=True, timeout=15)


def connect() -> Any:
    if NAME == "pyodbc":
        return odbc()
    if NAME == "mssql-python":
        import mssql_python

        return mssql_python.connect(f"{PARTS};Encrypt=yes", autocommit=True)
    if NAME == "pymssql":
        import pymssql

        return pymssql.connect(
            "127.0.0.1", "someone", PASSWORD, "pool", port=str(PORT), autocommit=True,
            tds_version="7.4", conn_properties="",  # it SETs what no dedicated pool has
        )  # fmt: skip
    import pytds

    return pytds.connect(
        "127.0.0.1", port=int(PORT), database="pool", user="someone", password=PASSWORD,
        autocommit=True, cafile=CERTIFICATE, validate_host=False,
    )  # fmt: skip


def step(name: str, work: Callable[[], object]) -> None:
    try:
        work()
        print(name, "ok", flush=True)
    except Exception as error:  # noqa: BLE001 # what a client says is the result
        print(name, "failed:", str(error).replace("\n", " ")[:150], flush=True)


def equal(value: object, wanted: object) -> None:
    if value != wanted:
        raise ValueError(f"{value!r} is not {wanted!r}")


def sqlalchemy() -> None:
    import sqlalchemy as sa

    text = urllib.parse.quote_plus(f"DRIVER={DRIVER};{PARTS};Encrypt=yes;LongAsMax=yes")
    engine = sa.create_engine(f"mssql+pyodbc:///?odbc_connect={text}", isolation_level="AUTOCOMMIT")
    tables: list[sa.Table] = []

    def prepare() -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS dbo.client")
            connection.exec_driver_sql(TABLE)
            connection.exec_driver_sql("INSERT INTO dbo.client VALUES (1, N'é')")

    def reflect() -> None:
        metadata = sa.MetaData()
        metadata.reflect(engine, views=True)
        tables.extend(metadata.sorted_tables)
        equal("client" in {table.name for table in tables}, True)

    def read() -> None:
        with engine.connect() as connection:
            for table in tables:
                connection.execute(sa.select(table)).fetchall()

    step("connect", prepare)
    step("catalog", reflect)
    step("query", read)


def plain() -> None:
    connection: list[Any] = []
    mark = "%s" if NAME in ("pymssql", "pytds") else "?"

    def run(batch: str, *parameters: object) -> Any:
        cursor = connection[0].cursor()
        cursor.execute(batch, tuple(parameters)) if parameters else cursor.execute(batch)
        return cursor

    def parameters() -> None:
        run("DROP TABLE IF EXISTS pool.dbo.client")
        run(TABLE)
        run(f"INSERT INTO pool..client SELECT {mark}, {mark}", 7, "Zürich")
        equal(tuple(run("SELECT id, name FROM pool.dbo.client").fetchone()), (7, "Zürich"))

    def transaction() -> None:
        run("BEGIN TRANSACTION")
        run("INSERT INTO dbo.client SELECT 8, N'x'")
        run("ROLLBACK TRANSACTION")
        equal(run("SELECT COUNT(*) FROM dbo.client").fetchone()[0], 1)

    def catalog() -> None:
        rows = run("SELECT COLUMN_NAME FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'client'")
        equal(sorted(row[0] for row in rows.fetchall()), ["id", "name"])

    def cancel() -> None:
        cursor = connection[0].cursor()
        threading.Timer(2, cursor.cancel).start()
        started = time.monotonic()
        try:
            cursor.execute(ENDLESS)
        except Exception:  # noqa: BLE001 # that is the client's way to say it
            equal(time.monotonic() - started < 60, True)
        equal(run("SELECT 42 AS a").fetchone()[0], 42)

    step("connect", lambda: connection.append(connect()))
    step("query", lambda: equal(run("SELECT N'ž' AS a, 1.5 AS b").fetchone()[0], "ž"))
    step("parameters", parameters)
    step("transaction", transaction)
    step("catalog", catalog)
    if NAME == "pyodbc":  # in others no thread may cancel what another one waits for
        step("cancel", cancel)


if __name__ == "__main__":
    plain() if NAME != "SQLAlchemy" else sqlalchemy()
    package = {"pytds": "python-tds"}.get(NAME, NAME)
    print("version", importlib.metadata.version(package))
