"""Requests, answers and routes of the fake cloud."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Refused(Exception):
    """The fake cloud does not know such a call: the test must fail, loudly."""


@dataclass(frozen=True)
class Request:
    """One HTTP request, as it came through the proxy."""

    method: str
    host: str
    path: str
    """Percent-decoded."""
    query: dict[str, str]
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    match: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def api_version(self) -> str:
        return self.query.get("api-version") or self.headers.get("x-ms-version", "")


@dataclass(frozen=True)
class Response:
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def answer(data: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer; underscores in header names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps(data).encode()
    return Response(status, body, {"Content-Type": "application/json; charset=utf-8", **named})


def arm_error(status: int, code: str, message: str, **headers: str) -> Response:
    """An error in the shape of Azure Resource Manager."""
    return answer({"error": {"code": code, "message": message}}, status, **headers)


@dataclass(frozen=True)
class Route:
    """Which calls a handler answers."""

    method: str
    host: re.Pattern[str]
    path: re.Pattern[str]
    versions: frozenset[str]
    handler: Callable[..., Response]
    name: str


def route(method: str, host: str, path: str, *versions: str) -> Callable[[Any], Any]:
    """Mark a service's method as the handler of calls; `host` and `path` are regular expressions.

    Without `versions` the call carries no api-version.
    """

    def mark(handler: Any) -> Any:
        marks = getattr(handler, "routes", [])
        handler.routes = [
            *marks,
            (method, re.compile(host), re.compile(path), frozenset(versions)),
        ]
        return handler

    return mark


def routes_of(service: object) -> list[Route]:
    """The routes that a service's methods are marked with."""
    found = []
    for name in dir(type(service)):
        handler = getattr(service, name)
        for method, host, path, versions in getattr(handler, "routes", ()):
            label = f"{type(service).__name__}.{name}"
            found.append(Route(method, host, path, versions, handler, label))
    return found


def checked(body: Any, shape: dict[str, Any], where: str = "") -> dict[str, Any]:
    """The body, where it has the fields of `shape` and no others, of those types."""
    if set(body) != set(shape):
        raise Refused(f"{where or 'the body'} has {sorted(body)}, wanted {sorted(shape)}")
    for name, kind in shape.items():
        if isinstance(kind, dict):
            checked(body[name], kind, f"{where}.{name}".strip("."))
        elif not isinstance(body[name], kind):
            raise Refused(f"{where}.{name} is {body[name]!r}")
    found: dict[str, Any] = body
    return found
