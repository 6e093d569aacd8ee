"""The kinds of calls that the fake cloud serves, by the test that made them.

`python -m tests.azure.calls FILE` runs the tests with the mark `calls` in the files that the table
of docs/azure.md names, and writes their calls as JSON: lists of test file, address, method and
api-version. In a process of its own every client is new, so what a client asks once a process is
always among them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.smoke.calls import CallKind, call_table, kind_of
from tests.azure.cloud.cloud import TELEMETRY
from tests.azure.cloud.http import Request, Response

NOT_SERVED = 501


def heard(
    kinds: set[CallKind], handle: Callable[[Request], Response]
) -> Callable[[Request], Response]:
    """A handler that adds the kind of each call that the cloud serves."""

    def hear(request: Request) -> Response:
        response = handle(request)
        if request.host != TELEMETRY and response.status != NOT_SERVED:
            kinds.add(
                kind_of(request.method, request.host, request.path, request.query, request.headers)
            )
        return response

    return hear


def shown(kinds: set[CallKind]) -> str:
    """Kinds of calls for people, a line each."""
    return "\n".join(f"{kind.method} {kind.address} {kind.api_version}" for kind in sorted(kinds))


class _Recorder:
    """Collects what the fixture `cloud` leaves on each test."""

    def __init__(self) -> None:
        self.calls: set[tuple[str, ...]] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.split("::")[0].removeprefix("tests/").removesuffix(".py")
        self.calls |= {(test, *kind) for name, kind in report.user_properties if name == "call"}


if __name__ == "__main__":
    recorder = _Recorder()
    files = sorted({f"tests/{row.test}.py" for row in call_table()})
    status = pytest.main(["-q", "-m", "calls", "-p", "no:cacheprovider", *files], [recorder])
    Path(sys.argv[1]).write_text(json.dumps(sorted(recorder.calls)), encoding="utf-8")
    sys.exit(status)
