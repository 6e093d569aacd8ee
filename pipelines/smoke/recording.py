"""Recordings: one folder a run, with a manifest and one line an exchange."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import platform
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bikecast.core.files import replaced_file
from pipelines.smoke.calls import CallKind
from pipelines.smoke.exchange import Exchange, RawExchange, redacted
from pipelines.smoke.redaction import Redactor

FORMAT = 1
EXCHANGES, STATEMENTS, MANIFEST = "exchanges.jsonl", "statements.jsonl", "manifest.json"
SDKS = (
    "azure-ai-ml",
    "azure-core",
    "azure-identity",
    "azure-mgmt-authorization",
    "azure-mgmt-synapse",
    "azure-storage-blob",
    "azure-storage-file-datalake",
    "azure-synapse-artifacts",
    "azure-synapse-accesscontrol",
    "azure-synapse-spark",
    "azureml-core",
    "dagster",
    "dagster-azure",
    "deltalake",
    "msal",
    "pyodbc",
    "requests",
)


@dataclass
class Recorder:
    """Writes each exchange, redacted, as it happens, so that a killed run keeps what it heard.

    The folder has the ending `.part` until `close` gives it its manifest and its name.
    """

    folder: Path
    redactor: Redactor
    kinds: frozenset[CallKind]
    exchanges: list[Exchange] = field(default_factory=list)
    statements: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, raw: RawExchange) -> None:
        """Record one exchange."""
        with self._lock:
            exchange = redacted(raw, self.redactor, self.kinds)
            self.exchanges.append(exchange)
            self._append(EXCHANGES, exchange.as_json())

    def hear_sql(self, statement: Mapping[str, Any]) -> None:
        """Record one batch of T-SQL, which holds no text and no value."""
        with self._lock:
            self.statements.append(dict(statement))
            self._append(STATEMENTS, json.dumps(statement))

    def close(self, facts: Mapping[str, Any]) -> Path:
        """Complete the folder with a manifest of these facts; returns its path."""
        part = self._part
        part.mkdir(parents=True, exist_ok=True)
        manifest = {**versions(), **facts, "exchanges": len(self.exchanges)}
        manifest["statements"] = len(self.statements)
        with replaced_file(part / MANIFEST) as temporary:
            temporary.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        part.rename(self.folder)
        return self.folder

    def discard(self) -> None:
        """Leave nothing, where nothing was begun."""
        for name in (EXCHANGES, STATEMENTS, MANIFEST):
            (self._part / name).unlink(missing_ok=True)
        with suppress(OSError):
            self._part.rmdir()

    @property
    def _part(self) -> Path:
        return self.folder.with_name(self.folder.name + ".part")

    def _append(self, name: str, line: str) -> None:
        self._part.mkdir(parents=True, exist_ok=True)
        with (self._part / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def versions() -> dict[str, Any]:
    """What made the recording: format, time, and the versions that matter."""
    packages = {}
    for name in SDKS:
        with suppress(importlib.metadata.PackageNotFoundError):
            packages[name] = importlib.metadata.version(name)
    return {
        "format": FORMAT,
        "recorded_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "bikecast": importlib.metadata.version("bikecast"),
        "python": platform.python_version(),
        "system": platform.system(),
        "packages": packages,
    }
