"""Answering from a recording of `bikecast smoke --azure`, in place of the fake cloud itself."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from pipelines.smoke.calls import CallKind, kind_of
from pipelines.smoke.exchange import Exchange
from tests.azure.cloud.http import Request, Response

#: Files and tokens are not in a recording.
NOT_REPLAYED = ("login.", "{account}.")


class Replay:
    """Answers each kind of call by its recorded exchanges, in their order; the last one stays.

    The cloud behind serves every call as well: it does the work (files, batches, trainings), and
    its answer is sent where the recording has none.
    """

    def __init__(self, exchanges: Iterable[Exchange], behind: Callable[[Request], Response]):
        self.replayed: list[CallKind] = []
        self._behind = behind
        self._left: dict[CallKind, deque[Exchange]] = defaultdict(deque)
        for exchange in exchanges:
            if not exchange.address.startswith(NOT_REPLAYED) and exchange.body_kind != "file":
                self._left[exchange.kind].append(exchange)

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        served = self._behind(request)
        kind = kind_of(request.method, request.host, request.path, request.query, request.headers)
        left = self._left.get(kind)
        if not left:
            return served
        exchange = left.popleft() if len(left) > 1 else left[0]
        self.replayed.append(kind)
        headers = {n: v for n, v in exchange.headers.items() if n != "content-length"}
        body = json.dumps(exchange.body).encode() if exchange.body_kind == "json" else b""
        return Response(exchange.status, body, headers)
