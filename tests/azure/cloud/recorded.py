"""Answers that have every field of a recorded one, with values of its type."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.azure.recorded_shapes import read_shapes

_TIME = re.compile(r".*([tT]ime|Date|At|On|Utc|Timestamp|created|changed)")
MOMENT = "2026-01-02T03:04:05.678901Z"
_VALUES = {"text": "text", "number": 1, "truth": False, "null": None, "object": {}, "list": []}


def like(kind: str, call: str, own: Mapping[str, Any], *, inner: str = "properties") -> Any:
    """A recorded answer with our values: those of `own`, and of `own[inner]` one level below."""
    body = copy.deepcopy(_example(kind, call))
    for name, value in own.items():
        both = name == inner and isinstance(body.get(name), dict)
        body[name] = body[name] | value if both else value
    return body


@cache
def _example(kind: str, call: str) -> Any:
    return _value(read_shapes()[kind]["answers"][call])


def _value(shape: Any, field: str = "") -> Any:
    """A value of a shape; what is not always there is left out."""
    if isinstance(shape, dict):
        return {
            name: _value(inner, name) for name, inner in shape.items() if not name.endswith("?")
        }
    if isinstance(shape, list):
        return [_value(inner, field) for inner in shape]
    if shape.startswith("="):
        return shape[1:]
    types = shape.split("|")
    if "text" in types and "null" not in types and _TIME.fullmatch(field):
        return MOMENT
    return copy.deepcopy(_VALUES["null" if "null" in types else types[0]])
