"""Spark as batches on a Synapse Spark pool."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource
from pydantic import Field

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.jobs import JobState, JobStatus, current_attempt, job_base_name
from resources.azure.refusals import refusal
from resources.lake.adls import AdlsLake
from resources.spark.livy import Batches
from resources.spark.port import Preparation, PreparedTable, ScoredTable, ScoringJob
from resources.spark.submissions import Submissions

if TYPE_CHECKING:
    from resources.spark.shipping import Code

_FOLDER = "jobs/spark"


class SynapseSpark(ConfigurableResource):
    """Prepares tables by Livy batches; implements the port Spark.

    A batch's name is a hash of CSV, spec and code with an attempt number, so a run that starts
    again finds the batch of the first; `resources.spark.submissions` sees to it that a name is
    submitted once.
    """

    workspace: str
    pool: str
    lake: AdlsLake
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
        from azure.core.exceptions import AzureError

        spec = preparation.spec
        header, identity = self._input(preparation)
        committed = self._commit(preparation.table_path)
        if committed.get("input") == identity:
            return self._prepared(preparation, committed | {"changed": False})
        try:
            if preparation.job_id is not None:
                asked = self.status(preparation.job_id)
                if not asked.state.is_terminal:
                    return asked
                if asked.state is not JobState.COMPLETED:
                    self._raise_failed(preparation.job_id, spec.training_table)
            attempt = current_attempt(identity, self.status)
            if attempt.status is not None and attempt.status.state is not JobState.COMPLETED:
                return attempt.status
            if attempt.status is not None:
                outcome = self.outcome(attempt.job_id)
                committed = self._commit(preparation.table_path)
                if outcome["data_version"] == committed.get("data_version"):
                    return self._prepared(preparation, outcome)
                # Another input replaced the table since.
                return self._submit(preparation, header, identity, attempt.number + 1, committed)
            if attempt.number > 1:
                self.raise_once(f"{identity}-{attempt.number - 1}", spec.training_table)
            return self._submit(preparation, header, identity, attempt.number, committed)
        except AzureError as error:
            raise self._refused(error, spec.training_table) from error

    def score(self, job: ScoringJob) -> ScoredTable | JobStatus:
        """Score by a batch, or attach to the batch that scores; see the port.

        Raises InvalidInput for rows that are not there, BikecastError where the batch failed
        (once; the call after that starts the next attempt) or Synapse refuses it.
        """
        from azure.core.exceptions import AzureError

        from resources.spark.synapse_scoring import score

        try:
            return score(self, self.lake, job)
        except AzureError as error:
            raise self._refused(error, job.spec.predictions_table) from error

    def status(self, job_id: str) -> JobStatus:
        """Poll a batch by its name; an unknown name is NotFound.

        A batch over its limit, and twins of one name, are canceled.
        Raises BikecastError where Synapse refuses.
        """
        from azure.core.exceptions import AzureError

        try:
            return self._submissions.status(job_id)
        except AzureError as error:
            raise self._refused(error) from error

    def cancel(self, job_id: str) -> JobStatus:
        """Ask Livy to end a batch, unless it has ended; raises BikecastError where it refuses.

        Whoever asked knows of its end: the next `prepare` starts the next attempt without a word.
        """
        from azure.core.exceptions import AzureError

        try:
            status = self.status(job_id)
            if not status.state.is_terminal:
                status = self._submissions.cancel(job_id)
                self._write(_told(job_id), b"told\n")
        except AzureError as error:
            raise self._refused(error) from error
        return status

    def _refused(self, error: Exception, table: str = "") -> BikecastError:
        return refusal(
            error,
            f"the Spark pool {self.pool} of {self.workspace} refuses",
            role="Synapse Compute Operator",
            scope=self.workspace,
            unchanged=f"{table} is unchanged" if table else "",
        )

    @property
    def _submissions(self) -> Submissions:
        batches = Batches(self.workspace, self.pool)
        return Submissions(batches, self.lake, _FOLDER, self.lag_seconds, self.limit_seconds)

    def _input(self, preparation: Preparation) -> tuple[list[str], str]:
        """The CSV's column names, and the name of what is asked for."""
        from bikecast.core.spec_json import spec_to_json
        from resources.lake.csv_problems import check_required, read_header
        from resources.spark.shipping import job_code

        spec, path = preparation.spec, preparation.csv_path
        stored = self.lake.stat(path)
        if stored is None:
            raise InvalidInput(f"there is no file {path} in the lake")
        with self.lake.local_copy(path) as copy:
            names = read_header(copy, path)
        check_required(names, [column.name for column in spec.training_columns], path)
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
        }
        paths = [preparation.csv_path, preparation.table_path]
        return self.start(f"{identity}-{number}", job_code(), job, paths)

    def start(self, name: str, code: Code, job: dict[str, Any], paths: Sequence[str]) -> JobStatus:
        """Submit a batch of this name.

        Its arguments are the URLs of the file with `job`, of `paths`, and of its result.
        """
        main, modules = f"{_FOLDER}/code/{code.digest}.py", f"{_FOLDER}/code/{code.digest}.zip"
        self._write(main, code.main)
        self._write(modules, code.modules)
        self._write(f"{_FOLDER}/{name}/job.json", json.dumps(job).encode())
        arguments = [f"{_FOLDER}/{name}/job.json", *paths, f"{_FOLDER}/{name}/result"]
        submissions = self._submissions
        start = partial(
            submissions.batches.submit,
            name,
            file=self.lake.url(main),
            modules=self.lake.url(modules),
            arguments=[self.lake.url(path) for path in arguments],
            executors=self.executors,
            cores=self.cores,
            memory=self.memory,
        )
        return submissions.submit(name, start)

    def raise_once(self, name: str, table: str) -> None:
        """Raise the error of a failed batch, unless an earlier call did."""
        if self.lake.stat(_told(name)) is None:
            self._raise_failed(name, table)

    def _raise_failed(self, name: str, table: str) -> None:
        """Raise the error of a batch that failed, was canceled or is lost."""
        status = self.status(name)
        try:
            reason = str(self.outcome(name)["error"])
        except BikecastError:
            reason = ""
        self._write(_told(name), b"told\n")
        kind = InvalidInput if reason else BikecastError
        why = reason or status.error or "Livy does not list it any more"
        see = f" See {status.link}" if status.link else ""
        raise kind(
            f"Spark batch {name} is {status.state}: {why}. {table} is unchanged; run again for "
            f"the next attempt.{see}"
        )

    def outcome(self, name: str) -> dict[str, Any]:
        """What the batch of a name wrote at its end."""
        from deltalake.exceptions import TableNotFoundError

        from resources.lake.tables import read_rows

        try:
            [row] = read_rows(self.lake, f"{_FOLDER}/{name}/result", limit=1)
        except TableNotFoundError as error:
            raise BikecastError(f"Spark batch {name} left no result in the lake") from error
        return dict(json.loads(str(row["outcome"])))

    def _commit(self, path: str) -> dict[str, Any]:
        """The outcome that the table's current commit holds; empty without a table of ours."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            table = DeltaTable(self.lake.url(path), storage_options=self.lake.table_options())
        except TableNotFoundError:
            return {}
        version = table.version()
        with self.lake.open(f"{path}/_delta_log/{version:020}.json") as file:
            actions = [json.loads(line) for line in file.read().splitlines() if line.strip()]
        told: dict[str, Any] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
        try:
            return {**json.loads(told["userMetadata"]), "delta_version": version}
        except (KeyError, TypeError, ValueError):
            return {"delta_version": version}

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

    def _write(self, path: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
            file = Path(folder) / "file"
            file.write_bytes(content)
            self.lake.put(path, file)


def _told(name: str) -> str:
    """The lake path of the mark that a batch's failure was reported."""
    return f"{_FOLDER}/{name}/told"
