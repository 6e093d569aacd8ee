"""The event log in Dagster's own SQLite files, read without Dagster, whose import takes longer
than all else that a command does that only looks.

The form of the files is Dagster's affair: tests/contract/test_event_log.py holds what is read
here equal to what Dagster's instance answers, and `open_sqlite_log` returns None for files of
another form, so that Dagster reads them.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import yaml

from pipelines.event_log.port import UNDER_WAY, Materialization, RunRecord

#: What in a dagster.yaml says that runs and events are kept elsewhere.
_ELSEWHERE = {
    *("storage", "run_storage", "event_log_storage", "schedule_storage"),
    "local_artifact_storage",
}
#: The revision of the tables that Dagster made, by its migrations.
_REVISION = "29b539ebc72a"
_FILES = {
    "runs": "history/runs.db",
    "events": "history/runs/index.db",
    "switches": "schedules/schedules.db",
}
#: The field of a metadata entry that has its plain value, by what the entry is.
_PLAIN = {
    **dict.fromkeys(("IntMetadataEntryData", "FloatMetadataEntryData"), "value"),
    "BoolMetadataEntryData": "value",
    "TextMetadataEntryData": "text",
    "MarkdownMetadataEntryData": "md_str",
    "PathMetadataEntryData": "path",
    "UrlMetadataEntryData": "url",
    "NotebookMetadataEntryData": "path",
    "DagsterPipelineRunMetadataEntryData": "run_id",
    "TimestampMetadataValue": "value",
}
_RUN = "SELECT run_id, pipeline_name, status, create_timestamp, run_body FROM runs"


def open_sqlite_log(dagster_home: Path, stack: ExitStack) -> SqliteLog | None:
    """The log of this DAGSTER_HOME, open until the stack closes; None where Dagster has to read it.

    A file that is not there yet is an empty log.
    """
    try:
        config = yaml.load((dagster_home / "dagster.yaml").read_bytes(), Loader=yaml.CSafeLoader)
        if _ELSEWHERE & set(config or {}):
            return None
        connections: dict[str, sqlite3.Connection] = {}
        for name, file in _FILES.items():
            path = dagster_home / file
            if not path.exists():
                continue
            connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
            connections[name] = stack.enter_context(closing(connection))
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            if revision != _REVISION:
                return None
        log = SqliteLog(connections)
        log.probe()
        return log
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError, sqlite3.Error):
        return None


class SqliteLog:
    """Reads the files by a few statements; implements EventLog."""

    def __init__(self, connections: Mapping[str, sqlite3.Connection]) -> None:
        self._connections = connections

    def run(self, run_id: str) -> RunRecord | None:
        """See EventLog."""
        return next(self._runs(f"{_RUN} WHERE run_id = ?", run_id), None)

    def last_run(self) -> RunRecord | None:
        """See EventLog."""
        return next(self._runs(f"{_RUN} ORDER BY id DESC LIMIT 1"), None)

    def runs_under_way(self) -> list[RunRecord]:
        """See EventLog."""
        marks = ", ".join("?" * len(UNDER_WAY))
        return list(self._runs(f"{_RUN} WHERE status IN ({marks}) ORDER BY id DESC", *UNDER_WAY))

    def _runs(self, statement: str, *values: str) -> Iterator[RunRecord]:
        for run_id, job, status, created, body in self._rows("runs", statement, *values):
            moment = dt.datetime.fromisoformat(created).replace(tzinfo=dt.UTC)
            tags = json.loads(body).get("tags") or {}
            yield RunRecord(run_id, job, status, moment, tags)

    def materializations(
        self, asset: str, *, before: int | None = None
    ) -> Iterator[Materialization]:
        """See EventLog."""
        statement = (
            "SELECT id, run_id, event FROM event_logs "
            "WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND asset_key = ? AND id < ? "
            "ORDER BY id DESC"
        )
        bound = (1 << 63) - 1 if before is None else before
        for number, run_id, text in self._rows("events", statement, json.dumps([asset]), bound):
            entry = json.loads(text)
            event = entry["dagster_event"]["event_specific_data"]["materialization"]
            plain = (_plain(each) for each in event["metadata_entries"])
            yield Materialization(
                storage_id=number,
                run_id=run_id,
                time=entry["timestamp"],
                metadata=dict(each for each in plain if each is not None),
                tags=event.get("tags") or {},
            )

    def switches(self, location: str) -> dict[str, str]:
        """See EventLog."""
        switches: dict[str, str] = {}
        for (text,) in self._rows("switches", "SELECT instigator_body FROM instigators"):
            state = json.loads(text)
            origin = state["origin"]
            repository = origin.get("repository_origin") or origin["external_repository_origin"]
            place = (
                repository.get("code_location_origin") or repository["repository_location_origin"]
            )
            if place["location_name"] == location:
                name = origin.get("instigator_name") or origin["job_name"]
                status = state["status"]["__enum__"].rpartition(".")[2]
                switches[name] = "DECLARED_IN_CODE" if status == "AUTOMATICALLY_RUNNING" else status
        return switches

    def probe(self) -> None:
        """Read the newest of everything. Raises whatever its form is not what is expected here."""
        self.last_run()
        self.switches("")
        newest = "SELECT asset_key FROM event_logs WHERE asset_key IS NOT NULL ORDER BY id DESC"
        for (key,) in self._rows("events", f"{newest} LIMIT 1"):
            next(self.materializations("/".join(json.loads(key))), None)

    def position(self) -> tuple[object, ...]:
        """What is another one after each new run, each change of one, and each event."""
        runs = "SELECT count(*), max(id), max(update_timestamp) FROM runs"
        events = "SELECT count(*), max(id) FROM event_logs"
        return tuple(
            value
            for name, statement in (("runs", runs), ("events", events))
            for row in self._rows(name, statement)
            for value in row
        )

    def _rows(self, name: str, statement: str, *values: object) -> Iterator[tuple[Any, ...]]:
        connection = self._connections.get(name)
        return iter(()) if connection is None else connection.execute(statement, values)


def _plain(entry: Mapping[str, Any]) -> tuple[str, object] | None:
    """Name and value of a metadata entry that is plain."""
    data = entry["entry_data"]
    field = _PLAIN.get(data["__class__"])
    if field is None or not isinstance(data[field], (str, int, float)):
        return None
    return entry["label"], data[field]
