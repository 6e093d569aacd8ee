"""Scoring by Livy batches of a Synapse Spark pool; the batch's files are committed here."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from bikecast.core.errors import InvalidInput
from bikecast.core.jobs import JobState, JobStatus, current_attempt, job_base_name
from resources.spark.port import ScoredTable, ScoringJob

if TYPE_CHECKING:
    from resources.lake.adls import AdlsLake
    from resources.spark.remote_jobs import RemoteJobs

_MAIN = "resources/spark/scoring_batch.py"
#: Property of a table's commit: the batch that scored its rows.
BATCH = "bikecast.batch"


def score(jobs: RemoteJobs, job: ScoringJob) -> ScoredTable | JobStatus:
    """Score, or attach to the batch that scores; see the port.

    A batch's name is a hash of model, rows, spec and code with an attempt number. Rows that were
    scored by the same model already are not scored again.
    """
    from bikecast.core.spec_json import spec_to_json
    from resources.spark.shipping import job_code

    table, spec = job.spec.predictions_table, spec_to_json(job.spec)
    identity = job_base_name(
        table,
        model=job.model_digest,
        rows=_rows_version(jobs.lake, job.rows_path),
        spec=spec,
        table=job.table_path,
        code=job_code(_MAIN).digest,
    )
    attempt = current_attempt(identity, jobs.status)
    if attempt.status is not None:
        if attempt.status.state is not JobState.COMPLETED:
            return attempt.status
        jobs.show_log(attempt.job_id)
        return _committed(jobs, job, attempt.job_id)
    if attempt.number > 1:
        jobs.raise_once(f"{identity}-{attempt.number - 1}", table)
    return jobs.start(
        attempt.job_id,
        job_code(_MAIN),
        {"spec": spec, "digest": job.model_digest, "stamp": asdict(job.stamp)},
        [job.model_path, job.rows_path, _folder(job, attempt.job_id)],
    )


def _folder(job: ScoringJob, name: str) -> str:
    return f"{job.table_path}/scored-{name}"


def _rows_version(lake: AdlsLake, path: str) -> str:
    """What decides the rows: a file's digest, or a Delta table's version.

    Raises InvalidInput where there is neither.
    """
    from resources.lake.parquet_folders import latest_commit

    if path.endswith(".parquet"):
        stored = lake.stat(path)
        if stored is None:
            raise InvalidInput(f"there is no file {path} in the lake")
        return stored.digest
    commit = latest_commit(lake, path)
    if commit is None:
        raise InvalidInput(f"there is no Delta table at {path} in the lake")
    return str(commit.version)


def _committed(jobs: RemoteJobs, job: ScoringJob, name: str) -> ScoredTable:
    """The table with a completed batch's files, committed unless they already are."""
    from resources.lake.parquet_folders import ParquetFile, commit_files, latest_commit
    from resources.spark.scoring import predictions_schema

    lake, folder, outcome = jobs.lake, _folder(job, name), jobs.outcome(name)
    current = latest_commit(lake, job.table_path)
    if current is not None and current.properties.get(BATCH) == name:
        version = current.version
    else:
        inner = folder.rpartition("/")[2]
        files = [ParquetFile(f"{inner}/{n}", size) for n, size in outcome["files"].items()]
        properties = {BATCH: name, "bikecast.modelDigest": job.model_digest}
        schema = predictions_schema(job.spec)
        version = commit_files(lake, job.table_path, files, schema, properties)
    return ScoredTable(job.table_path, folder, int(outcome["rows"]), version)
