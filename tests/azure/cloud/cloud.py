"""The whole fake cloud: services behind one handler, with a log of all requests."""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass, replace

from tests.azure.cloud.authorization import Authorization
from tests.azure.cloud.availability import Availability
from tests.azure.cloud.clock import Clock
from tests.azure.cloud.compute import Computes
from tests.azure.cloud.deletions import Deletions
from tests.azure.cloud.faults import Faults
from tests.azure.cloud.http import Refused, Request, Response, Route, answer, routes_of
from tests.azure.cloud.livy import Livy
from tests.azure.cloud.livy_sessions import LivySessions
from tests.azure.cloud.login import Login, audience
from tests.azure.cloud.machine_learning import MachineLearning
from tests.azure.cloud.resources import Resources
from tests.azure.cloud.spark_jobs import SparkJobs
from tests.azure.cloud.sql_pool import SqlPools
from tests.azure.cloud.storage import Storage
from tests.azure.cloud.synapse import Synapse
from tests.azure.cloud.trainer import Trainer


@dataclass(frozen=True)
class LoggedCall:
    """One call that a client made."""

    method: str
    host: str
    path: str
    api_version: str
    body: bytes
    status: int
    route: str
    answered: int
    """Bytes of the answer."""


#: ONNX Runtime of this process reports its use there, whatever test runs at that moment.
TELEMETRY = "mobile.events.data.microsoft.com"


class Cloud:
    """Answers requests by its services' routes.

    A call that no route knows, with an api-version that the route does not list, or without a
    token for the right audience, is answered 501 and kept in `refused`; the fixture fails the
    test then.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.login = Login(self.clock.now)
        self.storage = Storage(self.clock)
        trainer = Trainer(self.storage)
        self.machine_learning = MachineLearning(self.clock, self.storage, trainer)
        self.spark_jobs = SparkJobs(self.clock, self.storage, self.machine_learning)
        self.livy = Livy(self.clock, self.storage)
        self.livy_sessions = LivySessions(self.clock, self.storage)
        self.sql_pools = SqlPools(self.clock)
        self.computes = Computes(self.clock)
        self.synapse = Synapse(self.clock)
        self.authorization = Authorization(self.clock)
        self.resources = Resources(self.clock)
        self.availability = Availability()
        self.deletions = Deletions()
        self.faults = Faults()
        self.log: list[LoggedCall] = []
        self.refused: list[str] = []
        self._lock = threading.RLock()
        self._routes = []
        jobs = (self.spark_jobs, self.machine_learning, self.livy)
        services = (self.login, self.storage, *jobs, self.sql_pools)
        around = (self.computes, self.synapse, self.authorization, self.livy_sessions)
        making = (self.resources, self.availability, self.deletions)
        for service in (*services, *around, *making):
            self.add(service)

    def add(self, service: object) -> None:
        """Serve one more service."""
        self._routes += routes_of(service)

    def calls(self, method: str, path_part: str) -> list[LoggedCall]:
        """The logged calls of a method whose path contains a text."""
        return [c for c in self.log if c.method == method and path_part in c.path]

    def handle(self, request: Request) -> Response:
        """Answer one request; services see one request at a time."""
        if request.host == TELEMETRY:
            return Response(503)
        fault = self.faults.take(request)
        if fault is None:
            return self._served(request)
        response = fault.answer
        if response is None or fault.late:
            served = self._served(request)
            response = response or served
        if fault.then is not None:
            fault.then()
        time.sleep(fault.seconds)
        return response

    def _served(self, request: Request) -> Response:
        with self._lock:
            name, response = "", None
            try:
                name, response = self._dispatch(request)
            except Refused as error:
                self.refused.append(f"{request.method} {request.host}{request.path}: {error}")
            except Exception:  # noqa: BLE001  # shown by the fixture
                self.refused.append(traceback.format_exc())
            if response is None:
                message = f"The fake cloud refuses this call: {self.refused[-1]}"
                response = answer({"error": {"code": "NotImplemented", "message": message}}, 501)
            self.log.append(
                LoggedCall(
                    request.method,
                    request.host,
                    request.path,
                    request.api_version,
                    request.body,
                    response.status,
                    name,
                    len(response.body),
                )
            )
            return response

    def route_of(self, request: Request) -> tuple[Route, Request] | None:
        """The route of a call, whatever its api-version, and the call with its names."""
        for route in self._routes:
            if route.method != request.method or not route.host.fullmatch(request.host):
                continue
            found = route.path.fullmatch(request.path)
            if found is not None:
                matched = {name: value or "" for name, value in found.groupdict().items()}
                return route, replace(request, match=matched)
        return None

    def _dispatch(self, request: Request) -> tuple[str, Response]:
        routed = self.route_of(request)
        if routed is None:
            raise Refused(f"no such call; query {request.query}")
        route, named = routed
        if request.api_version not in (route.versions or {""}):
            raise Refused(f"api-version {request.api_version!r} of {sorted(route.versions)}")
        if not _is_open(request) and not _authorized(request):
            raise Refused(f"no token for this service: {audience(request)}")
        return route.name, route.handler(named)


#: Whom a token must be for, by the end of the host.
AUDIENCES = {
    "management.azure.com": "https://management.azure.com",
    ".api.azureml.ms": "https://ml.azure.com",
    ".dev.azuresynapse.net": "https://dev.azuresynapse.net",
    ".core.windows.net": "https://storage.azure.com",
}


def _is_open(request: Request) -> bool:
    """Whether the call needs no token."""
    return request.host.startswith("login.") or request.path == "/discovery"


def _authorized(request: Request) -> bool:
    if "sig" in request.query or "sharedkey" in request.headers.get("authorization", "").lower():
        return True
    for ending, wanted in AUDIENCES.items():
        if request.host.endswith(ending):
            found = (audience(request) or "").rstrip("/")
            return found == wanted or found == "https://management.azure.com"
    return False
