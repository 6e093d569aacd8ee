"""The embedded SQL pool as adapters: sessions, and a power switch that does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from pydantic import Field

from bikecast.core.jobs import JobState, JobStatus
from bikecast.embedded.sql_pool import Pool, Session
from resources.adapter import Adapter


class EmbeddedSqlPool(Adapter):
    """`bikecast.embedded.sql_pool` as an adapter of `resources.sql_pool.port.SqlPool`."""

    path: str = Field(description="The pool's file; it is made where it is missing.")
    lake_root: str = Field(description="The folder that COPY INTO may read.")
    database: str = Field("pool", description="The pool's name, which may stand before a schema's.")

    @property
    def pool(self) -> Pool:
        """The pool of these settings."""
        return Pool(self.path, self.lake_root, database=self.database)

    def session(self) -> AbstractContextManager[Session]:
        """Open a session; see Pool.session."""
        return self.pool.session()


class AlwaysOnline(Adapter):
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
