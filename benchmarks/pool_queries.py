"""What T-SQL costs in the embedded pool, beside DuckDB's own SQL on the same rows in one process.

Each query runs in turns with its twin, and the fastest of RUNS counts; the first run of the pool is
shown too, since it is the first one after a load. COPY INTO is beside DuckDB's INSERT of its own
readers. `python benchmarks/pool_queries.py --rows 1000000` is a tenth of what `make bench` runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bikecast.embedded.sql_pool import Limits, Pool

RUNS = 3
COLUMNS = "id int, station int, day date, temp float, n bigint, name varchar(20)"
#: What it is, the most it may cost, T-SQL, and DuckDB's own SQL.
QUERIES = (
    ("numbers", 1.1,
     "SELECT station, COUNT_BIG(*), SUM(n), AVG(temp) FROM dbo.t WHERE n > 100 GROUP BY station",
     "SELECT station, count(*), sum(n), avg(temp) FROM dbo.t WHERE n > 100 GROUP BY station"),
    ("year and month", 1.1,
     "SELECT YEAR(day), MONTH(day), COUNT_BIG(*) FROM dbo.t GROUP BY YEAR(day), MONTH(day)",
     "SELECT year(day), month(day), count(*) FROM dbo.t GROUP BY ALL"),
    ("range of dates", 1.1,
     "SELECT COUNT_BIG(*) FROM dbo.t WHERE day >= '2016-03-01' AND day < '2018-03-01'",
     "SELECT count(*) FROM dbo.t WHERE day >= DATE '2016-03-01' AND day < DATE '2018-03-01'"),
    ("window", 1.1,
     "SELECT SUM(x) FROM (SELECT SUM(n) OVER (PARTITION BY station ORDER BY id) AS x FROM dbo.t) "
     "AS q",
     "SELECT sum(x) FROM (SELECT sum(n) OVER (PARTITION BY station ORDER BY id) AS x FROM dbo.t)"),
    ("filter of text", 1.5,
     "SELECT COUNT_BIG(*) FROM dbo.t WHERE name = 'Station 77'",
     "SELECT count(*) FROM dbo.t WHERE name = 'Station 77'"),
    ("groups of text", 1.5,
     "SELECT name, COUNT_BIG(*) FROM dbo.t GROUP BY name",
     "SELECT name, count(*) FROM dbo.t GROUP BY name"),
    ("join by text", 1.5,
     "SELECT COUNT_BIG(*) FROM dbo.t AS t JOIN dbo.names AS k ON t.name = k.name",
     "SELECT count(*) FROM dbo.t AS t JOIN dbo.names AS k ON t.name = k.name"),
)  # fmt: skip


def write_files(connection: Any, folder: Path, rows: int) -> None:
    """The rows as CSV and as Parquet."""
    connection.execute(
        f"CREATE TEMP TABLE source AS SELECT i::INTEGER AS id, (i % 500)::INTEGER AS station, "
        f"DATE '2015-01-01' + (i % 3650)::INTEGER AS day, ((i % 997) / 7.0)::DOUBLE AS temp, "
        f"(i * 7919 % 1000)::BIGINT AS n, 'Station ' || (i % 1000) AS name "
        f"FROM range({rows}) AS r(i)"
    )
    for kind, options in (("csv", "header false, delimiter ','"), ("parquet", "format parquet")):
        connection.execute(f"COPY source TO '{folder}/rows.{kind}' ({options})")
    connection.execute("DROP TABLE source")


def rows_of(connection: Any, sql: str) -> list[Any]:
    """The rows of DuckDB's own query."""
    rows: list[Any] = connection.execute(sql).fetchall()
    return rows


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_turns(ours: Callable[[], object], twin: Callable[[], object]) -> tuple[float, float, float]:
    """The first of ours, the fastest of ours and the fastest of the twin."""
    runs = [(seconds(ours), seconds(twin)) for _ in range(RUNS)]
    return runs[0][0], min(run[0] for run in runs), min(run[1] for run in runs)


def measure(rows: int, console: Console) -> Table:
    """Everything, in a throw-away folder."""
    table = Table(title=f"T-SQL in the pool beside DuckDB, {rows:,} rows")
    for column in ("query", "pool s", "DuckDB s", "ratio", "at most", "first s"):
        table.add_column(column, justify="left" if column == "query" else "right")

    def add(label: str, most: float, first: float, ours: float, twin: float) -> None:
        ratio = ours / twin
        color = "green" if ratio <= most else "red"
        shown = [
            f"{ours:.3f}",
            f"{twin:.3f}",
            f"[{color}]{ratio:.2f}[/]",
            str(most),
            f"{first:.3f}",
        ]
        table.add_row(label, *shown)
        console.print(f"  {label}: {ratio:.2f}", highlight=False)

    with tempfile.TemporaryDirectory(prefix="bikecast-pool-") as name:
        folder = Path(name)
        pool = Pool(folder / "pool.duckdb", folder, Limits())
        with pool.engine_session() as session:
            connection = session._interpreter.connection  # the twin's
            write_files(connection, folder, rows)
            types = "id INTEGER, station INTEGER, day DATE, temp DOUBLE, n BIGINT, name VARCHAR"
            for kind, read in (
                ("CSV", f"read_csv('{folder}/rows.csv', header = false, columns = {{"
                 + ", ".join(f"'{c.split()[0]}': '{c.split()[1]}'" for c in types.split(", "))
                 + "})"),
                ("PARQUET", f"read_parquet('{folder}/rows.parquet')"),
            ):  # fmt: skip
                session.run(f"CREATE TABLE dbo.t_{kind} ({COLUMNS}) WITH (HEAP)", {})
                connection.execute(f"CREATE TABLE twin_{kind} ({types})")
                ends = ", ROWTERMINATOR = '0x0A'" if kind == "CSV" else ""
                copy = (
                    f"COPY INTO dbo.t_{kind} FROM 'file://{folder}/rows.{kind.lower()}' "
                    f"WITH (FILE_TYPE = '{kind}'{ends})"
                )
                twin = f"INSERT INTO twin_{kind} SELECT * FROM {read}"
                clear = f"TRUNCATE TABLE dbo.t_{kind}"
                loads = []
                for _ in range(2):
                    session.run(clear, {})
                    connection.execute(f"TRUNCATE twin_{kind}")
                    ours = seconds(partial(session.run, copy, {}))
                    loads.append((ours, seconds(partial(connection.execute, twin))))
                best = [min(load[i] for load in loads) for i in (0, 1)]
                add(f"COPY INTO of {kind}", 1.3, loads[0][0], *best)
                connection.execute(f"DROP TABLE twin_{kind}")
            session.run("DROP TABLE dbo.t_CSV; RENAME OBJECT dbo.t_PARQUET TO t", {})
            session.run("CREATE TABLE dbo.names (name varchar(20)) WITH (HEAP)", {})
            session.run("INSERT INTO dbo.names SELECT DISTINCT name FROM dbo.t", {})
            for label, most, ours, twin in QUERIES:
                first, *best = in_turns(
                    partial(session.run, ours, {}),
                    partial(rows_of, connection, twin),
                )
                add(label, most, first, *best)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    console = Console(width=100)
    console.print(measure(parser.parse_args().rows, console))
