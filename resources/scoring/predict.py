"""Scoring by T-SQL PREDICT, in the pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bikecast.core.spec import ModelSpec
from bikecast.core.sql import SqlError
from resources.scoring.port import MOST_ROWS, Scored
from resources.sql_pool.port import SqlPool

if TYPE_CHECKING:
    from resources.sql_pool.model_table import LiveVersion

NO_MODEL = 51000
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
        """Run the procedure with PREDICT; nothing is stored.

        Raises SqlError, with the setting that helps where PREDICT may refuse the model.
        """
        from resources.sql_pool.deployment import predicted_rows

        live = require_live(self.pool, spec)
        try:
            rows = predicted_rows(self.pool, spec)
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
            rows=rows[:MOST_ROWS],
            count=len(rows),
            run_id=run_id,
            version=run_id if len(rows) > MOST_ROWS else "",
        )

    def store(self, spec: ModelSpec, scored: Scored) -> list[dict[str, object]]:
        """Run the procedure that stores what PREDICT gives."""
        from resources.sql_pool.deployment import save_predictions

        return save_predictions(self.pool, spec, run_id=scored.run_id)[:MOST_ROWS]


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
