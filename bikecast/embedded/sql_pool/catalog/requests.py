"""The latest requests of a pool in this process, for sys.dm_pdw_exec_requests and its kin.

Source: https://learn.microsoft.com/sql/relational-databases/system-dynamic-management-views/
sys-dm-pdw-exec-requests-transact-sql
"""

from __future__ import annotations

import collections
import datetime
import functools
import itertools
import re
from dataclasses import dataclass, field
from typing import ClassVar

from bikecast.embedded.sql_pool.values.scope import BoundQuery, text_literal
from bikecast.embedded.sql_pool.values.types import SqlType, parse_declaration

KEPT = 500
"""Requests of one pool; a dedicated pool keeps 10,000."""
_LABEL = re.compile(r"OPTION\s*\(\s*LABEL\s*=\s*N?'((?:[^']|'')*)'", re.IGNORECASE)
_SECRET = re.compile(r"(\b(?:SECRET|PASSWORD)\s*=\s*)N?'(?:[^']|'')*('|$)", re.IGNORECASE)
#: Each column with the field of a request that it shows; what has none is NULL.
_REQUESTS = (
    "request_id:nvarchar(32) session_id:nvarchar(32) status:nvarchar(32) submit_time:datetime "
    "start_time:datetime=submit_time end_compile_time:datetime=submit_time end_time:datetime "
    "total_elapsed_time:int label:nvarchar(255) error_id:nvarchar(36) database_id:int "
    "command:nvarchar(4000) resource_class:nvarchar(20) importance:nvarchar(128) "
    "group_name:sysname classifier_name:sysname resource_allocation_percentage:decimal(5,2) "
    "result_cache_hit:int client_correlation_id:nvarchar(255) command2:nvarchar(max)=command"
)
_ERRORS = (
    "error_id:nvarchar(36) source:nvarchar(64) type:nvarchar(4000) create_time:datetime=end_time "
    "pdw_node_id:int session_id:nvarchar(32) request_id:nvarchar(32) spid:int thread_id:int "
    "details:nvarchar(4000)"
)
_SESSIONS = (
    "session_id:nvarchar(32) status:nvarchar(10)=session_status request_id:nvarchar(32) "
    "security_id:varbinary(85) login_name:nvarchar(128) login_time:datetime=submit_time "
    "query_count:int is_transactional:bit client_id:nvarchar(255) app_name:nvarchar(255) "
    "sql_spid:int"
)


@dataclass
class Request:
    """One batch. `error` is the text of the error that it ended in."""

    number: int
    session: int
    command: str
    submitted: datetime.datetime
    ended: datetime.datetime | None = None
    status: str = "Running"
    error: str = ""

    def show(self, command: str) -> None:
        """Take a text as the command, without secrets."""
        self.command = _SECRET.sub(r"\1'***'", command[:8000])

    def end(self, status: str, error: str = "") -> None:
        """Completed, Failed or Cancelled."""
        self.ended, self.status, self.error = _now(), status, error

    def fields(self) -> dict[str, object]:
        """The values of the views' columns."""
        elapsed = (self.ended or _now()) - self.submitted
        label = _LABEL.findall(self.command)
        return {
            "request_id": f"QID{self.number}",
            "session_id": f"SID{self.session}",
            "status": self.status,
            "session_status": "Idle" if self.ended else "Active",
            "submit_time": self.submitted,
            "end_time": self.ended,
            "total_elapsed_time": int(elapsed.total_seconds() * 1000),
            "label": label[-1].replace("''", "'") if label else None,
            "error_id": f"ERR{self.number}" if self.error else None,
            "database_id": 5,
            "command": self.command[:4000],
            "result_cache_hit": 0,
            "login_name": "bikecast",
            "source": "Engine",
            "details": self.error[:4000],
            "query_count": 1,
        }


@dataclass
class Requests:
    """The latest requests of one pool, oldest first."""

    VIEWS: ClassVar[dict[str, str]] = {
        "sys.dm_pdw_exec_requests": _REQUESTS,
        "sys.dm_pdw_errors": _ERRORS,
        "sys.dm_pdw_exec_sessions": _SESSIONS,
        "sys.dm_pdw_exec_connections": "session_id:nvarchar(32) connect_time:datetime=submit_time "
        "encrypt_option:nvarchar(40) auth_scheme:nvarchar(40) client_id:nvarchar(48) sql_spid:int",
    }
    latest: collections.deque[Request] = field(
        default_factory=lambda: collections.deque(maxlen=KEPT)
    )
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _sessions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def new_session(self) -> int:
        """The number of a new session."""
        return next(self._sessions)

    def begin(self, session: int, command: str) -> Request:
        """Keep a request that starts now."""
        request = Request(next(self._numbers), session, "", _now())
        request.show(command)
        self.latest.append(request)
        return request

    def view(self, name: str) -> BoundQuery:
        """One of VIEWS as a query."""
        rows = list(self.latest)
        if name == "sys.dm_pdw_errors":
            rows = [request for request in rows if request.error]
        elif name != "sys.dm_pdw_exec_requests":  # the latest request of each session
            rows = list({request.session: request for request in rows}.values())
        parts = [item.partition(":") for item in self.VIEWS[name].split()]
        columns = tuple((column, declared(rest.split("=")[0])) for column, _, rest in parts)
        shown = [rest.split("=")[-1] if "=" in rest else column for column, _, rest in parts]
        fields = [request.fields() for request in rows]
        return rows_query(columns, [[row.get(key) for key in shown] for row in fields])


def rows_query(columns: tuple[tuple[str, SqlType], ...], rows: list[list[object]]) -> BoundQuery:
    """Rows of Python values as a query; without a row it has none."""
    selects = []
    for row in rows or [[None] * len(columns)]:
        literals = ("NULL" if value is None else text_literal(str(value)) for value in row)
        items = enumerate(zip(literals, columns, strict=True), 1)
        casts = ", ".join(f"CAST({v} AS {t.duckdb}) AS c{i}" for i, (v, (_, t)) in items)
        selects.append(f"SELECT {casts}")
    return BoundQuery(" UNION ALL ".join(selects) + ("" if rows else " WHERE false"), columns)


@functools.lru_cache(maxsize=64)
def requests_of(_path: str) -> Requests:
    """Those of the pool in a file, as long as this process lives."""
    return Requests()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def declared(text: str) -> SqlType:
    """The type of a view's column; sysname is nvarchar(128)."""
    return parse_declaration("nvarchar(128)" if text == "sysname" else text)
