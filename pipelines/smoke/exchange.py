"""One exchange with a service, as it is recorded: redacted, with the kind of the call."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pipelines.smoke.calls import CallKind, kind_of
from pipelines.smoke.redaction import Redactor

#: A longer answer is recorded by its size alone, and so are files.
LONGEST_BODY = 2_000_000
#: Longer lists are cut: their items are alike.
LONGEST_LIST = 100
_METHODS = frozenset("GET HEAD PUT POST PATCH DELETE OPTIONS".split())
_VERSION = re.compile(r"\d{4}-\d\d-\d\d(?:-preview)?|v?\d{1,2}\.\d{1,2}|")
#: Files whose place is a guess, by what is known of their path.
GUESSED_FILES = {
    "outputs/model.onnx of the trial": re.compile(r"/ExperimentRun/dcid\.[^/]+/outputs/model\.onnx")
}
#: How Microsoft's clients call themselves.
_CLIENT = re.compile(r"azsdk-python-([a-z]{1,30}(?:-[a-z]{1,30}){0,4})/(\d{1,3}(?:\.\d{1,4}){0,3})")
_ERROR = re.compile(r"[A-Za-z]{1,60}")


@dataclass(frozen=True)
class RawExchange:
    """What went over the wire; `status` 0 and an `error` where no answer came.

    Bodies are None where they were not read, because they are files or too long.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    status: int = 0
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    answer: bytes | None = b""
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Exchange:
    """A redacted exchange.

    `request` are the paths of the request's JSON fields with their types; of a file or a form
    only the size or the names. `body` is the redacted answer where `body_kind` is "json", else
    None; `size` is the answer's length in bytes.
    """

    method: str
    address: str
    api_version: str
    client: str
    request: dict[str, str]
    status: int
    headers: dict[str, str]
    body_kind: str
    body: Any
    size: int
    seconds: float
    error: str = ""
    file: str = ""
    """The guess about a file's place that this call tried; see `GUESSED_FILES`."""

    @property
    def kind(self) -> CallKind:
        """The kind of the call."""
        return CallKind(self.address, self.method, self.api_version)

    def as_json(self) -> str:
        """One line of the recording."""
        return json.dumps(asdict(self), ensure_ascii=True, allow_nan=False)


def redacted(raw: RawExchange, redactor: Redactor, kinds: frozenset[CallKind]) -> Exchange:
    """The exchange as it may be shown; `kinds` are those of the table of calls."""
    kind = kind_of_raw(raw)
    if kind not in kinds:
        kind = CallKind(
            redactor.address(kind.address),
            kind.method if kind.method in _METHODS else "OTHER",
            kind.api_version if _VERSION.fullmatch(kind.api_version) else "redacted",
        )
    named = {name.lower(): value for name, value in raw.answer_headers.items()}
    body_kind, body = _answer(raw, named, redactor)
    headers = redactor.headers(raw.answer_headers)
    length = int(headers.get("content-length", 0))
    return Exchange(
        method=kind.method,
        address=kind.address,
        api_version=kind.api_version,
        client=_client(raw.headers),
        request=_request(raw, redactor),
        status=raw.status,
        headers=headers,
        body_kind=body_kind,
        body=body,
        size=length if raw.answer is None else len(raw.answer),
        seconds=round(raw.seconds, 3),
        error=raw.error if _ERROR.fullmatch(raw.error) else "redacted" if raw.error else "",
        file=guessed_file(unquote(urlsplit(raw.url).path)) if is_file(kind.address) else "",
    )


def kind_of_raw(raw: RawExchange) -> CallKind:
    """The kind of a call, by its address and headers."""
    parts = urlsplit(raw.url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    headers = {name.lower(): value for name, value in raw.headers.items()}
    host = parts.hostname or ""
    return kind_of(raw.method.upper(), host, unquote(parts.path), query, headers)


def guessed_file(path: str) -> str:
    """The guess that a file's path belongs to; empty for any other file."""
    names = (name for name, pattern in GUESSED_FILES.items() if pattern.search(path))
    return next(names, "")


def is_file(address: str) -> bool:
    """Whether a call of this address reads or writes the content of a file."""
    return ".core.windows.net/{container}/{path}" in address


def _answer(raw: RawExchange, headers: Mapping[str, str], redactor: Redactor) -> tuple[str, Any]:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not raw.answer:
        return ("none" if raw.answer is not None else "file"), None
    if media_type.endswith("json") and len(raw.answer) <= LONGEST_BODY:
        value = _parsed(raw.answer, redactor)
        if value is not _WRONG:
            return "json", _cut(value)
    return ("xml" if media_type.endswith("xml") else "file"), None


def _request(raw: RawExchange, redactor: Redactor) -> dict[str, str]:
    """The shape of what was sent."""
    if raw.body is None:
        return {"": "file"}
    if not raw.body:
        return {}
    media_type = next((v for n, v in raw.headers.items() if n.lower() == "content-type"), "")
    if "json" in media_type and (value := _parsed(raw.body, redactor)) is not _WRONG:
        return dict(sorted(shapes(value).items()))
    if "x-www-form-urlencoded" in media_type:
        names = parse_qsl(raw.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {redactor.key(name): "string" for name, _ in names}
    return {"": f"{len(raw.body)} bytes"}


def shapes(value: object, path: str = "") -> dict[str, str]:
    """The JSON type of each field by its path: `a.b`, and `a[]` for the items of a list."""
    if isinstance(value, Mapping):
        types = {path: "object"} if path else {}
        for name, item in value.items():
            types |= shapes(item, f"{path}.{name}" if path else str(name))
        return types
    if isinstance(value, list):
        types = {path: "array"} if path else {}
        for item in value:
            types |= shapes(item, f"{path}[]")
        return types
    names = {bool: "boolean", str: "string", int: "number", float: "number", type(None): "null"}
    return {path: names[type(value)]}


_WRONG = object()


def _parsed(data: bytes, redactor: Redactor) -> object:
    """The redacted JSON value."""
    try:
        value = json.loads(data, parse_constant=lambda _: None, parse_float=_finite)
        return redactor.json(value)
    except (ValueError, RecursionError):
        return _WRONG


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _cut(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _cut(item) for name, item in value.items()}
    return [_cut(item) for item in value[:LONGEST_LIST]] if isinstance(value, list) else value


def _client(headers: Mapping[str, str]) -> str:
    agent = next((v for n, v in headers.items() if n.lower() == "user-agent"), "")
    match = _CLIENT.search(agent)
    if match:
        return f"azure-{match[1].removeprefix('azure-')} {match[2]}"
    return "azureml-core" if "azureml" in agent.lower() else ""
