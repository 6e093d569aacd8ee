"""Spark over Spark Connect, or in a JVM: the local environment's adapter of the port Spark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dagster import ConfigurableResource
from pydantic import Field

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.jobs import JobState, JobStatus
from resources.lake.local import lake_path
from resources.spark.errors import cause, spark_errors
from resources.spark.port import Preparation, PreparedTable, ScoredTable, ScoringJob

if TYPE_CHECKING:
    import pyarrow as pa

    from bikecast.core.spec import ModelSpec


class ConnectSpark(ConfigurableResource):
    """Prepares tables in a lake folder that this process and the engine both see.

    The engine reads, casts and cleans; the result comes here as Arrow, is hashed, and is
    committed by the `deltalake` package. So exactly what was hashed is committed, in the same
    way for every engine: a JVM session has no Delta writer without a downloaded jar, and Sail
    0.7 does not read back a Delta table in a folder whose name has a blank or an umlaut. The
    price is that the table passes through this process (about 60 bytes a row and column).
    """

    remote: str = Field(
        default="",
        description='"" for the embedded server, an sc:// URL, or local[*] for a JVM session.',
    )
    lake_root: str = Field(description="The lake's folder.")

    def prepare(self, preparation: Preparation) -> PreparedTable:
        """Make or renew the spec's training table; an unchanged table is not written.

        The same CSV, spec and code start no engine where the table is still the one they made.
        Raises InvalidInput for a CSV that breaks the schema or leaves no usable row, and
        BikecastError where the engine or the disk fails. The old table stays in each case.
        """
        from resources.spark.delta_table import canonical, commit_table
        from resources.spark.preparations import input_of, record, recorded

        spec = preparation.spec
        csv_file = lake_path(self.lake_root, preparation.csv_path)
        if not csv_file.is_file():
            raise InvalidInput(f"there is no file {preparation.csv_path} in the lake")
        place = lake_path(self.lake_root, preparation.table_path)
        input_name = input_of(preparation, csv_file, self.remote)
        current = recorded(place, input_name)
        if current is not None:
            return current
        rows_read, findings, table = self._transformed(csv_file, spec, preparation.csv_path)
        if not table.num_rows:
            raise InvalidInput(
                f"{preparation.csv_path}: no usable row is left of {rows_read:,}; "
                f"{spec.training_table} is unchanged"
            )
        committed = commit_table(place, canonical(table, spec))
        dropped = rows_read - table.num_rows
        if dropped:
            findings += (f"{spec.training_table}: {dropped:,} of {rows_read:,} rows left out",)
        prepared = PreparedTable(
            name=spec.training_table,
            path=preparation.table_path,
            rows=table.num_rows,
            data_version=committed.data_version,
            delta_version=committed.delta_version,
            changed=committed.changed,
            dropped_rows=dropped,
            findings=findings,
        )
        if input_of(preparation, csv_file, self.remote) == input_name:  # nobody replaced the CSV
            record(place, input_name, prepared)
        return prepared

    def score(self, job: ScoringJob) -> ScoredTable:
        """Score by `mapInArrow` in the engine's workers; see the port. Each call scores.

        Raises InvalidInput for rows that are not there or lack a feature, and BikecastError
        where a value of a feature is missing, or engine or disk fail. The old table stays.
        """
        from resources.lake.local import LocalLake
        from resources.spark.connect_scoring import score
        from resources.spark.sessions import session_for

        reads_delta = not self.remote.startswith("local")
        lake = LocalLake(root=self.lake_root)
        return score(session_for(self.remote), lake, job, reads_delta=reads_delta)

    def status(self, job_id: str) -> JobStatus:
        """There are no jobs here: tables are made while `prepare` and `score` are called."""
        return JobStatus(job_id, JobState.NOT_FOUND)

    def cancel(self, job_id: str) -> JobStatus:
        """There is nothing to cancel, see `status`."""
        return self.status(job_id)

    def _transformed(
        self, csv_file: Path, spec: ModelSpec, shown: str
    ) -> tuple[int, tuple[str, ...], pa.Table]:
        """Rows read, findings about them, and the training table."""
        from resources.lake.dialect import header_of
        from resources.lake.findings import suspicious_findings
        from resources.spark.sessions import session_for
        from resources.spark.transform import read_raw, training_table

        names = header_of(csv_file, spec.training_columns, shown)
        session = session_for(self.remote)
        try:
            raw = read_raw(session, str(csv_file), names, spec)
            table: pa.Table = training_table(raw, spec).toArrow()
            if spec.suspicious_treatment == "flag":
                return raw.count(), suspicious_findings(table, spec), table
            # What the treatment removed can only be seen in the rows before it.
            before = raw.toArrow()
        except spark_errors() as error:
            raise BikecastError(
                f"Spark cannot prepare {shown}: {cause(error)}. {spec.training_table} is unchanged"
            ) from error
        return before.num_rows, suspicious_findings(before, spec), table
