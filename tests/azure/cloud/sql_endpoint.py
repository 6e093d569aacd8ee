"""The SQL pool's own endpoint: TDS in front of the embedded pool, by the rules of the cloud."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import time
from pathlib import Path

import trustme

from bikecast.embedded.sql_pool import SqlError, serve
from tests.azure.cloud.cloud import Cloud
from tests.unit.tds.deadlocks import Deadlocks

AUDIENCE = "https://database.windows.net"
#: https://learn.microsoft.com/azure/synapse-analytics/sql-data-warehouse/sql-data-warehouse-troubleshoot
PAUSED = SqlError(
    42108,
    "Can not connect to the SQL pool since it is paused. Please resume the SQL pool and try again.",
)
WARMING_UP = SqlError(42109, "The SQL pool is warming up. Please try again.")


class TokenLogins:
    """Lets in who has a token of this cloud for databases, while the pool is online."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.answers: list[Exception | float] = []
        """Errors that the next logins get, whatever the pool's state; a ConnectionError drops
        the connection, and a number leaves it without an answer for so many seconds."""
        self.accepted = 0

    def accept(self, login) -> bool:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        time.sleep(answer or 0)
        state = self._cloud.sql_pools.state()
        if state != "Online":
            raise WARMING_UP if state == "Resuming" else PAUSED
        good = login.database == self._cloud.sql_pools.name and self._is_good(login.token)
        self.accepted += good
        if good:
            # The embedded pool has one database, whatever the pool is called in the cloud.
            object.__setattr__(login, "database", "")
        return good

    def _is_good(self, token: str | None) -> bool:
        if token is None:
            return False
        claims = token.split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return told["aud"] == AUDIENCE and told["tid"] == self._cloud.login.tenant


@contextlib.contextmanager
def sql_endpoint(
    cloud: Cloud, ca: trustme.CA, host: str, folder: Path, *, account: str, container: str
):
    """Serve the pool on 127.0.0.1 with a certificate for `host`.

    COPY INTO reads the files of the cloud's storage by their Azure URLs. The logins are
    `cloud.sql_logins`, and `cloud.sql_pool` takes deadlocks.
    """
    lake = folder / "lake"
    lake.mkdir()
    cloud.storage.mirror = (account, container, lake)
    cloud.sql_pool = pool = Deadlocks(
        folder / "pool.duckdb",
        lake,
        lake_url=f"https://{account}.dfs.core.windows.net/{container}",
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    ca.issue_cert(host).configure_cert(context)
    cloud.sql_logins = TokenLogins(cloud)
    with serve(pool, "127.0.0.1", 0, cloud.sql_logins, context=context) as server:
        yield server
