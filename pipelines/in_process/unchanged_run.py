"""A main job that has nothing to do, recognised before Dagster is imported.

A run leaves a note: what went into it (code, libraries, settings, the files that it was given) and
the state in which it left the home. Where all of that is still so, each asset would find its input
and its result unchanged. Whether the live version stays is asked again, by the function that the
asset asks. The answer is read from the stores, as after a run.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import file_digest, replaced_file
from bikecast.core.spec import ModelSpec
from pipelines.catalog import code_stamp
from pipelines.environments import Resources
from pipelines.event_log.sqlite_log import open_sqlite_log
from pipelines.home import Home
from pipelines.in_process.outcome import Outcome, Record, outcome_of
from pipelines.settings import Settings
from resources.lake.many_files import files_of
from resources.lake.sources import SAMPLE, STANDARD_INPUT
from resources.registry.version_memo import MEMO

#: A later run is one of Dagster again, so that assets that are looked after count as fresh.
MOST_SECONDS = 3600.0
#: What a run reads and writes, beside Dagster's storage. Others only keep what can be read anew.
_STORES = ("lake", "models", "jobs", "mlflow.db", "pool.duckdb", "pool.duckdb.wal")


def input_of(settings: Settings, spec: ModelSpec, resources: Resources) -> str | None:
    """A digest of all that goes into a run; None where that cannot be said before it, because a
    file comes from the network or from a pipe."""
    digest = hashlib.sha256(f"{code_stamp()} {settings!r} {spec.name}".encode())
    for lake_path in (spec.source_file, spec.scoring_file):
        source = resources.sources.paths.get(lake_path)
        digest.update(repr((lake_path, source)).encode())
        if source is None or source == SAMPLE:
            continue
        if source == STANDARD_INPUT or "://" in source or source.lower().startswith("file:"):
            return None
        try:
            path = Path(source).expanduser()
            files = files_of(path)
            for file in [path] if files is None else files:
                if not file.is_file():
                    return None
                digest.update(repr((str(file), file_digest(file))).encode())
        except (OSError, ValueError, RuntimeError, InvalidInput):
            return None  # a run says what is wrong with it
    return digest.hexdigest()


def note_run(home: Home, spec: ModelSpec, inputs: str | None, outcome: Outcome) -> None:
    """Leave the note of a run that has ended; nothing where it could not be recognised."""
    if inputs is None or (state := _state(home)) is None:
        return
    warning_hours = min(spec.freshness.trained_warning_hours, spec.freshness.scored_warning_hours)
    note = {
        "inputs": inputs,
        "state": state,
        "until": time.time() + min(MOST_SECONDS, warning_hours * 3600 / 2),
        "candidate": outcome.candidate.version,
        "job_id": outcome.candidate.job_id,
        "rows": outcome.prediction_rows,
        "warnings": outcome.warnings,
        "run_ids": outcome.run_ids,
    }
    with suppress(OSError, BikecastError), replaced_file(_place(home, spec)) as temporary:
        temporary.write_text(json.dumps(note), encoding="utf-8")


def is_noted(home: Home, spec: ModelSpec, inputs: str | None) -> bool:
    """Whether the last run had these inputs. Where it had others, nothing has to wait for it."""
    with suppress(OSError, ValueError, LookupError, TypeError):
        return inputs is not None and bool(_note(home, spec)["inputs"] == inputs)
    return False


def unchanged_run(
    home: Home, spec: ModelSpec, inputs: str | None, resources: Resources
) -> Outcome | None:
    """What a run would make that has nothing to do; None where one has to look.

    `seconds` has the total alone, of what passes here. The caller holds `sole_run`.
    """
    from assets.live_model.live_model import LiveModel

    start = time.perf_counter()
    with suppress(Exception):  # a run tells of whatever it is
        note = _note(home, spec)
        is_so = note["inputs"] == inputs and note["state"] == _state(home)
        if inputs is None or not is_so or not 0 < note["until"] - time.time() <= MOST_SECONDS:
            return None
        model = LiveModel(resources.registry, resources.sql_pool, resources.lake, spec)
        live = model.current()
        decision = model.decide(note["candidate"], data_version=None, force=False)
        if live is None or decision.action is not None:
            return None
        promoted = {"version": live.version, "reason": decision.reason}
        record = Record(
            warnings=note["warnings"],
            metadata={
                f"{spec.model_table}_table": promoted | {"candidate": note["candidate"]},
                spec.predictions_table: {"dagster/row_count": note["rows"]},
            },
            run_ids=note["run_ids"],
        )
        outcome = outcome_of(spec, resources, record, note["job_id"], trained=False)
        return replace(outcome, seconds={"total": round(time.perf_counter() - start, 3)})
    return None


def _note(home: Home, spec: ModelSpec) -> Any:
    return json.loads(_place(home, spec).read_text(encoding="utf-8"))


def _place(home: Home, spec: ModelSpec) -> Path:
    return home.root / f"last_run-{spec.name}.json"


def _state(home: Home) -> str | None:
    """A digest of what is stored: files by size, time and inode, and how far Dagster's log is.

    None where a run is under way, or where only Dagster can read its storage.
    """
    try:
        with ExitStack() as stack:
            log = open_sqlite_log(home.dagster, stack)
            if log is None or log.runs_under_way():
                return None
            digest = hashlib.sha256(repr(log.position()).encode())
    except (ValueError, LookupError, TypeError, sqlite3.Error):
        return None
    for path, stat in _files(home.root):
        facts = (path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        digest.update(repr(facts).encode())
    return digest.hexdigest()


def _files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The files of the stores in a fixed order."""
    for store in _STORES:
        place = root / store
        if place.is_dir():
            for folder, folders, names in os.walk(place):
                folders.sort()
                for name in sorted(set(names) - {MEMO}):
                    path = Path(folder, name)
                    yield str(path.relative_to(root)), path.lstat()
        elif place.exists():
            yield store, place.lstat()
