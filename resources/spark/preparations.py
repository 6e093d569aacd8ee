"""Which input a prepared table was made from, so that the same input starts no engine again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from resources.code_version import LIBRARY, code_version
from resources.files import file_digest, replaced_file
from resources.jobs import job_base_name
from resources.spark.delta_table import recorded_version
from resources.spark.port import Preparation, PreparedTable
from resources.spec_json import spec_to_json

_CODE = (
    "resources/lake/findings.py",
    "resources/spark",
    "resources/sql_types.py",
    f"{LIBRARY}pysail",
    f"{LIBRARY}pyspark",
)


def input_of(preparation: Preparation, csv_file: Path, remote: str) -> str:
    """The name of what decides the table: CSV, spec, code and engine."""
    return job_base_name(
        preparation.spec.training_table,
        csv=file_digest(csv_file),
        spec=spec_to_json(preparation.spec),
        table=preparation.table_path,
        remote=remote,
        code=code_version(*_CODE),
    )


def record(table: Path, input_name: str, prepared: PreparedTable) -> None:
    """Keep what was made of an input. Raises BikecastError where the folder cannot be written."""
    told = {"input": input_name, "prepared": asdict(prepared) | {"changed": False}}
    with replaced_file(_place(table)) as temporary:
        temporary.write_text(json.dumps(told), encoding="utf-8")


def recorded(table: Path, input_name: str) -> PreparedTable | None:
    """The table made from this input, where the Delta table at `table` is still that one."""
    try:
        told = json.loads(_place(table).read_text(encoding="utf-8"))
        if told["input"] != input_name:
            return None
        fields = told["prepared"]
        prepared = PreparedTable(**fields | {"findings": tuple(fields["findings"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_current = recorded_version(table) == (prepared.data_version, prepared.delta_version)
    return prepared if is_current else None


def _place(table: Path) -> Path:
    return table.parent / f".{table.name}.json"
