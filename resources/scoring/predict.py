"""Scoring by T-SQL PREDICT, in the pool."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bikecast.core.spec import ModelSpec
from bikecast.core.sql import SqlError
from resources.scoring.port import MOST_ROWS, Scored
from resources.sql_pool.port import SqlPool

if TYPE_CHECKING:
    from resources.sql_pool.model_table import LiveVersion

NO_MODEL = 51000
_NO_PROCEDURE = 2812
#: The pool's own state, not PREDICT: paused, warming up, busy, its firewall, a deadlock, a timeout,
#: no answer.
_POOL_ERRORS = frozenset({42108, 42109, 40613, 40615, 1205, 1222, 18456, -2, 0})


@dataclass(frozen=True)
class PredictScoring:
    """Scores the pool's scoring table by the procedures that the pool has."""

    pool: SqlPool
    reason: str = "PREDICT is the way that the settings name"
    needs_predict = True

    def score(self, spec: ModelSpec, *, run_id: str) -> Scored:
        """Have the pool score beside the stored predictions, which stay as they are.

        Raises SqlError, with the setting that helps where PREDICT may refuse the model.
        """
        live = require_live(self.pool, spec)
        try:
            count, rows = self._staged(spec, run_id)
        except SqlError as error:
            if not _may_be_refusal(error):
                raise
            raise SqlError(
                error.number,
                f"{error.message.rstrip('. ')}. {spec.predictions_table} is unchanged. If PREDICT "
                "does not take this model, set BIKECAST_SCORING to auto: Spark scores it then",
            ) from error
        return Scored(
            way="predict",
            reason=self.reason,
            model_version=live.version,
            rows=rows,
            count=count,
            run_id=run_id,
            version=run_id if count > MOST_ROWS else "",
        )

    def _staged(self, spec: ModelSpec, run_id: str) -> tuple[int, list[dict[str, object]]]:
        """The number of scored rows and the first ones, by procedures that are made if need be."""
        from resources.sql_pool.deployment import create_procedures, stage_predictions

        stage = partial(stage_predictions, self.pool, spec, run_id=run_id, limit=MOST_ROWS)
        try:
            return stage()
        except SqlError as error:
            if error.number != _NO_PROCEDURE:
                raise
        create_procedures(self.pool, spec)  # those of the version before score in one step
        return stage()

    def store(self, spec: ModelSpec, scored: Scored) -> list[dict[str, object]]:
        """Exchange the stored predictions for those that were scored."""
        from resources.sql_pool.deployment import save_predictions

        return save_predictions(self.pool, spec, run_id=scored.run_id, limit=MOST_ROWS)


def predict_refusal(pool: SqlPool, spec: ModelSpec) -> str:
    """Why PREDICT cannot score with the live model, in the pool's words; empty where it can.

    One row is scored. Raises SqlError where the pool does not answer, or lacks a live model or
    the rows to score.
    """
    from resources.sql_pool.deployment import probe_predict

    require_live(pool, spec)
    try:
        probe_predict(pool, spec)
    except SqlError as error:
        if not _may_be_refusal(error):
            raise
        return str(error)
    return ""


def _may_be_refusal(error: SqlError) -> bool:
    """Whether an error may be PREDICT's own; Synapse publishes the numbers of only a few."""
    from resources.sql_pool.deployment import INVALID_OBJECT

    return error.number not in {*_POOL_ERRORS, INVALID_OBJECT, NO_MODEL}


def require_live(pool: SqlPool, spec: ModelSpec) -> LiveVersion:
    """The live version; raises SqlError 51000 where there is none, as the procedures do."""
    from resources.sql_pool.model_table import live_model

    live = live_model(pool, spec)
    if live is None:
        raise SqlError(
            NO_MODEL,
            f"No model is live in {spec.schema}.{spec.model_table}. Publish one, then score again.",
        )
    return live
