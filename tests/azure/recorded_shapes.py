"""Recordings of the real services, reduced to shapes: facts without texts, names and ids.

`python -m pytest tests/azure/renew_shapes.py` writes the files of `tests/azure/shapes` from the
recordings in ../shared. A shape keeps the order of the exchanges, of each request its address with
placeholders for names and its redacted body, of each answer the status, the headers that a client
acts on, and the paths and types of its fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.etree import ElementTree

from pipelines.settings import PROJECT
from pipelines.smoke.calls import kind_of
from pipelines.smoke.redaction import REGION, Redactor

RECORDINGS = PROJECT / ".." / "shared" / "azure-recordings"
SHAPES = Path(__file__).with_name("shapes")
#: Headers of requests that change the answer.
REQUEST_HEADERS = frozenset(
    "if-match if-none-match range x-ms-range x-ms-rename-source x-ms-blob-type x-ms-continuation "
    "x-ms-meta-name x-ms-meta-upload_status x-ms-meta-version".split()
)
#: Headers of answers that clients act on; the others trace, count or repeat.
ANSWER_HEADERS = frozenset(
    "content-type content-range etag location azure-asyncoperation retry-after x-ms-continuation "
    "x-ms-error-code x-ms-job-internal-id x-ms-job-result x-ms-job-type".split()
)
ADDRESSES = frozenset({"location", "azure-asyncoperation"})
#: Fields whose words are kept: states, kinds and codes.
WORDS = frozenset(
    "code computeType credentialsType currentState datastoreType errorCode jobType principalType "
    "provisioningState result secretsType state status taskType".split()
)
_WORD = re.compile(r"[A-Za-z_]{1,40}|\d{3}")
_QUERY_VALUE = re.compile(r"[A-Za-z]{1,20}|\d{1,4}|v?\d[\d.-]{2,12}(-preview)?")


def reduced(recording: Mapping[str, Any]) -> dict[str, Any]:
    """The shape of one kind of recordings.

    `exchanges` are in order, each with the number of its `source`: those of one source follow each
    other in the service. `answers` has one merged shape of the body for each kind of call and
    status.
    """
    redactors: dict[int, Redactor] = {}
    exchanges, answers = [], {}
    for raw in recording["exchanges"]:
        source = int(raw.get("source_n", 0))
        redactor = redactors.setdefault(source, Redactor({}))
        exchange = _exchange(raw, redactor)
        key = f"{exchange['method']} {template(exchange)} {exchange['status']}"
        body = raw["response"]["body"]
        if isinstance(body, list) and body and all(isinstance(line, str) for line in body):
            # A text by its lines, if it is no list of JSON.
            body = "".join(body) if body[0].lstrip("\ufeff").startswith("<") else body
        shape = _shape(body)
        answers[key] = merged(answers[key], shape) if key in answers else shape
        if not exchanges or exchange != {k: v for k, v in exchanges[-1].items() if k != "source"}:
            exchanges.append({"source": source, **exchange})
    shape = {"kind": recording["kind"], "exchanges": exchanges, "answers": answers}
    if "record" in recording:
        shape["record"] = _shape(recording["record"])
    return shape


def template(exchange: Mapping[str, Any]) -> str:
    """The address of a reduced request, as docs/azure.md writes it."""
    parts = urlsplit(exchange["url"])
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    path = unquote(parts.path)
    return kind_of(
        exchange["method"], parts.netloc, path, query, exchange.get("headers", {})
    ).address


def read_shapes() -> dict[str, dict[str, Any]]:
    """The committed shapes by the name of their recording."""
    return {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(SHAPES.glob("*"))}


def recorded_shapes() -> dict[str, dict[str, Any]]:
    """The shapes of the recordings in ../shared; empty where they are not there."""
    files = sorted(RECORDINGS.glob("*.json"))
    return {file.stem: reduced(json.loads(file.read_text("utf-8"))) for file in files}


def write_shapes() -> None:
    """Renew the committed files: one exchange or answer a line."""
    SHAPES.mkdir(exist_ok=True)
    for name, shape in recorded_shapes().items():
        (SHAPES / f"{name}.json").write_text(_text(shape), encoding="utf-8")


def merged(one: Any, two: Any) -> Any:
    """The shape of both: a field that only one has gets a question mark, types are joined."""
    if isinstance(one, dict) and isinstance(two, dict):
        names = [*dict.fromkeys(name.rstrip("?") for name in (*one, *two))]
        return dict(_fields(names, one, two))
    if isinstance(one, list) and isinstance(two, list):
        return [merged(one[0], two[0])] if one and two else one or two
    if one == two:
        return one
    return "|".join(sorted({*_types(one), *_types(two)}))


def _fields(names: list[str], one: dict[str, Any], two: dict[str, Any]) -> Iterator[Any]:
    for name in names:
        sides = [side for side in (one, two) if name in side or f"{name}?" in side]
        values = [side.get(name, side.get(f"{name}?")) for side in sides]
        always = len(sides) == 2 and all(name in side for side in sides)
        value = values[0] if len(values) == 1 else merged(*values)
        yield (name if always else f"{name}?"), value


def _types(shape: Any) -> list[str]:
    if isinstance(shape, str):
        return [part if not part.startswith("=") else "text" for part in shape.split("|")]
    return ["object" if isinstance(shape, dict) else "list"]


def _shape(value: Any, field: str = "") -> Any:
    """A JSON value's fields with their types; an XML text's elements; another text's kind."""
    if isinstance(value, str) and not field and value.lstrip("\ufeff").startswith("<"):
        text = value.lstrip("\ufeff")
        if "<Blobs>" in text and "</Blobs>" not in text:
            # The recording cut a long list.
            text = text[: text.rindex("</Blob>")] + "</Blob></Blobs></EnumerationResults>"
        root = ElementTree.fromstring(text.encode())
        return {root.tag: _elements(root)}
    if isinstance(value, Mapping):
        return {str(name): _shape(item, str(name)) for name, item in value.items()}
    if isinstance(value, list):
        shapes = [_shape(item, field or "[]") for item in value]
        whole = shapes[0] if shapes else None
        for shape in shapes[1:]:
            whole = merged(whole, shape)
        return [whole] if shapes else []
    if isinstance(value, str) and field in WORDS and _WORD.fullmatch(value):
        return f"={value}"
    if isinstance(value, int) and not isinstance(value, bool) and field in WORDS:
        return f"={value}"
    names = {bool: "truth", str: "text", int: "number", float: "number", type(None): "null"}
    return names[type(value)]


