"""What T-SQL costs in the embedded pool, beside DuckDB's own SQL on the same rows in one process.

Each query runs in turns with its twin on a table of its own, and the fastest of up to RUNS counts,
by the clock and by the processor's time, which other programs disturb less. They run in a session
after the one that loaded, as those of `bikecast sql` do. "First query after" is the first query
behind a load, in its session, beside a later one. COPY INTO is beside DuckDB's INSERT of its own
readers. The twin runs on the pool's connection, where texts compare without case, but
not without trailing blanks.
`python benchmarks/pool_queries.py --rows 1000000` is a tenth of what `make bench` runs.
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

RUNS, SECONDS = 15, 15.0
"""Runs of a query, unless they take longer in all."""
COLUMNS = "id int, station int, day date, temp float, n bigint, name varchar(20)"
#: What it is, the most it may cost, T-SQL, and DuckDB's own SQL.
QUERIES = (
    ("numbers", 1.1,
     "SELECT station, COUNT_BIG(*), SUM(n), AVG(temp) FROM dbo.t WHERE n > 100 GROUP BY station",
     "SELECT station, count(*), sum(n), avg(temp) FROM twin WHERE n > 100 GROUP BY station"),
    ("year and month", 1.1,
     "SELECT YEAR(day), MONTH(day), COUNT_BIG(*) FROM dbo.t GROUP BY YEAR(day), MONTH(day)",
     "SELECT year(day), month(day), count(*) FROM twin GROUP BY ALL"),
    ("range of dates", 1.1,
     "SELECT COUNT_BIG(*) FROM dbo.t WHERE day >= '2016-03-01' AND day < '2018-03-01'",
     "SELECT count(*) FROM twin WHERE day >= DATE '2016-03-01' AND day < DATE '2018-03-01'"),
    ("window", 1.1,
     "SELECT SUM(x) FROM (SELECT SUM(n) OVER (PARTITION BY station ORDER BY id) AS x FROM dbo.t) "
     "AS q",
     "SELECT sum(x) FROM (SELECT sum(n) OVER (PARTITION BY station ORDER BY id) AS x FROM twin)"),
    ("filter of text", 1.5,
     "SELECT COUNT_BIG(*) FROM dbo.t WHERE name = 'Station 77'",
     "SELECT count(*) FROM twin WHERE name = 'Station 77'"),
    ("groups of text", 1.5,
     "SELECT name, COUNT_BIG(*) FROM dbo.t GROUP BY name",
     "SELECT name, count(*) FROM twin GROUP BY name"),
    ("join by text", 1.5,
     "SELECT COUNT_BIG(*) FROM dbo.t AS t JOIN dbo.names AS k ON t.name = k.name",
     "SELECT count(*) FROM twin AS t JOIN twin_names AS k ON t.name = k.name"),
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


Run = tuple[float, float]
"""How long a call took: by the clock, and by the processor."""


def seconds(work: Callable[[], object]) -> Run:
    """How long a call takes."""
    started, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - used


def shortest(runs: list[Run]) -> Run:
    """The least of either time."""
    return min(run[0] for run in runs), min(run[1] for run in runs)


def measure(rows: int, console: Console) -> Table:
    """Everything, in a throw-away folder."""
    table = Table(title=f"T-SQL in the pool beside DuckDB, {rows:,} rows")
    heads = ("query", "pool s", "beside s", "ratio", "of processor", "at most", "first", "beside")
    for column in heads:
        table.add_column(column, justify="left" if column == "query" else "right")

    def add(label: str, most: float, runs: list[Run], twins: list[Run]) -> None:
        ours, twin = shortest(runs), shortest(twins)
        ratios = [a / b for a, b in zip(ours, twin, strict=True)]
        shown = [f"{ours[0]:.3f}", f"{twin[0]:.3f}"]
        shown += [f"[{'green' if r <= most else 'red'}]{r:.2f}[/]" for r in ratios]
        shown += [str(most), f"{runs[0][0]:.3f}", f"{twins[0][0]:.3f}"]
        table.add_row(label, *shown)
        console.print(f"  {label}: {ratios[0]:.2f}, {ratios[1]:.2f}", highlight=False)

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
                loads, twins = [], []
                for _ in range(2):
                    session.run(clear, {})
                    connection.execute(f"TRUNCATE twin_{kind}")
                    loads.append(seconds(partial(session.run, copy, {})))
                    twins.append(seconds(partial(connection.execute, twin)))
                add(f"COPY INTO of {kind}", 1.3, loads, twins)
                query = QUERIES[0][2].replace("dbo.t", f"dbo.t_{kind}")
                session.run(clear, {})
                session.run(copy, {})
                first = seconds(partial(session.run, query, {}))
                later = [seconds(partial(session.run, query, {})) for _ in range(5)]
                add(f"first query after {kind}", 2.0, [first], later)
            session.run("DROP TABLE dbo.t_CSV; RENAME OBJECT dbo.t_PARQUET TO t", {})
            connection.execute("DROP TABLE twin_CSV; ALTER TABLE twin_PARQUET RENAME TO twin")
            session.run("CREATE TABLE dbo.names (name varchar(20)) WITH (HEAP)", {})
            session.run("INSERT INTO dbo.names SELECT DISTINCT name FROM dbo.t", {})
            connection.execute("CREATE TABLE twin_names AS SELECT DISTINCT name FROM twin")
        with pool.engine_session() as session:
            connection = session._interpreter.connection
            for label, most, ours, twin in QUERIES:
                runs, twins, ends = [], [], time.monotonic() + SECONDS
                while len(runs) < 2 or (len(runs) < RUNS and time.monotonic() < ends):
                    runs.append(seconds(partial(session.run, ours, {})))
                    twins.append(seconds(partial(rows_of, connection, twin)))
                add(label, most, runs, twins)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    console = Console(width=100)
    console.print(measure(parser.parse_args().rows, console))
