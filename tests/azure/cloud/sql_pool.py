"""The management of dedicated SQL pools: status, pause and resume."""

from __future__ import annotations

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, route
from tests.azure.cloud.recorded import like

ARM = r"management\.azure\.com"
POOL = (
    r"(?P<id>/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Synapse"
    r"/workspaces/[^/]+/sqlPools/(?P<pool>[^/]+))"
)
VERSION = "2021-03-01"
SWITCH_SECONDS = 120
_ENDS = {"Resuming": "Online", "Pausing": "Paused"}


class SqlPools:
    """One pool, paused at first; a switch takes two minutes by the clock."""

    name = "pool"  # the embedded pool has this database alone

    def __init__(self, clock: Clock) -> None:
        self.status = "Paused"
        self._since = 0.0
        self._clock = clock

    def state(self) -> str:
        """The status at this moment."""
        self._advance()
        return self.status

    @route("GET", ARM, POOL, VERSION)
    def get(self, request: Request) -> Response:
        if request.match["pool"] != self.name:
            return arm_error(404, "ResourceNotFound", "The SQL pool was not found.")
        own = {
            "id": request.match["id"],
            "name": self.name,
            "type": "Microsoft.Synapse/workspaces/sqlPools",
            "location": "westeurope",
            "sku": {"name": "DW100c", "capacity": 0},
            "properties": {"status": self.state(), "provisioningState": "Succeeded"},
        }
        call = "GET management.azure.com{workspace}/sqlPools/{name} 200"
        return answer(like("sql-pool", call, own))

    @route("POST", ARM, POOL + r"/resume", VERSION)
    def resume(self, request: Request) -> Response:
        return self._switch(request, "Paused", "Resuming")

    @route("POST", ARM, POOL + r"/pause", VERSION)
    def pause(self, request: Request) -> Response:
        return self._switch(request, "Online", "Pausing")

    def _switch(self, request: Request, wanted: str, then: str) -> Response:
        self._advance()
        if self.status != wanted:
            return arm_error(409, "Conflict", f"The SQL pool is {self.status}.")
        self.status, self._since = then, self._clock.now()
        pool = f"https://management.azure.com{request.match['id']}"
        version = f"api-version={request.api_version}"
        return Response(
            202,
            b"",
            {
                "Location": f"{pool}/operationResults/1?{version}",
                "Azure-AsyncOperation": f"{pool}/operationStatuses/1?{version}",
            },
        )

    @route("GET", ARM, POOL + r"/operationStatuses/[^/]+", VERSION)
    def operation(self, request: Request) -> Response:
        """Whether the pool has come to its new state."""
        done = self.state() not in _ENDS
        started = self._clock.text()
        status = "Succeeded" if done else "InProgress"
        return answer({"name": "1", "startTime": started, "status": status})

    @route("GET", ARM, POOL + r"/operationResults/[^/]+", VERSION)
    def result(self, request: Request) -> Response:
        own = {"id": request.match["id"], "name": self.name, "location": "westeurope"}
        call = "GET management.azure.com{workspace}/sqlPools/{name}/operationResults/{name} 200"
        return answer(like("sql-pool", call, own))

    def _advance(self) -> None:
        if self.status in _ENDS and self._clock.now() - self._since >= SWITCH_SECONDS:
            self.status = _ENDS[self.status]
