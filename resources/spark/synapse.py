"""Spark as batches on a Synapse Spark pool."""

from __future__ import annotations

import json
from typing import Any

from dagster import ConfigurableResource
from pydantic import Field

from bikecast.core.errors import InvalidInput
from bikecast.core.jobs import JobState, JobStatus, current_attempt, job_base_name
from resources.lake.adls import AdlsLake
from resources.spark.batch_jobs import BatchJobs
from resources.spark.livy import Batches
from resources.spark.port import Preparation, PreparedTable, ScoredTable, ScoringJob
from resources.spark.remote_jobs import RemoteJobs


class SynapseSpark(ConfigurableResource):
    """Prepares tables by Livy batches; implements the port Spark.

    A batch's name is a hash of CSV, spec and code with an attempt number, so a run that starts
    again finds the batch of the first; `resources.spark.submissions` sees to it that a name is
    submitted once.
    """

    workspace: str
    pool: str
    lake: AdlsLake
    workspace_id: str = Field(default="", description="Resource id of the workspace, for links.")
    executors: int = Field(default=2, ge=1, description="Executors a batch.")
    cores: int = Field(default=4, ge=1, description="Cores of the driver and of each executor.")
    memory: str = Field(default="28g", description="Memory of the driver and of each executor.")
    lag_seconds: float = Field(
        default=120.0, ge=0, description="How far Livy's list may lag behind a submission."
    )
    limit_seconds: float = Field(
        default=7200.0, gt=0, description="A batch that is older is canceled and reported."
    )

    def prepare(self, preparation: Preparation) -> PreparedTable | JobStatus:
        """Make the table, or attach to the batch that makes it.

        Returns the batch's status while it runs. An input whose table is there already starts
        nothing. A failed batch is raised once; the call after that starts the next attempt.
        Raises InvalidInput for a CSV without the columns or without a usable row, BikecastError
        where the batch failed or Synapse refuses it.
        """
        spec = preparation.spec
        header, identity = self._input(preparation)
        committed = self._commit(preparation.table_path)
        if committed.get("input") == identity:
            if preparation.job_id is not None:
                self._jobs.show_log(preparation.job_id)
            return self._prepared(preparation, committed | {"changed": False})
        with self._jobs.refused(spec.training_table):
            if preparation.job_id is not None:
                status = self.status(preparation.job_id)
                if not status.state.is_terminal:
                    return status
                if status.state is not JobState.COMPLETED:
                    self._jobs.raise_failed(preparation.job_id, spec.training_table)
            attempt = current_attempt(identity, self.status)
            if attempt.status is not None and attempt.status.state is not JobState.COMPLETED:
                return attempt.status
            if attempt.status is not None:
                self._jobs.show_log(attempt.job_id)
                outcome = self._jobs.outcome(attempt.job_id)
                committed = self._commit(preparation.table_path)
                if outcome["data_version"] == committed.get("data_version"):
                    return self._prepared(preparation, outcome)
                # Another input replaced the table since.
                return self._submit(preparation, header, identity, attempt.number + 1, committed)
            if attempt.number > 1:
                self._jobs.raise_once(f"{identity}-{attempt.number - 1}", spec.training_table)
            return self._submit(preparation, header, identity, attempt.number, committed)

    def score(self, job: ScoringJob) -> ScoredTable | JobStatus:
        """Score by a batch, or attach to the batch that scores; see the port.

        Raises InvalidInput for rows that are not there, BikecastError where the batch failed
        (once; the call after that starts the next attempt) or Synapse refuses it.
        """
        from resources.spark.synapse_scoring import score

        with self._jobs.refused(job.spec.predictions_table):
            return score(self._jobs, job)

    def status(self, job_id: str) -> JobStatus:
        """Poll a batch by its name; an unknown name is NotFound.

        A batch over its limit, and twins of one name, are canceled.
        Raises BikecastError where Synapse refuses.
        """
        return self._jobs.status(job_id)

    def cancel(self, job_id: str) -> JobStatus:
        """Ask Livy to end a batch, unless it has ended; raises BikecastError where it refuses.

        Whoever asked knows of its end: the next `prepare` starts the next attempt without a word.
        """
        return self._jobs.cancel(job_id)

    @property
    def _jobs(self) -> RemoteJobs:
        return BatchJobs(
            lake=self.lake,
            batches=Batches(self.workspace, self.pool, self.workspace_id),
            executors=self.executors,
            cores=self.cores,
            memory=self.memory,
            lag_seconds=self.lag_seconds,
            limit_seconds=self.limit_seconds,
        )

    def _input(self, preparation: Preparation) -> tuple[list[str], str]:
        """The CSV's column names, and the name of what is asked for."""
        from bikecast.core.spec_json import spec_to_json
        from resources.lake.dialect import header_of
        from resources.spark.shipping import job_code

        spec, path = preparation.spec, preparation.csv_path
        stored = self.lake.stat(path)
        if stored is None:
            raise InvalidInput(f"there is no file {path} in the lake")
        with self.lake.local_copy(path) as copy:
            names = header_of(copy, spec.training_columns, path)
        identity = job_base_name(
            spec.training_table,
            csv=stored.digest,
            spec=spec_to_json(spec),
            table=preparation.table_path,
            code=job_code().digest,
        )
        return names, identity

    def _submit(
        self,
        preparation: Preparation,
        header: list[str],
        identity: str,
        number: int,
        committed: dict[str, Any],
    ) -> JobStatus:
        from bikecast.core.spec_json import spec_to_json
        from resources.spark.shipping import job_code

        job = {
            "spec": spec_to_json(preparation.spec),
            "header": header,
            "input": identity,
            "current": committed.get("data_version", ""),
            "formula": committed.get("formula", ""),
        }
        paths = [preparation.csv_path, preparation.table_path]
        return self._jobs.start(f"{identity}-{number}", job_code(), job, paths)

    def _commit(self, path: str) -> dict[str, Any]:
        """The outcome that the table's current commit holds; empty without a table of ours."""
        from resources.lake.parquet_folders import latest_commit

        commit = latest_commit(self.lake, path)
        if commit is None:
            return {}
        try:
            outcome = {**json.loads(commit.properties["userMetadata"])}
        except (KeyError, TypeError, ValueError):
            outcome = {}
        return outcome | {"delta_version": commit.version}

    def _prepared(self, preparation: Preparation, outcome: dict[str, Any]) -> PreparedTable:
        version = outcome.get("delta_version")
        if version is None:
            version = self._commit(preparation.table_path)["delta_version"]
        return PreparedTable(
            name=preparation.spec.training_table,
            path=preparation.table_path,
            rows=int(outcome["rows"]),
            data_version=str(outcome["data_version"]),
            delta_version=int(version),
            changed=bool(outcome["changed"]),
            dropped_rows=int(outcome["dropped_rows"]),
            findings=tuple(outcome["findings"]),
        )
