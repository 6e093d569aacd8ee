"""The interactive Livy sessions of a Synapse Spark pool: found by their name, and ended."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resources.azure.credentials import TIMEOUTS
from resources.spark.livy import PAGE, client

if TYPE_CHECKING:
    from azure.synapse.spark import SparkClient

#: Livy's states of a session that will take statements, by whether it takes them now.
LIVE = {"not_started": False, "starting": False, "recovering": False, "idle": True, "busy": True}


@dataclass(frozen=True)
class LiveSession:
    """One session that costs."""

    id: int
    name: str
    state: str


def live_sessions(workspace: str, pool: str) -> list[LiveSession]:
    """All sessions of a pool that live, oldest first."""
    first, live = 0, []
    while True:
        page = client(workspace, pool).spark_session.get_spark_sessions(
            from_parameter=first, size=PAGE, detailed=True, **TIMEOUTS
        )
        sessions = list(page.sessions or ())
        live += [
            LiveSession(int(each.id), str(each.name), str(each.state))
            for each in sessions
            if str(each.state) in LIVE
        ]
        if len(sessions) < PAGE:
            return live
        first += len(sessions)


@dataclass(frozen=True)
class LivySessions:
    """The sessions of one pool that have one name. Errors are those of Azure's client."""

    workspace: str
    pool: str
    name: str

    def live(self) -> list[int]:
        """The ids of those that live, newest first."""
        live = live_sessions(self.workspace, self.pool)
        return sorted((each.id for each in live if each.name == self.name), reverse=True)

    def state(self, number: int) -> str:
        """Livy's state of a session; an unknown one is dead."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            session = self.client.spark_session.get_spark_session(number, detailed=True, **TIMEOUTS)
        except ResourceNotFoundError:
            return "dead"
        return str(session.state)

    def end(self) -> list[int]:
        """End all that live, also one whose start was never answered; their ids."""
        ended = self.live()
        for number in ended:
            end_session(self.workspace, self.pool, number)
        return ended

    @property
    def client(self) -> SparkClient:
        """The client of the pool."""
        return client(self.workspace, self.pool)


def end_session(workspace: str, pool: str, number: int) -> None:
    """End a session; one that is gone is no error."""
    from azure.core.exceptions import ResourceNotFoundError

    with suppress(ResourceNotFoundError):
        client(workspace, pool).spark_session.cancel_spark_session(number, **TIMEOUTS)
