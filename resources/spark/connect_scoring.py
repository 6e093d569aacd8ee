"""Scoring over Spark Connect, or in a JVM, on a lake folder that this process sees too."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from bikecast.core.errors import BikecastError, InvalidInput
from resources.lake.local import LocalLake
from resources.lake.parquet_folders import commit_files, local_files
from resources.spark.delta_rows import delta_rows
from resources.spark.errors import cause, spark_errors
from resources.spark.port import ScoredTable, ScoringJob
from resources.spark.scoring import (
    missing_features,
    named_as_inputs,
    predictions_schema,
    scored_rows,
    write_folder,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def score(
    session: SparkSession, lake: LocalLake, job: ScoringJob, *, reads_delta: bool
) -> ScoredTable:
    """Score by the workers of a session and commit; see the port.

    Only the commit passes through this process. Where the engine has no Delta reader
    (`reads_delta`), it gets the table's files.
    """
    from pyspark import cloudpickle

    import bikecast.core.onnx.session

    # A cluster's workers do not have this project.
    cloudpickle.register_pickle_by_value(bikecast.core.onnx.session)  # type: ignore[no-untyped-call]
    model = lake.local_path(job.model_path).read_bytes()
    folder = f"scored-{uuid4().hex}"
    try:
        rows = _rows(session, lake, job, reads_delta=reads_delta)
        if missing := missing_features(rows, job.spec):
            raise InvalidInput(f"{job.rows_path}: missing columns {', '.join(missing)}")
        scored = scored_rows(rows, job.spec, model, job.model_digest, job.stamp)
        write_folder(scored, str(lake.local_path(f"{job.table_path}/{folder}")))
    except spark_errors() as error:
        raise BikecastError(
            f"Spark cannot score {job.rows_path}: {_reason(error)}. {job.table_path} is unchanged"
        ) from error
    schema = predictions_schema(job.spec)
    files = local_files(lake.local_path(job.table_path), folder, schema)
    rows_done = sum(file.rows or 0 for file in files)
    properties = {"bikecast.modelDigest": job.model_digest, "bikecast.runId": job.stamp.run_id}
    version = commit_files(lake, job.table_path, files, schema, properties)
    return ScoredTable(job.table_path, f"{job.table_path}/{folder}", rows_done, version)


def _rows(
    session: SparkSession, lake: LocalLake, job: ScoringJob, *, reads_delta: bool
) -> DataFrame:
    path = lake.local_path(job.rows_path)
    if job.rows_path.endswith(".parquet"):
        if not path.is_file():
            raise InvalidInput(f"there is no file {job.rows_path} in the lake")
        return session.read.parquet(str(path))
    rows = delta_rows(session, path, job.rows_path, reads_delta=reads_delta)
    return named_as_inputs(rows, job.spec)


def _reason(error: Exception) -> str:
    """The last line of a worker's Python error, else the error in one line."""
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if any("Traceback" in line for line in lines) and not hasattr(error, "java_exception"):
        return lines[-1]
    return cause(error)
