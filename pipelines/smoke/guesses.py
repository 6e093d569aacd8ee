"""What a recording says about the guesses that addresses do not show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.smoke.exchange import GUESSED_FILES, Exchange

_TAG, _PROPERTY = "automl_best_child_run_id", "best_child_run_id"


def learned(
    exchanges: Sequence[Exchange], statements: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Each guess of docs/azure.md with what was found: confirmed, refuted, or not seen."""
    children = [e.body for e in _of(exchanges, "GET", "/runs/{name}/children") if e.body]
    jobs = [e.body for e in _of(exchanges, "GET", "{ws}/jobs/{name}") if _completed(e.body)]
    read = {e.file for e in exchanges if e.file and e.status in (200, 206)}
    tried = bool(children)
    facts = {
        "a trial's score is among its run's properties": _verdict(
            tried,
            any("score" in _map(run, "properties") for body in children for run in _runs(body)),
        ),
        "the job names the best trial": _best(jobs),
    }
    for name in GUESSED_FILES:
        facts[f"the model is at {name}"] = _verdict(tried, name in read)
    numbers = sorted({int(each["error"]) for each in statements if each.get("error")})
    if statements:
        facts["errors of the SQL pool"] = ", ".join(map(str, numbers)) or "none"
    return facts


def _best(jobs: Sequence[Any]) -> str:
    if not jobs:
        return "not seen"
    properties = _map(jobs[-1], "properties")
    if _TAG in _map(properties, "tags"):
        return f"confirmed: by the tag {_TAG}"
    if _PROPERTY in _map(properties, "properties"):
        return f"confirmed: by the property {_PROPERTY}"
    return "refuted: neither by a tag nor by a property; the best score decides"


def _completed(body: Any) -> bool:
    return _map(body, "properties").get("status") == "Completed"


def _verdict(tried: bool, holds: bool) -> str:
    return ("confirmed" if holds else "refuted") if tried else "not seen"


def _of(exchanges: Sequence[Exchange], method: str, end: str) -> list[Exchange]:
    return [e for e in exchanges if e.method == method and e.address.endswith(end)]


def _runs(body: Any) -> list[Any]:
    value = body.get("value") if isinstance(body, Mapping) else None
    return value if isinstance(value, list) else []


def _map(value: Any, name: str) -> Mapping[str, Any]:
    item = value.get(name) if isinstance(value, Mapping) else None
    return item if isinstance(item, Mapping) else {}
