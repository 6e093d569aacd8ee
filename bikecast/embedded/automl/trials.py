"""Trials: how far each configuration has come in the search, and what a fit of it costs."""

from __future__ import annotations

from dataclasses import dataclass, field

from bikecast.embedded.automl.ensemble import Predictions
from bikecast.embedded.automl.portfolio import Configuration

#: Estimates of a fit's seconds on more rows are raised by this factor.
SLACK = 1.15
#: A fit's seconds grow with the rows by this power; 1 where a family is not named. A boosted tree
#: costs something whatever the rows: measured, .5 to .8.
GROWTH = {"gaussian_process": 3.0, "svr": 2.0, "lightgbm": 0.85}


@dataclass
class Trial:
    """One configuration's way through the race. `status`: pending, ok, raced, failed, skipped."""

    configuration: Configuration
    status: str = "pending"
    predictions: Predictions = field(default_factory=dict)
    seconds: float = 0.0
    mean: float = float("nan")
    deviation: float = float("nan")
    rmse: float = float("nan")
    r2: float = float("nan")
    error: str = ""
    fit_rows: int = 0
    """How many rows a fit of the last repeat saw."""
    fit_seconds: float = 0.0
    """Mean seconds of such a fit, on the clock."""
    worked: tuple[float, float] = (0.0, 0.0)
    """Seconds on the clock, and of them processor time, of the repeats for which both are known."""

    @property
    def left_out(self) -> bool:
        """True for a trial that the time did not suffice for; more time may take it up again."""
        return self.status in ("pending", "skipped") or "out of time" in self.error

    @property
    def scored(self) -> bool:
        """True for a trial that has predictions."""
        return bool(self.predictions)

    def seconds_for(self, rows: int) -> float:
        """Expected seconds of a fit on so many rows; only for a trial that has predictions."""
        power = GROWTH.get(self.configuration.family, 1.0)
        growth: float = max(1.0, rows / self.fit_rows) ** power
        return SLACK * self.fit_seconds * growth
