"""A template of deploy/azure held against the table of types: what Azure would refuse.

It knows what these templates use: flat resources, copy loops and expressions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.arm.types import OF_ALL

_USE = re.compile(r"\b(parameters|variables)\('([^']+)'\)")
_RESOURCE_ID = re.compile(r"\bresourceId\('([^']+)'")
_KINDS = {"text": str, "number": int, "truth": bool}
#: The field that holds the words of an enumeration.
_WORDS = "one of"


def faults(template: Mapping[str, Any], types: Mapping[str, Any]) -> list[str]:
    """What is wrong with a template, each with its place; empty where nothing is."""
    return [*_names(template), *_references(template), *_resources(template, types)]


def _names(template: Mapping[str, Any]) -> Iterator[str]:
    """Parameters and variables that are used and not declared, or the other way."""
    uses = {(kind, name) for text in _expressions(template) for kind, name in _USE.findall(text)}
    declared = {(k, n) for k in ("parameters", "variables") for n in template.get(k, {})}
    yield from (f"{kind}.{name} is not declared" for kind, name in sorted(uses - declared))
    yield from (f"{kind}.{name} is not used" for kind, name in sorted(declared - uses))
    for name, parameter in template.get("parameters", {}).items():
        is_secret = "password" in name.lower()
        if is_secret and (parameter["type"] != "securestring" or "defaultValue" in parameter):
            yield f"parameters.{name} is a secret in plain sight"


def _references(template: Mapping[str, Any]) -> Iterator[str]:
    """Dependencies on what the template does not make."""
    resources = template["resources"]
    made = {each["type"] for each in resources}
    loops = {each["copy"]["name"] for each in resources if "copy" in each}
    for text in _expressions(template):
        for kind in _RESOURCE_ID.findall(text):
            if kind not in made:
                yield f"resourceId names {kind}, which is not made here"
    for number, each in enumerate(resources):
        for needed in each.get("dependsOn", ()):
            if not needed.startswith("[") and needed not in loops:
                yield f"resources[{number}].dependsOn names {needed}, which is no loop here"
            if needed.startswith("[resourceId(") and not _is_made(needed, resources):
                yield f"resources[{number}].dependsOn names {needed}, which is not made here"


def _is_made(needed: str, resources: list[dict[str, Any]]) -> bool:
    """Whether a resource has the type and name of a `resourceId(...)`."""
    kind, *names = re.findall(r"'[^']*'|variables\('[^']*'\)", needed)
    wanted = [kind.strip("'"), *(_plain(name) for name in names)]
    return any(wanted == [each["type"], *_segments(each["name"])] for each in resources)


def _segments(name: str) -> list[str]:
    """The names in a resource's name, of which `concat` makes one."""
    parts = re.findall(r"'[^']*'|variables\('[^']*'\)", name.strip("[]"))
    return [part for part in "".join(_plain(part) for part in parts).split("/") if part]


def _plain(part: str) -> str:
    """A literal without its quotes; a variable as a word of its own."""
    return f"<{part[11:-2]}>" if part.startswith("variables(") else part.strip("'")


def _resources(template: Mapping[str, Any], types: Mapping[str, Any]) -> Iterator[str]:
    for number, each in enumerate(template["resources"]):
        where = f"resources[{number}]"
        shape = types.get(f"{each['type']}@{each['apiVersion']}")
        if shape is None:
            yield f"{where}: {each['type']}@{each['apiVersion']} is not in the table"
            continue
        own = {name: value for name, value in each.items() if name not in OF_ALL}
        yield from _compared(own, shape, where)
        if "copy" in each and "copyIndex()" not in each["name"]:
            yield f"{where}.name is the same in each round of its loop"


def _compared(value: Any, shape: Any, where: str) -> Iterator[str]:
    """Where a value is not of a shape; an expression may be anything."""
    if isinstance(value, str) and value.startswith("["):
        return
    if isinstance(shape, dict) and _WORDS in shape:
        if value not in shape[_WORDS]:
            yield f"{where} is {value!r}, not one of {', '.join(map(str, shape[_WORDS]))}"
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            yield f"{where} is {value!r}, not an object"
            return
        inner = {name.rstrip("!"): each for name, each in shape.items()}
        needed = {name[:-1] for name in shape if name.endswith("!")}
        yield from (f"{where}.{name} is missing" for name in sorted(needed - value.keys()))
        for name, each in value.items():
            if name in inner:
                yield from _compared(each, inner[name], f"{where}.{name}")
            else:
                yield f"{where}.{name} is not known"
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{where} is {value!r}, not a list"
            return
        for number, each in enumerate(value):
            yield from _compared(each, shape[0], f"{where}[{number}]")
    elif shape != "any" and type(value) is not _KINDS[shape]:
        yield f"{where} is {value!r}, not a {shape}"


def _expressions(value: Any) -> Iterator[str]:
    """All texts of a template that Azure evaluates."""
    if isinstance(value, str) and value.startswith("["):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _expressions(each)
    elif isinstance(value, list):
        for each in value:
            yield from _expressions(each)