def shape_of_answer(body: bytes, content_type: str) -> Any:
    """The shape of an answer's body as it came over the wire."""
    if not body:
        return "null"
    if "json" in content_type:
        return _shape(json.loads(body))
    text = body.decode("utf-8", "replace")
    return _shape(text)


def _elements(element: ElementTree.Element) -> Any:
    """The elements below one, by name; elements of one name are merged into a list."""
    if not len(element):
        return f"={element.text}" if element.tag == "Code" else "text"
    names = [child.tag for child in element]
    shape: dict[str, Any] = {}
    for child in element:
        value = _elements(child)
        name = child.tag
        if names.count(name) > 1 or name in ("Blob", "BlobPrefix"):
            shape[name] = [merged(shape[name][0], value)] if name in shape else [value]
        else:
            shape[name] = value
    return shape


def _exchange(raw: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    request, response = raw["request"], raw["response"]
    sent = {k.lower(): v for k, v in request["headers"].items() if k.lower() in REQUEST_HEADERS}
    got = {k.lower(): v for k, v in response["headers"].items() if k.lower() in ANSWER_HEADERS}
    exchange = {
        "method": request["method"],
        "url": _url(request["url"], redactor),
        "headers": {name: _header(name, value, redactor) for name, value in sent.items()},
        "body": _request_body(request["body"], redactor),
        "status": response["status"],
        "answer": {name: _header(name, value, redactor) for name, value in got.items()},
    }
    return {name: value for name, value in exchange.items() if value not in (None, {}, "")}


def _request_body(body: Any, redactor: Redactor) -> Any:
    """A JSON body redacted; of another one its length."""
    if isinstance(body, str):
        if body.startswith("<"):
            return body if "<BlockList>" in body else len(body)
        return len(body)
    return redactor.json(body) if body is not None else None


def _url(url: str, redactor: Redactor) -> str:
    parts = urlsplit(url)
    query = "&".join(
        f"{name}={quote(_value(name, value, redactor), safe='/$')}"
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    )
    host = redactor.host(parts.netloc)
    if parts.path.startswith(("/discovery", "/history/")):
        # Some recordings have blanked the region.
        host = f"{REGION}.api.azureml.ms"
    address = f"{parts.scheme}://{host}"
    path = quote(redactor.path(unquote(parts.path)), safe="/:")
    return f"{address}{path}?{query}" if query else f"{address}{path}"


def _value(name: str, value: str, redactor: Redactor) -> str:
    if name in ("blockid",) or _QUERY_VALUE.fullmatch(value):
        return value
    if name == "$filter" and re.fullmatch(r"\w+\(\)", value):
        return value
    return redactor.path(value)


def _header(name: str, value: str, redactor: Redactor) -> str:
    if name in ADDRESSES:
        return _url(value, redactor)
    if name == "etag":
        # Which answers have the same one is a fact.
        return redactor.headers({name: value})[name]
    if name == "x-ms-rename-source":
        return quote(redactor.path(unquote(value)), safe="/")
    if name in ("range", "x-ms-range", "content-type", "x-ms-error-code", "x-ms-blob-type"):
        return value.partition(";")[0]
    return value if value in ("", "*", "completed") else "text"


def _text(shape: Mapping[str, Any]) -> str:
    """JSON, with a line for each exchange and each answer."""
    lines = [f'{{"kind": {json.dumps(shape["kind"])},', '"exchanges": [']
    lines.append(",\n".join(_line(each) for each in shape["exchanges"]))
    lines.append('], "answers": {')
    answers = shape["answers"].items()
    lines.append(",\n".join(f"{json.dumps(key)}: {_line(value)}" for key, value in answers))
    record = f', "record": {_line(shape["record"])}' if "record" in shape else ""
    return "\n".join([*lines, "}" + record + "}"]) + "\n"


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
