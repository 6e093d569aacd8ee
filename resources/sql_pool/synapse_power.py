"""Pause and resume of a dedicated SQL pool, with leases, so that an unused pool costs nothing."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource
from pydantic import Field

from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobState, JobStatus
from resources.azure.credentials import azure_credential, client_options
from resources.azure.refusals import refused_by_azure
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
#: A mark of a pause that is older was left by a process that died.
PAUSING_SECONDS = 300.0
_LEASES = "jobs/sql_pool/{pool}.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leases:
    """Who uses the pool, and whether one of us resumed it; times are seconds since 1970.

    Without a holder, `resumed` means that a pause is owed. `pausing` is the time at which a
    process began to pause the pool, 0 where none does.
    """

    holders: Mapping[str, float] = field(default_factory=dict)
    resumed: bool = False
    pausing: float = 0.0

    @classmethod
    def parse(cls, text: bytes) -> Leases:
        """Read what `dump` wrote."""
        data: Mapping[str, Any] = json.loads(text)
        return cls(dict(data["holders"]), bool(data["resumed"]), float(data["pausing"]))

    def dump(self) -> bytes:
        """As JSON."""
        return json.dumps(vars(self), sort_keys=True).encode()

    def with_holder(self, holder: str, now: float, renew_after: float) -> Leases:
        """With this holder's lease, renewed if it is older than `renew_after` seconds."""
        if now - self.holders.get(holder, 0.0) < renew_after:
            return self
        return replace(self, holders={**self.holders, holder: now})

    def without(self, holder: str) -> Leases:
        """Without this holder."""
        others = {name: when for name, when in self.holders.items() if name != holder}
        return replace(self, holders=others)

    def is_pausing(self, now: float) -> bool:
        """Whether a process is about to pause the pool."""
        return now - self.pausing < PAUSING_SECONDS

    def owes_pause(self, now: float) -> bool:
        """Whether the pool is to be paused, and nobody is doing it."""
        return self.resumed and not self.holders and not self.is_pausing(now)


class SynapseSqlPoolPower(ConfigurableResource):
    """The power switch of a dedicated SQL pool; implements the port SqlPoolPower.

    Leases are a file of the lake, written on the condition that nobody else wrote it meanwhile.
    That the pool is ours to pause is written before it is resumed, and the lease before both;
    that it is being paused is written before it is. So whoever dies at any moment leaves either
    a lease, which the sensor gives back when the holder's run has ended, or a pause that is owed.
    """

    subscription_id: str
    resource_group: str
    workspace: str
    pool: str
    lake: AdlsLake
    renew_seconds: float = Field(
        default=300.0, ge=0, description="A lease younger than this is not written again."
    )

    def status(self) -> JobStatus:
        """Whether the pool is online (Completed), paused (NotFound) or on its way (Running)."""
        status = self._pool_status()
        state = STATES.get(status)
        if state is None:
            _log.warning("SQL pool %s has the unknown status %s; waiting", self.pool, status)
        return self._status(state or JobState.RUNNING, status)

    def acquire(self, holder: str) -> JobStatus:
        """Take or renew a lease, and ask for the pool to be resumed where it is paused.

        A pool that somebody else keeps online is not ours to pause.
        Raises BikecastError where Synapse refuses, with the role that is missing.
        """
        now = time.time()
        leases = self._change(lambda before: before.with_holder(holder, now, self.renew_seconds))
        if leases.is_pausing(now):
            return self._status(JobState.RUNNING, "Pausing")
        status = self.status()
        if status.state is JobState.NOT_FOUND:
            self._change(lambda before: replace(before, resumed=True, pausing=0.0))
            self._begin("begin_resume")
            status = self.status()
        return status

    def release(self, holder: str) -> bool:
        """Give a lease back; pause the pool if we resumed it and no lease is left.

        Returns whether the pool was asked to pause. Raises BikecastError where Synapse refuses;
        the pause stays owed.
        """
        self._change(lambda leases: leases.without(holder))
        return self.settle()

    def settle(self) -> bool:
        """Pause the pool if we resumed it and no lease is left; True where it was asked to."""
        now = time.time()
        if not self._read()[0].owes_pause(now):
            return False
        ours = self._change(lambda leases: replace(leases, pausing=now), Leases.owes_pause)
        if ours.pausing != now:
            return False
        try:
            pause = self._pool_status() in ("Online", "Resuming")
            if pause:
                self._begin("begin_pause")
        except BikecastError:
            self._change(lambda leases: replace(leases, pausing=0.0))
            raise
        self._change(lambda leases: replace(leases, resumed=False, pausing=0.0))
        return pause

    def leases(self) -> Mapping[str, float]:
        """The leases that are open now."""
        return self._read()[0].holders

    @property
    def _client(self) -> SynapseManagementClient:
        from azure.mgmt.synapse import SynapseManagementClient

        return SynapseManagementClient(azure_credential(), self.subscription_id, **client_options())

    @property
    def _place(self) -> tuple[str, str, str]:
        return self.resource_group, self.workspace, self.pool

    @property
    def _resource_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.Synapse/workspaces/{self.workspace}/sqlPools/{self.pool}"
        )

    def _status(self, state: JobState, status: str) -> JobStatus:
        link = f"https://portal.azure.com/#@/resource{self._resource_id}/overview"
        return JobStatus(self.pool, state, link, progress={"status": status})

    def _pool_status(self) -> str:
        with self._refused("ask for"):
            return str(self._client.sql_pools.get(*self._place).status)

    def _begin(self, operation: str) -> None:
        """Start a long operation and leave: the sensor polls the pool's own status."""
        with self._refused(operation.removeprefix("begin_")):
            getattr(self._client.sql_pools, operation)(*self._place, polling=False)

    def _refused(self, verb: str) -> AbstractContextManager[None]:
        what = f"cannot {verb} the SQL pool {self.pool}"
        return refused_by_azure(what, role="Contributor", scope=self._resource_id)

    @property
    def _file(self) -> str:
        return _LEASES.format(pool=self.pool)

    def _read(self) -> tuple[Leases, str | None]:
        """The leases, and the version of their file."""
        versioned = self.lake.read_versioned(self._file)
        return (Leases(), None) if versioned is None else (Leases.parse(versioned[0]), versioned[1])

    def _change(
        self,
        change: Callable[[Leases], Leases],
        allowed: Callable[[Leases, float], bool] = lambda _leases, _now: True,
    ) -> Leases:
        """Write what `change` makes of the leases where it is allowed; return what is there.

        Begins again where somebody else wrote them at the same moment.
        """
        for attempt in range(1, ATTEMPTS + 1):
            before, version = self._read()
            if not allowed(before, time.time()) or (after := change(before)) == before:
                return before
            try:
                self.lake.put_if(self._file, after.dump(), version)
                return after
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")
