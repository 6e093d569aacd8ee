"""The kinds of calls that the fake cloud has seen in this session, by the test that made them."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.smoke.calls import CallKind, kind_of
from tests.azure.cloud.cloud import TELEMETRY
from tests.azure.cloud.http import Request, Response

NOT_SERVED = 501
#: Kinds by the test file that made them, such as "azure/test_roles".
SEEN: dict[CallKind, set[str]] = {}

#: Test files of which not every test of the normal tier was run to its end.
PARTLY_RUN: set[str] = set()


def file_of(nodeid: str) -> str:
    """The file of a test, as the table in docs/azure.md names it."""
    return nodeid.split("::")[0].removeprefix("tests/").removesuffix(".py")


def heard(nodeid: str, handle: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """A handler that notes each call that the cloud serves."""
    test = file_of(nodeid)

    def hear(request: Request) -> Response:
        response = handle(request)
        if request.host != TELEMETRY and response.status != NOT_SERVED:
            kind = kind_of(
                request.method, request.host, request.path, request.query, request.headers
            )
            SEEN.setdefault(kind, set()).add(test)
        return response

    return hear
