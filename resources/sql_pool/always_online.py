"""The power switch of a pool that needs none: the embedded one."""

from __future__ import annotations

from collections.abc import Mapping

from dagster import ConfigurableResource

from bikecast.core.jobs import JobState, JobStatus


class AlwaysOnline(ConfigurableResource):
    """A pool that is always online and costs nothing; implements the port SqlPoolPower."""

    pool: str = "embedded"

    def status(self) -> JobStatus:
        """Online."""
        return JobStatus(self.pool, JobState.COMPLETED, progress={"status": "Online"})

    def acquire(self, holder: str) -> JobStatus:  # noqa: ARG002 # nobody has to wait
        """Online; there are no leases to keep."""
        return self.status()

    def release(self, holder: str) -> bool:  # noqa: ARG002 # nothing was taken
        """Nothing to pause."""
        return False

    def settle(self) -> bool:
        """Nothing is ever owed."""
        return False

    def leases(self) -> Mapping[str, float]:
        """None."""
        return {}
