"""The embedded dedicated SQL pool as a Dagster resource: T-SQL and PREDICT in one file."""

from __future__ import annotations

from contextlib import AbstractContextManager

import dagster as dg
from pydantic import Field

from bikecast.embedded.sql_pool import Pool, Session


class EmbeddedSqlPool(dg.ConfigurableResource):
    """`bikecast.embedded.sql_pool` as an adapter of `resources.sql_pool.port.SqlPool`."""

    path: str = Field(description="The pool's file; it is made where it is missing.")
    lake_root: str = Field(description="The folder that COPY INTO may read.")

    @property
    def pool(self) -> Pool:
        """The pool of these settings."""
        return Pool(self.path, self.lake_root)

    def session(self) -> AbstractContextManager[Session]:
        """Open a session; see Pool.session."""
        return self.pool.session()
