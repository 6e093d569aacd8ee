"""Training on a table that was inferred, and what decides the model of any training."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.code_version import code_version
from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobStatus, current_attempt, job_base_name
from bikecast.embedded.automl.jobs import Jobs

if TYPE_CHECKING:
    from bikecast.embedded.automl.tabular import Tabular

#: What decides a model beside data and settings: a new version of any of it is a new training.
#: Of what the driver imports, a test names what decides nothing.
TRAINING_CODE = (
    "bikecast/embedded/automl",
    "bikecast/core/onnx/contract.py",
    "bikecast/core/onnx/policy.py",
    "bikecast/core/onnx/sizes.py",
    "bikecast/core/onnx/session.py",
    "bikecast/core/onnx/versions.py",
    "bikecast/core/row_sample.py",
    "bikecast/core/sql_types.py",
    "bikecast/core/trainable.py",
    "library:lightgbm",
    "library:numpy",
    "library:onnx",
    "library:scikit-learn",
    "library:scipy",
)


def train_table(
    jobs: Jobs, inferred: Tabular, *, lake_root: Path, data_version: str, budget_seconds: float
) -> JobStatus:
    """Start the job for this content and these settings, or join the one that is there.

    `data_version` names the content. The table is written as Delta below `lake_root`; the budget
    is in seconds.
    Raises InvalidInput for a bad budget or spec, BikecastError where the disk is full.
    """
    spec, code = inferred.spec, code_version(*TRAINING_CODE)
    base = job_base_name(
        spec.model_name,
        data=data_version,
        code=code,
        settings=asdict(spec.training),
        columns=[asdict(column) for column in spec.training_columns],
        reading=inferred.columns_json(),
    )
    attempt = current_attempt(base, jobs.status)
    if attempt.status is not None:
        return attempt.status
    spec = replace(spec, training_table=base.replace("-", "_").replace(".", "_"))
    table = lake_root.absolute() / spec.training_table_path
    _write_table(table, inferred)
    return jobs.submit(
        attempt.job_id,
        spec,
        table,
        data_version=data_version,
        budget_seconds=budget_seconds,
        tags={"file": spec.source_file, "code_version": code},
    )


def _write_table(path: Path, inferred: Tabular) -> None:
    from deltalake import DeltaTable, write_deltalake
    from deltalake.exceptions import DeltaError

    if DeltaTable.is_deltatable(str(path)):
        return
    try:
        write_deltalake(path, inferred.table)
    except (OSError, DeltaError) as error:
        raise BikecastError(
            f"the table cannot be written to {path}: {error}. Nothing was trained. Free some "
            "space and run again."
        ) from error
