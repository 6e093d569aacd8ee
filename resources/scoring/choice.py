"""Which way is taken: PREDICT, Spark, or PREDICT where it can."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Literal

from bikecast.core.jobs import JobStatus
from bikecast.core.spec import ModelSpec
from resources.scoring.port import Scored
from resources.scoring.predict import PredictScoring, predict_refusal
from resources.scoring.spark import SparkScoring

Mode = Literal["predict", "spark", "auto"]
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChosenScoring:
    """Takes the way that `mode` names; implements the port Scoring.

    `auto` scores one row by PREDICT first. A Delta table that is larger than the scoring file
    (`rows_path` of the Spark way) can only be scored on Spark.
    """

    mode: Mode
    predict: PredictScoring
    spark: SparkScoring

    @property
    def needs_predict(self) -> bool:
        """Whether rows can be scored only where the pool has PREDICT."""
        return self.mode == "predict"

    def score(self, spec: ModelSpec, *, run_id: str) -> Scored | JobStatus:
        """Score on the chosen way, and log which one and why."""
        way = self._way(spec)
        _log.info("Scoring by %s: %s", _NAMES[type(way)], way.reason)
        return way.score(spec, run_id=run_id)

    def store(self, spec: ModelSpec, scored: Scored) -> list[dict[str, object]]:
        """Store on the way that scored."""
        way = self.spark if scored.way == "spark" else self.predict
        return way.store(spec, scored)

    def _way(self, spec: ModelSpec) -> PredictScoring | SparkScoring:
        if self.mode == "predict":
            return self.predict
        if self.mode == "spark":
            return self.spark
        if rows_path := self.spark.rows_paths.get(spec.name):
            reason = f"auto: PREDICT scores a table of the pool, not {rows_path}"
            return replace(self.spark, reason=reason)
        refusal = predict_refusal(self.predict.pool, spec)
        if refusal:
            return replace(self.spark, reason=f"auto: PREDICT cannot score: {refusal}")
        return replace(self.predict, reason="auto: PREDICT scores the live model")


_NAMES: dict[type, str] = {PredictScoring: "PREDICT in the pool", SparkScoring: "Spark"}
