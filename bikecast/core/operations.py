"""How a model is looked after: when it is trained and scored, when it is late, when checks warn."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Hours; the shortest that Dagster watches, and ten years.
_MINUTE, _MOST_HOURS = 1 / 60, 24 * 3660


@dataclass(frozen=True)
class Schedules:
    """When a model is trained and scored once its schedules are switched on: cron expressions."""

    retrain: str = "0 3 * * 1"
    score: str = "0 5 * * *"
    timezone: str = "UTC"
    retrain_name: str = "scheduled_retraining"
    score_name: str = "scheduled_scoring"
    recent_hours: float = 7 * 24 - 1
    """A training this young makes the scheduled one needless: new data was trained on before."""

    def __post_init__(self) -> None:
        if not 0 <= self.recent_hours <= _MOST_HOURS:
            raise ValueError(f"recent_hours is {self.recent_hours:g}, not 0 to {_MOST_HOURS}")


@dataclass(frozen=True)
class Freshness:
    """How old assets may get, in hours, before they show as late, and when that is warned of."""

    trained_hours: float = 15 * 24
    trained_warning_hours: float = 8 * 24
    scored_hours: float = 3 * 24
    scored_warning_hours: float = 26

    def __post_init__(self) -> None:
        for kind in ("trained", "scored"):
            late, warning = getattr(self, f"{kind}_hours"), getattr(self, f"{kind}_warning_hours")
            if not _MINUTE <= warning < late <= _MOST_HOURS:
                raise ValueError(
                    f"{kind}_warning_hours is {warning:g} and {kind}_hours {late:g}: the first is "
                    f"a minute at least and below the second, which is {_MOST_HOURS} at most"
                )


@dataclass(frozen=True)
class Thresholds:
    """From where on a check warns, and when a new version is better."""

    drift_psi: float = 0.25
    """Population stability index of a feature that has drifted."""
    far_above: float = 3.0
    """A prediction this many times the largest known target is not plausible."""
    min_gain: float = 0.01
    """A smaller change of RMSE, relative to the live version's, is none."""
    min_spearman: float = 0.1
    """Rank correlation on rows held back that a new version needs at least."""
    max_segment_loss: float = 0.25
    """How much larger than the live version's the RMSE of a segment may be, relatively."""

    def __post_init__(self) -> None:
        if not -1 <= self.min_spearman <= 1:
            raise ValueError(f"min_spearman is {self.min_spearman:g}, not -1 to 1")
        for name in ("drift_psi", "far_above", "min_gain", "max_segment_loss"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name):g}, not a number from 0 on")
