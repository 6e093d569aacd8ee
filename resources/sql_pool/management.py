"""Pause and resume of a dedicated SQL pool, with leases, so that an unused pool costs nothing."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource

from resources.azure_ml import first_line
from resources.credentials import TIMEOUTS, azure_credential
from resources.errors import BikecastError
from resources.jobs import JobState, JobStatus
from resources.lake.adls import AdlsLake, Conflict

if TYPE_CHECKING:
    from azure.mgmt.synapse import SynapseManagementClient

#: What a pool says of itself, by what it means for a run that waits until it is online.
STATES = {
    "Online": JobState.COMPLETED,
    "Paused": JobState.NOT_FOUND,
    **dict.fromkeys(("Pausing", "Resuming", "Scaling", "Creating"), JobState.RUNNING),
}
#: Writes of the leases before giving up; each conflict means that another process succeeded.
ATTEMPTS = 8
_LEASES = "jobs/sql_pool/{pool}.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leases:
    """Who uses the pool, and whether one of us resumed it."""

    holders: frozenset[str] = frozenset()
    resumed: bool = False

    @classmethod
    def parse(cls, text: bytes) -> Leases:
        """Read what `dump` wrote."""
        data: Mapping[str, Any] = json.loads(text)
        return cls(frozenset(data["holders"]), bool(data["resumed"]))

    def dump(self) -> bytes:
        """As JSON."""
        return json.dumps({"holders": sorted(self.holders), "resumed": self.resumed}).encode()


def _without(leases: Leases, holder: str) -> Leases:
    left = leases.holders - {holder}
    return Leases(left, leases.resumed and bool(left))


class SqlPoolPower(ConfigurableResource):
    """The power switch of a dedicated SQL pool.

    Leases are a file of the lake, written on the condition that nobody else wrote it meanwhile.
    A lease is taken before the pool is resumed, so a worker that dies in between leaves a lease
    and `resumed`, and the pool is paused when that lease is released.
    """

    subscription_id: str
    resource_group: str
    workspace: str
    pool: str
    lake: AdlsLake

    def status(self) -> JobStatus:
        """Whether the pool is online (Completed), paused (NotFound) or on its way (Running)."""
        told = self._told()
        state = STATES.get(told)
        if state is None:
            _log.warning("SQL pool %s has the unknown status %s; waiting", self.pool, told)
        return JobStatus(self.pool, state or JobState.RUNNING, progress={"status": told})

    def acquire(self, holder: str) -> JobStatus:
        """Take a lease, and ask for the pool to be resumed where it is paused.

        Returns at once. Repeat it until it is Completed: that changes nothing, except where a
        release paused the pool at the same moment, which is then resumed again.
        Raises BikecastError where Synapse refuses.
        """
        status = self.status()
        paused = status.state is JobState.NOT_FOUND
        # A pool that somebody else keeps online is not ours to pause.
        self._change(
            lambda now: Leases(
                now.holders | {holder}, paused or (now.resumed and bool(now.holders))
            )
        )
        if paused:
            self._begin("begin_resume")
            status = self.status()
        return status

    def release(self, holder: str) -> bool:
        """Give a lease back; pause the pool if we resumed it and no lease is left.

        Returns whether the pool was asked to pause. Raises BikecastError where Synapse refuses;
        the lease stays then, so that it can be released again.
        """
        before, _ = self._read()
        left = before.holders - {holder}
        pause = before.resumed and not left and holder in before.holders
        if pause and self._told() in ("Online", "Resuming"):
            self._begin("begin_pause")
        self._change(lambda now: _without(now, holder))
        return pause

    def leases(self) -> Leases:
        """The leases that are open now."""
        return self._read()[0]

    @property
    def _client(self) -> SynapseManagementClient:
        from azure.mgmt.synapse import SynapseManagementClient

        return SynapseManagementClient(azure_credential(), self.subscription_id, **TIMEOUTS)

    @property
    def _place(self) -> tuple[str, str, str]:
        return self.resource_group, self.workspace, self.pool

    def _told(self) -> str:
        from azure.core.exceptions import AzureError

        try:
            return str(self._client.sql_pools.get(*self._place).status)
        except AzureError as error:
            raise BikecastError(
                f"cannot ask for the SQL pool {self.pool}: {first_line(error)}"
            ) from error

    def _begin(self, operation: str) -> None:
        """Start a long operation and leave: the sensor polls the pool's own status."""
        from azure.core.exceptions import AzureError

        try:
            getattr(self._client.sql_pools, operation)(*self._place, polling=False)
        except AzureError as error:
            what = operation.removeprefix("begin_")
            raise BikecastError(
                f"cannot {what} the SQL pool {self.pool}: {first_line(error)}"
            ) from error

    @property
    def _file(self) -> str:
        return _LEASES.format(pool=self.pool)

    def _read(self) -> tuple[Leases, str | None]:
        """The leases, and the version of their file."""
        found = self.lake.read_versioned(self._file)
        return (Leases(), None) if found is None else (Leases.parse(found[0]), found[1])

    def _change(self, change: Callable[[Leases], Leases]) -> None:
        """Write what `change` makes of the leases; begin again where somebody else wrote them."""
        with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
            path = Path(folder) / "leases.json"
            for attempt in range(1, ATTEMPTS + 1):
                before, version = self._read()
                if (after := change(before)) == before:
                    return
                path.write_bytes(after.dump())
                try:
                    self.lake.put_if(self._file, path, version)
                    return
                except Conflict:
                    if attempt == ATTEMPTS:
                        raise
