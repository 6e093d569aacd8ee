"""Which input a prepared table was made from, so that the same input starts no engine again."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from deltalake.exceptions import DeltaError

from bikecast.core.code_version import code_version
from bikecast.core.errors import BikecastError
from bikecast.core.files import file_digest, replaced_file
from bikecast.core.jobs import job_base_name
from bikecast.core.spec_json import spec_to_json
from resources.spark.delta_table import recorded_version
from resources.spark.port import Preparation, PreparedTable
from resources.spark.preparation_code import PREPARATION_CODE


def input_of(preparation: Preparation, csv_file: Path, remote: str) -> str:
    """The name of what decides the table: CSV, spec without its training, code and engine."""
    spec = {
        name: value for name, value in spec_to_json(preparation.spec).items() if name != "training"
    }
    return job_base_name(
        preparation.spec.training_table,
        csv=file_digest(csv_file),
        spec=spec,
        table=preparation.table_path,
        remote=remote,
        code=code_version(*PREPARATION_CODE),
    )


def record(table: Path, input_name: str, prepared: PreparedTable) -> None:
    """Keep what was made of an input; what cannot be written is made again by the next call."""
    content = {"input": input_name, "prepared": asdict(prepared) | {"changed": False}}
    with suppress(OSError, BikecastError), replaced_file(_place(table)) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def recorded(table: Path, input_name: str) -> PreparedTable | None:
    """The table made from this input, where the Delta table at `table` is still that one."""
    try:
        content = json.loads(_place(table).read_text(encoding="utf-8"))
        if content["input"] != input_name:
            return None
        fields = content["prepared"]
        prepared = PreparedTable(**fields | {"findings": tuple(fields["findings"])})
        is_current = recorded_version(table) == (prepared.data_version, prepared.delta_version)
    except (OSError, ValueError, LookupError, TypeError, DeltaError):
        return None
    return prepared if is_current else None


def _place(table: Path) -> Path:
    return table.parent / f".{table.name}.json"
