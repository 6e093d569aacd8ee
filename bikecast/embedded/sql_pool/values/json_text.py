"""JSON as text: what the JSON functions find at a path, and how they change it in its place.

Source: https://learn.microsoft.com/sql/relational-databases/json/json-path-expressions-sql-server
and https://learn.microsoft.com/sql/t-sql/functions/json-modify-transact-sql
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from bikecast.embedded.sql_pool.errors import SqlError, failure

_STEP = re.compile(r'\.(?:"((?:[^"\\]|\\.)*)"|([A-Za-z_][\w$]*))|\[(\d+)\]')
_BLANK = re.compile(r"[ \t\n\r]*")
#: JSON_VALUE returns no longer text.
_LONGEST = 4000
_ESCAPES = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f"}
_ESCAPES |= {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = str.maketrans({**{chr(i): f"\\u{i:04x}" for i in range(32)}, **_ESCAPES})


def _no_constant(_: str) -> NoReturn:
    raise ValueError("JSON has no NaN and no infinity")


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=_no_constant)


@dataclass(frozen=True)
class _Path:
    steps: tuple[str | int, ...]
    strict: bool = False
    append: bool = False


@dataclass(frozen=True)
class _Item:
    """A member of an object, or an element of an array: its name or number, and its places."""

    key: str | int
    start: int  # of the name, where it has one
    value: int
    end: int


@lru_cache(maxsize=256)
def _path(path: str, *, may_append: bool = False) -> _Path:
    text = path.strip()
    words = re.match(r"(append\s+)?(?:(strict|lax)\s+)?", text)
    append, mode = (bool(words[1]), words[2]) if words else (False, "")
    place = words.end() if words else 0
    steps: list[str | int] = []
    if text.startswith("$", place) and (may_append or not append):
        place += 1
        while match := _STEP.match(text, place):
            steps.append(int(match[3]) if match[3] else match[2] or _name(match[1], text, place))
            place = match.end()
        if place == len(text):
            return _Path(tuple(steps), mode == "strict", append)
    raise _bad_path(text, place)


def _name(quoted: str, path: str, place: int) -> str:
    try:
        return str(_DECODER.raw_decode('"' + quoted + '"')[0])
    except json.JSONDecodeError as error:
        raise _bad_path(path, place) from error


def _bad_path(path: str, place: int) -> SqlError:
    return SqlError(13607, f"JSON path is not properly formatted. {_unexpected(path, place)}")


def _unexpected(text: str, place: int) -> str:
    character = text[place] if place < len(text) else "."
    return f"Unexpected character '{character}' is found at position {place}."


def _root(text: str) -> int:
    """Where the object or array starts that a text is; raises SqlError 13609 for any other text."""
    start = _after_blanks(text, 0)
    place = start
    try:
        if text[start : start + 1] in ("{", "["):
            _DECODER.decode(text)
            return start
    except json.JSONDecodeError as error:
        place = error.pos
    except (ValueError, RecursionError):
        pass
    raise SqlError(13609, f"JSON text is not properly formatted. {_unexpected(text, place)}")


def _after_blanks(text: str, place: int) -> int:
    match = _BLANK.match(text, place)
    return match.end() if match else place


def _items(text: str, start: int) -> Iterator[_Item]:
    """The items of the object or array that starts at `start`, in their order."""
    place = _after_blanks(text, start + 1)
    number = 0
    while text[place] not in "}]":
        key: str | int = number
        value = place
        if text[start] == "{":
            key, colon = _DECODER.raw_decode(text, place)
            value = _after_blanks(text, _after_blanks(text, colon) + 1)
        _, end = _DECODER.raw_decode(text, value)
        yield _Item(key, place, value, end)
        place = _after_blanks(text, end)
        if text[place] == ",":
            place = _after_blanks(text, place + 1)
        number += 1


def _find(text: str, start: int, step: str | int) -> _Item | None:
    """The first item of that name or number; none in a value that has no such items."""
    if text[start] != ("[" if isinstance(step, int) else "{"):
        return None
    return next((item for item in _items(text, start) if item.key == step), None)


def _at(text: str, path: _Path) -> tuple[int, int] | None:
    """The places of the value at a path; strict paths raise SqlError 13608 where there is none."""
    start = _root(text)
    end = len(text.rstrip(" \t\n\r"))
    for step in path.steps:
        item = _find(text, start, step)
        if item is None:
            if path.strict:
                raise failure("13608")
            return None
        start, end = item.value, item.end
    return start, end


def json_value(text: str, path: str) -> str | None:
    """JSON_VALUE: the scalar at a path as text; NULL for none, for an object or an array."""
    read = _path(path)
    place = _at(text, read)
    if place is None:
        return None
    start, end = place
    if text[start] in "{[":
        if read.strict:
            raise SqlError(13623, "Scalar value cannot be found in the specified JSON path.")
        return None
    value: Any = _DECODER.raw_decode(text, start)[0] if text[start] == '"' else text[start:end]
    if len(value) > _LONGEST:
        if read.strict:
            raise SqlError(13625, "String value in the specified JSON path would be truncated.")
        return None
    return None if text[start:end] == "null" else str(value)


def json_query(text: str, path: str) -> str | None:
    """JSON_QUERY: the object or array at a path, as it is written; NULL for none or a scalar."""
    read = _path(path)
    place = _at(text, read)
    if place is not None and text[place[0]] in "{[":
        return text if not read.steps else text[place[0] : place[1]]
    if read.strict:
        raise SqlError(13624, "Object or array cannot be found in the specified JSON path.")
    return None


def is_json(text: str) -> int:
    """ISJSON: 1 for an object or an array."""
    try:
        _root(text)
    except SqlError:
        return 0
    return 1


def json_string(text: str) -> str:
    """A text as a JSON string, escaped as SQL Server does."""
    return f'"{text.translate(_ESCAPED)}"'


def json_modify(text: str, path: str, new: str, quoted: bool) -> str:
    """JSON_MODIFY: the text with a new value at a path.

    `new` is empty for NULL; otherwise '=' and the value, a text to quote or JSON. Raises SqlError
    13619 for the path $, which only append may have, and 13621 where append finds no array.
    """
    read = _path(path, may_append=True)
    value = None
    if new:
        value = json_string(new[1:]) if quoted else new[1:]
    if read.append:
        return _appended(text, read, value or "null")
    if not read.steps:
        raise SqlError(13619, "Unsupported JSON path found in argument 2 of JSON_MODIFY.")
    parent = _at(text, _Path(read.steps[:-1], read.strict))
    item = None if parent is None else _find(text, parent[0], read.steps[-1])
    if parent is None or item is None:
        if read.strict:
            raise failure("13608")
        if parent is None or value is None:
            return text
        return _inserted(text, parent, read.steps[-1], value)
    if value is None and not read.strict and isinstance(item.key, str):
        return _deleted(text, parent[0], item)
    return text[: item.value] + (value or "null") + text[item.end :]


def _appended(text: str, path: _Path, value: str) -> str:
    array = _at(text, path)
    if array is None:
        parent = _at(text, _Path(path.steps[:-1]))
        return text if parent is None else _inserted(text, parent, path.steps[-1], f"[{value}]")
    start, end = array
    if text[start] != "[":
        if path.strict:
            raise SqlError(13621, "Array cannot be found in the specified JSON path.")
        return text
    comma = "" if _is_empty(text, start) else ","
    return f"{text[: end - 1]}{comma}{value}{text[end - 1 :]}"


def _inserted(text: str, parent: tuple[int, int], step: str | int, value: str) -> str:
    """The text with a new member behind the last one of an object; other values take none."""
    start, end = parent
    if text[start] != "{" or isinstance(step, int):
        return text
    comma = "" if _is_empty(text, start) else ","
    return f"{text[: end - 1]}{comma}{json_string(step)}:{value}{text[end - 1 :]}"


def _is_empty(text: str, start: int) -> bool:
    return text[_after_blanks(text, start + 1)] in "}]"


def _deleted(text: str, parent: int, item: _Item) -> str:
    """The text without a member, and without the comma before it, or behind the first one."""
    if item.start != _after_blanks(text, parent + 1):
        before = text.rindex(",", parent, item.start)
        return text[:before] + text[before + 1 : item.start] + text[item.end :]
    behind = _after_blanks(text, item.end)
    rest = text[item.end : behind] + text[behind + (text[behind] == ",") :]
    return text[: item.start] + rest
