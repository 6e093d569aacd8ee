"""Recorded requests pass through the fake cloud, and its answers are held against the shapes."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.azure.cloud.cloud import Cloud
from tests.azure.cloud.http import Request, Response
from tests.azure.recorded_shapes import ADDRESSES, ANSWER_HEADERS, shape_of_answer, template

#: Maps whose keys are anybody's, and what a service gives back as it got it.
FREE = re.compile(
    r"(.*\.)?(tags|metadata|parameters|before|after|properties\.properties|args|conf|outputs|inputs|flavors|typeProperties|"
    r"jobCreationRequest)"
)
#: Properties of a run are such a map.
FREE_OF_RUNS = re.compile(r"(value\[\]\.|runMetadata\.)?properties")


@dataclass(frozen=True)
class Difference:
    """One answer of the fake that is not the recorded one."""

    call: str
    """Method, address as a template, and the recorded status."""
    what: str


#: What is done to a cloud before an exchange: its shape, to be changed where the fake's clients
#: send another body.
Arrange = Callable[[Cloud, dict[str, Any]], None]


class Replay:
    """One kind of recordings against fresh clouds, one for each of its sources.

    `unserved` are the kinds of calls that the fake does not answer.
    """

    def __init__(self, shape: Mapping[str, Any], arrange: Arrange) -> None:
        self._shape = shape
        self._addresses: dict[str, str] = {}
        self._etags: dict[str, str] = {}
        self.served: set[str] = set()
        self.unserved: set[str] = set()
        self.differences: list[Difference] = []
        exchanges = shape["exchanges"]
        for source in dict.fromkeys(each["source"] for each in exchanges):
            cloud = Cloud()
            self._addresses, self._etags = {}, {}
            for each in exchanges:
                if each["source"] == source:
                    own = copy.deepcopy(each)
                    arrange(cloud, own)
                    self._replay(cloud, own)
        self.differences = [*dict.fromkeys(self.differences)]

    def _replay(self, cloud: Cloud, exchange: Mapping[str, Any]) -> None:
        kind = f"{exchange['method']} {template(exchange)}"
        call = f"{kind} {exchange['status']}"
        routed = cloud.route_of(request_of(exchange, self._addresses))
        if routed is None:
            self.unserved.add(kind)
            return
        self.served.add(kind)
        route, request = routed
        for what in self._compared(exchange, call, route.handler(request)):
            self.differences.append(Difference(call, what))

    def _compared(
        self, exchange: Mapping[str, Any], call: str, response: Response
    ) -> Iterator[str]:
        """What differs; the addresses that we answer are remembered for what follows."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        wanted = exchange.get("answer", {})
        for name in sorted(ADDRESSES & wanted.keys() & headers.keys()):
            self._addresses[wanted[name].partition("?")[0]] = headers[name]
            ours = address_of(headers[name])
            theirs = address_of(wanted[name])
            if ours != theirs:
                yield f"{name} is {ours}, not {theirs}"
        if response.status != exchange["status"]:
            yield f"status {response.status}"
            return
        ours_named = ANSWER_HEADERS & headers.keys()
        for name in sorted(ours_named - wanted.keys()):
            yield f"also has the header {name}"
        for name in sorted(wanted.keys() - ours_named):
            yield f"lacks the header {name}"
        if "etag" in wanted and "etag" in headers:
            before = self._etags.setdefault(wanted["etag"], headers["etag"])
            again = [theirs for theirs, ours in self._etags.items() if ours == headers["etag"]]
            if before != headers["etag"] or again != [wanted["etag"]]:
                yield "etag is not the same as that of the same answers"
        if "x-ms-error-code" in wanted and wanted["x-ms-error-code"] != headers.get(
            "x-ms-error-code"
        ):
            yield f"x-ms-error-code is {headers.get('x-ms-error-code')}"
        if "json" not in wanted.get("content-type", "json") and "xml" not in wanted["content-type"]:
            return
        body = b"" if exchange["method"] == "HEAD" else response.body
        shape = shape_of_answer(body, headers.get("content-type", ""))
        free = FREE_OF_RUNS if "/history/" in call else FREE
        yield from body_differences(self._shape["answers"][call], shape, free)


def request_of(exchange: Mapping[str, Any], addresses: Mapping[str, str]) -> Request:
    """The recorded request with generated values; an operation is asked for at our address."""
    url = exchange["url"]
    before, _, query = url.partition("?")
    if before in addresses:
        url = addresses[before].partition("?")[0] + (f"?{query}" if query else "")
    parts = urlsplit(url)
    body = exchange.get("body", b"")
    if isinstance(body, int):
        content = b"x" * body
    elif isinstance(body, str):
        content = body.encode()
    else:
        content = json.dumps(body).encode() if body != b"" else b""
    return Request(
        method=exchange["method"],
        host=parts.netloc,
        path=unquote(parts.path),
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers=dict(exchange.get("headers", {})),
        body=content,
    )


def address_of(url: str) -> str:
    """An address as a template, without what stands for names."""
    address = template({"method": "GET", "url": url})
    return re.sub(r"redacted\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "{name}", address)


def body_differences(
    wanted: Any, ours: Any, free: re.Pattern[str] = FREE, path: str = ""
) -> Iterator[str]:
    """What our body has more, less, or of another type; null stands for any type."""
    if FREE.fullmatch(path) or free.fullmatch(path) or "null" in (wanted, ours):
        return
    if isinstance(wanted, dict) and isinstance(ours, dict):
        theirs = {name.rstrip("?"): value for name, value in wanted.items()}
        mine = {name.rstrip("?"): value for name, value in ours.items()}
        for name, value in theirs.items():
            inner = f"{path}.{name}".strip(".")
            if name in mine:
                yield from body_differences(value, mine[name], free, inner)
            elif name in wanted:
                yield f"lacks {inner}"
        yield from (
            f"also has {path}.{name}".replace(" .", " ") for name in mine if name not in theirs
        )
    elif isinstance(wanted, list) and isinstance(ours, list):
        if wanted and ours:
            yield from body_differences(wanted[0], ours[0], free, f"{path}[]")
    elif path.lower().endswith("code") and str(wanted).startswith("=") and wanted != ours:
        yield f"{path} is {str(ours).strip('=')}, not {wanted[1:]}"
    elif "null" not in kinds(wanted) | kinds(ours) and kinds(wanted).isdisjoint(kinds(ours)):
        yield f"{path or 'the body'} is {'|'.join(kinds(ours))}, not {'|'.join(kinds(wanted))}"


def kinds(shape: Any) -> set[str]:
    """The types of a shape, without words."""
    if isinstance(shape, str):
        return {"text" if part.startswith("=") else part for part in shape.split("|")}
    return {"object" if isinstance(shape, dict) else "list"}
