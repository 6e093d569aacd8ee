"""Interactive Livy sessions of a Synapse Spark pool: statements run for real, on embedded Spark."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Request, Response, answer, arm_error, route
from tests.azure.cloud.livy import HOST, PAGE, spark_address
from tests.azure.cloud.recorded import like
from tests.azure.cloud.storage import Storage

SESSIONS = r"/livyApi/versions/2019-11-01-preview/sparkPools/(?P<pool>[^/]+)/sessions"
ONE = SESSIONS + r"/(?P<id>\d+)"
STATEMENTS = ONE + r"/statements"
KIND = "livy-sessions-statements"
_CALL = "{synapse}.dev.azuresynapse.net/livyApi/versions/2019-11-01-preview/sparkPools/{name}"
#: What a session goes through, a state a look.
_STATES = ("not_started", "starting", "idle")
_URL = re.compile(r"abfss://(\w+)@(\w+)\.dfs\.core\.windows\.net")


@dataclass
class Statement:
    """One statement; it runs at the second look."""

    id: int
    code: str
    state: str = "waiting"
    output: dict[str, Any] | None = None


@dataclass
class Session:
    """One session and the names that its statements share."""

    id: int
    options: dict[str, Any]
    state: str = "not_started"
    statements: list[Statement] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)


class LivySessions:
    """Sessions of any pool. As the real one, it takes a name twice."""

    def __init__(self, clock: Clock, storage: Storage) -> None:
        self.sessions: list[Session] = []
        self._clock = clock
        self._storage = storage
        self._ids = itertools.count()

    def live(self) -> list[int]:
        """The ids of the sessions that cost something."""
        return [session.id for session in self.sessions if session.state in (*_STATES, "busy")]

    def add(self, name: str, state: str = "idle", number: int | None = None) -> Session:
        """Put a session from within the cloud."""
        number = next(self._ids) if number is None else number
        self.sessions.append(Session(number, {"name": name}, state))
        return self.sessions[-1]

    @route("POST", HOST, SESSIONS)
    def start(self, request: Request) -> Response:
        if not request.json.get("name"):
            return arm_error(400, "BadRequest", "name is required")
        session = self.add(request.json["name"], "not_started")
        session.options = request.json
        return self._shown(request, session, "POST")

    @route("GET", HOST, ONE)
    def get(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return arm_error(404, "NotFound", "no such session")
        if session.state in _STATES[:-1]:
            session.state = _STATES[_STATES.index(session.state) + 1]
        return self._shown(request, session, "GET")

    @route("GET", HOST, SESSIONS)
    def list(self, request: Request) -> Response:
        first, size = int(request.query.get("from", 0)), int(request.query.get("size", PAGE))
        page = self.sessions[first : first + min(size, PAGE)]
        shown = [self._body(request, each, "GET") for each in page]
        return answer({"from": first, "total": len(shown), "sessions": shown})

    @route("DELETE", HOST, ONE)
    def cancel(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return arm_error(404, "NotFound", "no such session")
        session.state = "killed"
        session.names.clear()
        return Response(200)

    @route("POST", HOST, STATEMENTS)
    def run(self, request: Request) -> Response:
        session = self._session(request)
        if session is None or session.state not in ("idle", "busy"):
            return arm_error(404, "NotFound", "no session that takes statements")
        statement = Statement(len(session.statements), request.json["code"])
        session.statements.append(statement)
        return answer(vars(statement))

    @route("GET", HOST, STATEMENTS + r"/(?P<statement>\d+)")
    def statement(self, request: Request) -> Response:
        session = self._session(request)
        assert session is not None
        statement = session.statements[int(request.match["statement"])]
        if statement.state == "running":
            statement.output = self._executed(session, statement.code)
            statement.state = "available"
        elif statement.state == "waiting":
            statement.state = "running"
        return answer(vars(statement))

    @route("POST", HOST, STATEMENTS + r"/(?P<statement>\d+)/cancel")
    def cancel_statement(self, request: Request) -> Response:
        session = self._session(request)
        assert session is not None
        session.statements[int(request.match["statement"])].state = "cancelled"
        return answer({"msg": "canceled"})

    def _executed(self, session: Session, code: str) -> dict[str, Any]:
        """Livy's output of a statement, whose files are a mirror of the lake."""
        from pyspark.sql.connect.session import SparkSession

        if "spark" not in session.names:
            address = spark_address()
            # The pool is inside the cloud: its own traffic does not go through the proxy.
            os.environ["no_grpc_proxy"] = "127.0.0.1"  # noqa: SIM112 # gRPC's own name
            session.names["spark"] = SparkSession.builder.remote(address).create()
            session.names["__folder__"] = tempfile.TemporaryDirectory(prefix="pool")
        folder = Path(session.names["__folder__"].name)
        account, container = "bikelake", "files"
        before = {}
        for path in self._storage.paths(account, container):
            before[path] = self._storage.read(account, container, path)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(before[path])
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(_URL.sub(str(folder), code), session.names)
        except Exception as error:  # noqa: BLE001 # any error of a user's code
            return {
                "status": "error",
                "execution_count": 0,
                "ename": type(error).__name__,
                "evalue": str(error),
                "traceback": [],
            }
        for file in folder.rglob("*"):
            path = file.relative_to(folder).as_posix()
            if file.is_file() and before.get(path) != (content := file.read_bytes()):
                self._storage.write(account, container, path, content)
        text = printed.getvalue().rstrip("\n")
        return {"status": "ok", "execution_count": 0, "data": {"text/plain": text}}

    def _session(self, request: Request) -> Session | None:
        number = int(request.match["id"])
        return next((each for each in self.sessions if each.id == number), None)

    def _shown(self, request: Request, session: Session, method: str) -> Response:
        response = answer(self._body(request, session, method))
        headers = {
            "x-ms-job-internal-id": str(session.id),
            "x-ms-job-result": "Uncertain",
            "x-ms-job-type": "SparkServiceSession",
        }
        return replace(response, headers=response.headers | headers)

    def _body(self, request: Request, session: Session, method: str) -> dict[str, Any]:
        example = "POST {0}/sessions 200" if method == "POST" else "GET {0}/sessions/{{name}} 200"
        own = {
            "id": session.id,
            "name": session.options["name"],
            "workspaceName": request.host.split(".")[0],
            "sparkPoolName": request.match["pool"],
            "state": session.state,
            "result": "Failed" if session.state == "dead" else "Uncertain",
        }
        body = like(KIND, example.format(_CALL), own)
        if session.state == "dead":
            reason = f"Job failed during run time with state=[{session.state}]."
            error = {"message": reason, "errorCode": "LIVY_JOB_STATE_DEAD", "source": "Dependency"}
            body["errorInfo"] = [error]
        shown: dict[str, Any] = body
        return shown
