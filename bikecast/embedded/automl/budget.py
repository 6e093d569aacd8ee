"""The budget of a job is a ceiling: when the search must stop so that the rest still fits in.

Small tables complete their whole plan long before it. Only near the ceiling, and for large tables,
are seconds reckoned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bikecast.embedded.automl import awake
from bikecast.embedded.automl.trials import Trial

#: Seconds kept for choosing, exporting, the parity gate, the honest scores and the plots.
EXPORT_SECONDS = 2.2
#: That is on an idle machine; trials that wait for a processor raise it, by this factor at most.
MAX_WAITING = 4.0
#: Less processor time than this tells nothing of waiting.
MIN_WORKED = 0.3
#: Members of an ensemble that the time of the last refits is reckoned for, the slowest ones.
EXPECTED_MEMBERS = 4
#: A job keeps at least this share of its time for what follows the search; at most these for what
#: follows the last fits and, of the rest, for the last fits.
MIN_RESERVE, MAX_TAIL, MAX_REFITS = 0.15, 0.6, 0.5
#: Of a large table: what the race on a sample, and then the one on all rows, may take of the time
#: that is left, and what the race takes where it is on all rows at once. The last fits see all
#: rows too, so much of the time is theirs.
SAMPLE_SHARE = 0.35
ALL_ROWS_SHARE = 0.4
ONE_SPLIT_SHARE = 0.6


@dataclass(frozen=True)
class Clock:
    """The budget of a job on `workers` processes."""

    deadline: float
    """A value of `awake.now()` at which all should be done."""
    after_seconds: float = 0.0
    """Kept for what the caller does after the build, on an idle machine."""
    workers: int = 2
    refits: int = 3
    """Fits of each member of the recipe after the search: on all rows and for each score."""

    def left(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self.deadline - awake.now())

    def tail(self, trials: Sequence[Trial]) -> float:
        """Seconds that what follows the last fits takes, as busy as the machine is."""
        clock = sum(trial.worked[0] for trial in trials)
        processor = sum(trial.worked[1] for trial in trials)
        busy = clock / processor if processor >= MIN_WORKED else 1.0
        return min(MAX_WAITING, max(1.0, busy)) * (EXPORT_SECONDS + self.after_seconds)

    def time_for_fits(self, trials: Sequence[Trial]) -> float:
        """Seconds left for the search and the last fits."""
        return max(0.0, self.left() - self.tail(trials))

    def refit_seconds(self, trials: Sequence[Trial], rows: int) -> float:
        """Expected seconds of the last fits of these trials together, on so many rows."""
        rounds = -(-self.refits // self.workers)
        return rounds * sum(trial.seconds_for(rows) for trial in trials)

    def search_deadline(
        self, trials: Sequence[Trial], members: Sequence[Trial], rows: int, left: float
    ) -> float:
        """When the search must stop so that the last fits of the slowest `members` still fit in.

        `left` are the seconds that were left when this part of the search began: what is kept is a
        share of them at least and at most.
        """
        slowest = sorted((trial.seconds_for(rows) for trial in members), reverse=True)
        refits = self.refits * sum(slowest[:EXPECTED_MEMBERS]) / self.workers
        tail = min(self.tail(trials), MAX_TAIL * left)
        reserve = tail + min(refits, MAX_REFITS * (left - tail))
        return self.deadline - max(reserve, MIN_RESERVE * left)

    def share_deadline(self, share: float, trials: Sequence[Trial]) -> float:
        """When a phase must stop that may take this share of the time for fits."""
        return awake.now() + share * self.time_for_fits(trials)
