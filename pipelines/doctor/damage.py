"""What in a home is damaged: truncated, changed or unreadable files. Nothing is changed."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from bikecast.core.files import file_digest
from bikecast.core.sql import SqlError
from pipelines.doctor.checks import Diagnosis
from pipelines.home import Home

AREA, NAME = "machine", "home's files"
_SHOWN = 5
#: SQL Server's number for a file that another process has.
_IN_USE = 1222


def damage(home: Home) -> list[Diagnosis]:
    """One diagnosis that names each damaged file of the home, or how many were looked at."""
    if not home.root.is_dir():
        return [Diagnosis(AREA, NAME, "skipped", "there is no home yet")]
    looked_at = 0
    damaged: list[str] = []
    for path, problem in _files(home):
        looked_at += 1
        if problem:
            damaged.append(f"{path.relative_to(home.root)}: {problem}")
    if not damaged:
        return [Diagnosis(AREA, NAME, "ok", f"{looked_at:,} files were looked at and are whole")]
    rest = len(damaged) - _SHOWN
    detail = "damaged: " + "; ".join(damaged[:_SHOWN]) + (f"; {rest:,} more" if rest > 0 else "")
    remedy = (
        f"Move {home.root} away and take the last backup: bikecast restore FILE. "
        "Without one, what is left can be read where you moved it; `bikecast run` makes a new home"
    )
    return [Diagnosis(AREA, NAME, "failed", detail, remedy)]


def _files(home: Home) -> Iterator[tuple[Path, str]]:
    """Each file that can be checked, and what is wrong with it; empty where nothing is."""
    for path in sorted(home.root.rglob("*.db")):
        yield path, _database_problem(path)
    if home.pool.exists():
        yield home.pool, _pool_problem(home)
    for folder in (home.jobs, home.lake):
        for path in sorted(folder.rglob("*.json")):
            if "_delta_log" not in path.parts:
                yield path, _json_problem(path)
    for path in sorted(home.models.glob("*/*/model.onnx")):
        is_whole = file_digest(path) == path.parent.name
        yield path, "" if is_whole else "its SHA-256 is not the one that it was stored under"
    for log in sorted(home.lake.rglob("_delta_log")):
        yield from _table_problems(log.parent)


def _database_problem(path: Path) -> str:
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)
        ) as database:
            answer = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        return "" if "locked" in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if answer == "ok" else answer.splitlines()[0]


def _pool_problem(home: Home) -> str:
    from bikecast.embedded.sql_pool import Limits, Pool

    try:
        with Pool(home.pool, home.lake, Limits(wait_seconds=1)).session() as session:
            session.run("SELECT COUNT(*) AS tables FROM sys.tables")
    except SqlError as error:
        return "" if error.number == _IN_USE else error.message
    return ""


def _json_problem(path: Path) -> str:
    try:
        json.loads(path.read_bytes())
    except FileNotFoundError:  # replaced in this moment
        return ""
    except (ValueError, OSError) as error:
        return f"no JSON ({type(error).__name__})"
    return ""


def _table_problems(table: Path) -> Iterator[tuple[Path, str]]:
    """The files of a Delta table's last version: there, of their size, with a Parquet footer."""
    import pyarrow.parquet as pq
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    try:
        actions = DeltaTable(str(table)).get_add_actions(flatten=True)
        names = [str(each) for each in actions["path"].to_pylist()]
        sizes = [int(each) for each in actions["size_bytes"].to_pylist()]
    except (DeltaError, OSError, ValueError, KeyError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        yield table / "_delta_log", f"the table cannot be opened ({first[:200]})"
        return
    for name, size in zip(names, sizes, strict=True):
        path = table / name
        try:
            if path.stat().st_size != size:
                problem = f"{path.stat().st_size:,} bytes, and the table's log says {size:,}"
            else:
                pq.read_metadata(path)
                problem = ""
        except (OSError, ValueError) as error:
            problem = "it is not there" if isinstance(error, FileNotFoundError) else "no Parquet"
        yield path, problem
