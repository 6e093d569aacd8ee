"""The Spark job that scores rows with an ONNX model, as it runs on a Spark pool (Spark 3.5).

It is shipped to the lake as the job of `resources.spark.batch` is. The pool needs ONNX Runtime.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import TYPE_CHECKING, Any

from bikecast.core.spec_json import spec_from_json
from resources.spark.port import Stamp
from resources.spark.scoring import (
    missing_features,
    named_as_inputs,
    scored_rows,
    write_folder,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NO_RUNTIME = (
    "the Spark pool has no Python package onnxruntime; add it to the pool's requirements.txt "
    "(az synapse spark pool update --library-requirements)"
)


def run(
    session: SparkSession,
    job_url: str,
    model_url: str,
    rows_url: str,
    folder_url: str,
    result_url: str,
) -> str:
    """Score the rows into Parquet files; return the error for people, or "".

    The job's file holds `spec`, `digest` (of the checked model) and `stamp`. The outcome is the
    one row of the Delta table at `result_url`; who asked for the job commits the files, whose
    names and sizes in bytes it has.
    """
    job = json.loads(session.read.text(job_url, wholetext=True).collect()[0][0])
    spec = spec_from_json(job["spec"])
    rows = (
        session.read.parquet(rows_url)
        if rows_url.endswith(".parquet")
        else named_as_inputs(session.read.format("delta").load(rows_url), spec)
    )
    missing = missing_features(rows, spec)
    error = f"the rows lack the columns {', '.join(missing)}" if missing else ""
    if importlib.util.find_spec("onnxruntime") is None:
        error = NO_RUNTIME
    count, files = 0, {}
    if not error:
        model = session.read.format("binaryFile").load(model_url).select("content").collect()
        stamp = Stamp(**job["stamp"])
        write_folder(scored_rows(rows, spec, bytes(model[0][0]), job["digest"], stamp), folder_url)
        count = session.read.parquet(folder_url).count()
        files = written_files(session, folder_url)
    outcome: dict[str, Any] = {"rows": count, "files": files, "error": error}
    result = session.createDataFrame([(json.dumps(outcome),)], "outcome string").coalesce(1)
    result.write.format("delta").mode("overwrite").save(result_url)
    return error


def written_files(session: SparkSession, folder_url: str) -> dict[str, int]:
    """Sizes in bytes by name of the Parquet files of a folder; only the listing is read."""
    listed = session.read.format("binaryFile").option("pathGlobFilter", "*.parquet")
    rows = listed.load(folder_url).select("path", "length").collect()
    return {str(row[0]).rpartition("/")[2]: int(row[1]) for row in rows}


if __name__ == "__main__":
    from pyspark.sql import SparkSession

    # The URLs of job, model, rows, folder and result.
    sys.exit(run(SparkSession.builder.getOrCreate(), *sys.argv[1:6]) or None)
