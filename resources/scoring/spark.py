"""Scoring on Spark: the registered model by `mapInArrow`, the rows from the lake."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bikecast.core.errors import BikecastError
from bikecast.core.files import temporary_file
from bikecast.core.jobs import JobStatus
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake
from resources.registry.port import Registry
from resources.scoring.port import MOST_ROWS, Scored
from resources.scoring.predict import require_live
from resources.spark.port import ScoredTable, ScoringJob, Spark, Stamp
from resources.sql_pool.port import SqlPool

if TYPE_CHECKING:
    from resources.sql_pool.model_table import LiveVersion


@dataclass(frozen=True)
class SparkScoring:
    """Scores a Delta table, or the staged scoring file, and loads the result into the pool.

    `rows_paths` has the lake path of the Delta table by the model's name; a model that is not there
    has the scoring file's rows.
    """

    lake: Lake
    registry: Registry
    spark: Spark
    pool: SqlPool
    rows_paths: Mapping[str, str] = field(default_factory=dict)
    reason: str = "Spark is the way that the settings name"
    needs_predict = False

    def score(self, spec: ModelSpec, *, run_id: str) -> Scored | JobStatus:
        """Score by Spark's workers into a Delta table of the lake.

        Raises ModelRejected where the registered model is not safe to load.
        """
        live = require_live(self.pool, spec)
        job = ScoringJob(
            spec=spec,
            model_path=self._model_file(spec, live),
            model_digest=live.digest,
            rows_path=self.rows_paths.get(spec.name) or f"staging/{spec.scoring_table}.parquet",
            table_path=f"tables/{spec.predictions_table}",
            stamp=self._stamp(spec, live.version, run_id),
        )
        done = self.spark.score(job)
        if isinstance(done, JobStatus):
            return done
        return Scored(
            way="spark",
            reason=self.reason,
            model_version=live.version,
            rows=self._first_rows(done),
            count=done.rows,
            run_id=run_id,
            folder=done.folder,
            version=done.folder if done.rows > MOST_ROWS else "",
            details={
                "delta_table": done.path,
                "delta_version": done.delta_version,
                "scored_rows": job.rows_path,
            },
        )

    def store(self, spec: ModelSpec, scored: Scored) -> list[dict[str, object]]:
        """Load the scored files by COPY INTO."""
        from resources.sql_pool.deployment import load_predictions

        url = self.lake.copy_url(scored.folder)
        return load_predictions(self.pool, spec, url=url, limit=MOST_ROWS)

    def _model_file(self, spec: ModelSpec, live: LiveVersion) -> str:
        """Lake path of the live version's checked ONNX file."""
        from bikecast.core.onnx.contract import inspect_model, model_digest

        path = f"models/{live.digest}.onnx"
        stored = self.lake.stat(path)
        if stored is not None and stored.digest == live.digest:
            return path
        model = self.registry.download(spec.model_name, live.version)
        if model_digest(model) != live.digest:
            raise BikecastError(
                f"{spec.model_name} version {live.version} has other bytes in the registry than in "
                f"the pool. {spec.predictions_table} is unchanged; publish the version again"
            )
        inspect_model(model)
        with temporary_file(model) as file:
            self.lake.put(path, file)
        return path

    def _stamp(self, spec: ModelSpec, version: int, run_id: str) -> Stamp:
        """As the procedure with PREDICT stamps its rows: by the audit's entry of the version."""
        from resources.sql_pool.model_table import audit_trail

        entries = audit_trail(self.pool, spec)
        trained = [e for e in entries if e.to_version == version == e.candidate]
        return Stamp(
            model_version=version,
            data_version=trained[0].data_version if trained else "unknown",
            code_version=trained[0].code_version if trained else "unknown",
            run_id=run_id,
            predicted_at=dt.datetime.now(dt.UTC).isoformat(timespec="microseconds"),
        )

    def _first_rows(self, done: ScoredTable) -> list[dict[str, object]]:
        from resources.lake.tables import read_rows

        rows = read_rows(self.lake, done.path, limit=MOST_ROWS)
        return sorted(rows, key=lambda row: int(str(row["forecast_row"])))
