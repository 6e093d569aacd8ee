"""What in a home is damaged: cut off, changed, unreadable or missing files. Nothing is changed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bikecast.core.errors import Damaged
from bikecast.core.files import file_digest
from bikecast.core.sql import SqlError
from pipelines.doctor.checks import Diagnosis
from pipelines.home import Home
from resources.registry.version_memo import last_remembered

AREA, NAME = "machine", "home's files"
REMEDY = (
    "bikecast repair (before: bikecast repair --dry-run), or take a backup: bikecast restore FILE"
)
#: Files up to this size are read where a quick look is wanted; of larger ones the ends are.
QUICK_BYTES = 64 << 20
_SHOWN = 5
#: What each result of a training has, beside its model.
_RESULT = ("result.json", "leaderboard.json", "scores.json", "diagnostics.json")
#: SQL Server's number for a file that another process has.
_IN_USE = 1222

#: What a file is: the registry's database, a database of Dagster, the pool, a registered model, a
#: training job's record or result, what the lake says of a CSV, or a Delta table.
Kind = Literal["registry", "events", "pool", "model", "job", "manifest", "table"]


@dataclass(frozen=True)
class Finding:
    """One file that was looked at; `problem` is empty where it is whole."""

    kind: Kind
    path: Path
    problem: str


def damage(home: Home, most_bytes: int | None = None) -> list[Finding]:
    """The damaged files of a home; of files larger than `most_bytes` only a part is looked at."""
    return [finding for finding in findings(home, most_bytes) if finding.problem]


def diagnose(home: Home) -> list[Diagnosis]:
    """One diagnosis that names each damaged file of the home, or how many were looked at."""
    if not home.root.is_dir():
        return [Diagnosis(AREA, NAME, "skipped", "there is no home yet")]
    looked_at = list(findings(home))
    damaged = [line(home, finding) for finding in looked_at if finding.problem]
    if not damaged:
        text = f"{len(looked_at):,} files were looked at and are whole"
        return [Diagnosis(AREA, NAME, "ok", text)]
    rest = len(damaged) - _SHOWN
    detail = "damaged: " + "; ".join(damaged[:_SHOWN]) + (f"; {rest:,} more" if rest > 0 else "")
    return [Diagnosis(AREA, NAME, "failed", detail, REMEDY)]


def line(home: Home, finding: Finding) -> str:
    """A finding in words: the file by its path in the home, and what is wrong with it."""
    return f"{finding.path.relative_to(home.root)}: {finding.problem}"


def findings(home: Home, most_bytes: int | None = None) -> Iterator[Finding]:
    """Each file that can be checked; files of a running training, or in use, are left out."""
    database = home.root / "mlflow.db"
    memos = home.models.glob("*/versions.json")
    versions = [version for memo in memos for version in last_remembered(memo)]
    if database.exists() or versions:
        yield Finding("registry", database, _database_problem(database, most_bytes))
    for path in sorted(home.dagster.rglob("*.db")):
        yield Finding("events", path, _database_problem(path, most_bytes))
    if home.pool.exists() or any(version.aliases for version in versions):
        yield Finding("pool", home.pool, _pool_problem(home, most_bytes))
    yield from _models(home)
    for folder in sorted(path for path in home.jobs.glob("[!.]*") if path.is_dir()):
        yield from _job(folder)
    for path in sorted(home.lake.rglob("*.manifest.json")):
        yield Finding("manifest", path, _json_problem(path))
    for log in sorted(home.lake.rglob("_delta_log")):
        yield from _table(log.parent, most_bytes)


def _database_problem(path: Path, most_bytes: int | None) -> str:
    if not path.is_file():
        return "it is not there, and versions were registered"
    if not path.stat().st_size:
        return "it is empty"
    is_read = most_bytes is None or path.stat().st_size <= most_bytes
    check = "PRAGMA quick_check(1)" if is_read else "SELECT COUNT(*) FROM sqlite_master"
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)
        ) as database:
            answer = str(database.execute(check).fetchone()[0])
    except sqlite3.OperationalError as error:
        return "" if "locked" in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if answer == "ok" or not is_read else answer.splitlines()[-1]


def _pool_problem(home: Home, most_bytes: int | None) -> str:
    from bikecast.embedded.sql_pool import Limits, Pool

    if not home.pool.exists():
        return "it is not there, and a version is live"
    try:
        Pool(home.pool, home.lake, Limits(wait_seconds=1)).check(most_bytes)
    except SqlError as error:
        return "" if error.number == _IN_USE else "DuckDB cannot read all of it"
    return ""


def _models(home: Home) -> Iterator[Finding]:
    """The files of registered models: those that are there, and those that should be."""
    paths = set(home.models.glob("*/*/model.onnx"))
    for memo in home.models.glob("*/versions.json"):
        paths |= {memo.parent / each.digest / "model.onnx" for each in last_remembered(memo)}
    for path in sorted(paths):
        problem = ""
        if not path.is_file():
            problem = "it is not there, and its version is registered"
        elif file_digest(path) != path.parent.name:
            problem = "its SHA-256 is not the one that it was stored under"
        yield Finding("model", path, problem)


def _job(folder: Path) -> Iterator[Finding]:
    """The record of a training job that does not run, and its result."""
    if _runs(folder):
        return
    result = folder / "result"
    paths = {folder / "request.json", *folder.glob("*.json")}
    if result.is_dir():
        paths |= {result / name for name in _RESULT}
    for path in sorted(paths):
        if path.name != "progress.json":  # a heartbeat, which is not flushed to disk
            problem = _json_problem(path) if path.exists() else "it is not there"
            yield Finding("job", path, problem)
    if result.is_dir():
        path = result / "model.onnx"
        digest = _digest_of(result / "result.json")
        problem = "" if path.is_file() else "it is not there"
        if not problem and digest and file_digest(path) != digest:
            problem = "its SHA-256 is not the one of its training"
        yield Finding("job", path, problem)


def _runs(folder: Path) -> bool:
    """Whether the process of a training job holds its lock."""
    try:
        with (folder / "driver.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _digest_of(result: Path) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(result.read_bytes())["digest"])
    return ""


def _json_problem(path: Path) -> str:
    try:
        json.loads(path.read_bytes())
    except FileNotFoundError:  # replaced in this moment
        return ""
    except (ValueError, OSError) as error:
        return f"no JSON ({type(error).__name__})"
    return ""


def _table(place: Path, most_bytes: int | None) -> Iterator[Finding]:
    """The log of a Delta table and the files of its last version."""
    from deltalake.exceptions import TableNotFoundError

    from resources.lake.table_files import file_problems, open_local_table

    log = place / "_delta_log"
    try:
        table = open_local_table(place)
        files = list(file_problems(place, table, most_bytes))
    except TableNotFoundError:
        return
    except Damaged as error:
        yield Finding("table", log, error.problem)
        return
    yield Finding("table", log, "")
    for path, problem in files:
        yield Finding("table", path, problem)
