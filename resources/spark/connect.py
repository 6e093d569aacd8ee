"""Spark over Spark Connect, or in a JVM: the local environment's adapter of the port Spark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from pydantic import Field

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.jobs import JobState, JobStatus
from resources.adapter import Adapter
from resources.lake.local import lake_path
from resources.spark.errors import cause, spark_errors
from resources.spark.port import Preparation, PreparedTable, ScoredTable, ScoringJob


class ConnectSpark(Adapter):
    """Prepares tables in a lake folder that this process and the engine both see.

    The engine's workers read, cast, clean and write Parquet below the table's folder; the data
    version, counts and findings are its answers. Only the commit passes through this process, by
    the `deltalake` package: a JVM session has no Delta writer without a downloaded jar, and Sail
    0.7 does not read back a Delta table in a folder whose name has a blank or an umlaut.
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
        from resources.spark.preparations import input_of, record, recorded

        csv_file = lake_path(self.lake_root, preparation.csv_path)
        if not csv_file.is_file():
            raise InvalidInput(f"there is no file {preparation.csv_path} in the lake")
        place = lake_path(self.lake_root, preparation.table_path)
        input_name = input_of(preparation, csv_file, self.remote)
        current = recorded(place, input_name)
        if current is not None:
            return current
        prepared = self._prepared(preparation, csv_file, place)
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

    def _prepared(self, preparation: Preparation, csv_file: Path, place: Path) -> PreparedTable:
        """Have the engine write the table's files, look at them and commit them."""
        from bikecast.core.sql_types import arrow_schema
        from resources.lake.dialect import header_of
        from resources.lake.local import LocalLake
        from resources.lake.parquet_folders import local_files
        from resources.spark.content import content_of
        from resources.spark.delta_table import PREPARED, commit_folder
        from resources.spark.scoring import write_folder
        from resources.spark.sessions import session_for
        from resources.spark.transform import read_raw, suspicious_rows, training_table

        spec, shown = preparation.spec, preparation.csv_path
        names = header_of(csv_file, spec.training_columns, shown)
        session = session_for(self.remote)
        folder = f"{PREPARED}{uuid4().hex}"
        try:
            with _removed_on_failure(place / folder):
                raw = read_raw(session, str(csv_file), names, spec)
                write_folder(training_table(raw, spec), str(place / folder))
                files = local_files(place, folder, arrow_schema(spec.training_columns))
                rows = sum(file.rows or 0 for file in files)
                # Where rows are treated, what was removed is only seen in the rows before it.
                treats = spec.suspicious_treatment != "flag"
                read = raw.count() if treats or not rows else rows
                if not rows:
                    raise InvalidInput(
                        f"{shown}: no usable row is left of {read:,}; "
                        f"{spec.training_table} is unchanged"
                    )
                written = session.read.parquet(str(place / folder))
                content = content_of(written, spec.training_columns)
                findings = suspicious_rows(raw if treats else written, spec)
                committed = commit_folder(
                    LocalLake(root=self.lake_root),
                    preparation.table_path,
                    place,
                    folder,
                    spec.training_columns,
                    content,
                    lambda files: content_of(session.read.parquet(*files), spec.training_columns),
                )
        except spark_errors() as error:
            raise BikecastError(
                f"Spark cannot prepare {shown}: {cause(error)}. {spec.training_table} is unchanged"
            ) from error
        dropped = read - content.rows
        if dropped:
            findings += (f"{spec.training_table}: {dropped:,} of {read:,} rows left out",)
        return PreparedTable(
            name=spec.training_table,
            path=preparation.table_path,
            rows=content.rows,
            data_version=committed.data_version,
            delta_version=committed.delta_version,
            changed=committed.changed,
            dropped_rows=dropped,
            findings=findings,
        )


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    """Remove a folder, and the one it is in where that is empty, unless the block succeeds."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()
        raise
