"""Names and types of the resources that deploy/azure uses, reduced from Azure's specification.

`python -m pytest tests/arm/renew_types.py` writes `types.json` from the schemas in ../shared. In
it a resource is a map of its fields: a map where the field has fields of its own, else "text",
"number", "truth", "any", a list with the shape of its elements, or `{"one of": [...]}`. An
exclamation mark ends the name of a field that must be there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.settings import PROJECT

TEMPLATES = PROJECT / "deploy" / "azure"
SCHEMAS = PROJECT / ".." / "shared" / "azure-schemas"
TYPES = Path(__file__).with_name("types.json")
#: Fields of every resource of a template, whatever its type.
OF_ALL = frozenset(
    "type apiVersion name dependsOn condition copy comments metadata resources scope".split()
)
_KINDS = {"string": "text", "integer": "number", "number": "number", "boolean": "truth"}
_BRANCH = "SynapseSpark"  # the one kind of compute that is attached


def read_types() -> dict[str, Any]:
    """The committed table, by TYPE@VERSION."""
    table: dict[str, Any] = json.loads(TYPES.read_text("utf-8"))
    return table


def read_template(name: str) -> dict[str, Any]:
    """A template of deploy/azure."""
    template: dict[str, Any] = json.loads((TEMPLATES / f"{name}.json").read_text("utf-8"))
    return template


def used_types() -> list[str]:
    """TYPE@VERSION of all resources of the templates."""
    resources = [r for name in ("main", "links") for r in read_template(name)["resources"]]
    return sorted({f"{each['type']}@{each['apiVersion']}" for each in resources})


def reduced_types() -> dict[str, Any]:
    """The table as the schemas in ../shared have it."""
    return {used: _fields(_schema(used)) for used in used_types()}


def write_types() -> None:
    """Renew the committed table: one type a line."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(shape, separators=(',', ':'))}"
        for name, shape in reduced_types().items()
    ]
    TYPES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _schema(used: str) -> Mapping[str, Any]:
    file = SCHEMAS / f"{used.replace('/', '.')}.schema.json"
    schema: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
    return schema


def _fields(schema: Mapping[str, Any]) -> dict[str, Any]:
    needed = schema.get("required", ())
    return {
        f"{name}!" if name in needed else name: _shape(inner)
        for name, inner in sorted(schema["properties"].items())
        if name not in OF_ALL or schema.get("$id") is None
    }


def _shape(schema: Mapping[str, Any]) -> Any:
    """What a field may be; behind `else` is what is no expression."""
    words = schema.get("enum") or schema.get("then", {}).get("enum")
    if words:
        return {"one of": words}
    value = schema.get("else", schema)
    for branch in value.get("allOf", ()):
        if branch["if"]["properties"].get("computeType", {}).get("const") == _BRANCH:
            return _fields(branch["then"])
    if "properties" in value:
        return _fields(value)
    if value.get("type") == "array":
        return [_shape(value.get("items", {}))]
    return _KINDS.get(value.get("type", ""), "any")
