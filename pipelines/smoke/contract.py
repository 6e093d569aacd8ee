"""What the services answered, beside what we expected of them and guessed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.smoke.calls import CallKind, CallRow
from pipelines.smoke.exchange import GUESSED_FILES, Exchange, shapes

#: What the fake cloud of tests/azure answers, by kind and status; a test keeps it true.
ANSWERS = Path(__file__).with_name("answers.json")
#: Clients try again after these.
TRANSIENT = frozenset({0, 401, 408, 429, 500, 502, 503, 504})
#: Answer fields that the product reads, by method and end of the address, for a status below 300.
#: "a|b" is read from either; a field of a list has to be in one of its items.
READS: dict[tuple[str, str], tuple[str, ...]] = {
    ("GET", "{ws}/jobs/{name}"): ("name",),
    ("PUT", "{ws}/jobs/{name}"): ("name", "properties.status", "properties.services"),
    ("GET", "{ws}/runs/{name}/children"): ("value[].runId", "value[].properties.score"),
    ("GET", "{ws}/runs/{name}"): ("runId", "properties.score"),
    ("POST", "/listSecrets"): ("secretsType", "key|sasToken"),
    ("GET", "{ws}/datastores/{name}"): ("properties.accountName", "properties.containerName"),
    ("GET", "{ws}"): ("location", "properties.discoveryUrl"),
    ("GET", "/discovery"): ("api|history",),
    ("GET", "{ws}/models/{name}/versions"): ("value[].name", "value[].properties.modelUri"),
    ("PUT", "{ws}/models/{name}/versions/{name}"): ("properties.modelUri",),
    ("GET", "/sqlPools/{name}"): ("properties.status",),
    ("GET", "/bigDataPools/{name}"): ("properties.sparkVersion", "properties.nodeCount"),
    ("GET", "/batches"): (
        *("sessions", "sessions[].id", "sessions[].name", "sessions[].state"),
        "sessions[].result",
    ),
    ("POST", "/batches"): ("id", "name", "state", "result"),
    ("GET", "/batches/{name}"): ("id", "name", "state", "result"),
    ("POST", "/oauth2/v2.0/token"): ("access_token", "expires_in"),
}
#: Where a job may name its best trial.
_TAG, _PROPERTY = "automl_best_child_run_id", "best_child_run_id"
#: Maps whose keys are anybody's: their fields are not compared.
_FREE = ("tags", "properties.properties", "outputs", "metadata", "packages")
Verdict = Literal["as expected", "differs", "new", "refused"]


@dataclass(frozen=True)
class Expected:
    """The fields of the answers of one kind and status: in each of them, and in some."""

    always: frozenset[str]
    sometimes: frozenset[str]


Answers = Mapping[tuple[CallKind, int], Expected]


@dataclass(frozen=True)
class KindReport:
    """What a run learned of one kind of call. `problems` refute something, `notes` do not."""

    kind: CallKind
    client: str
    sure: str
    calls: int
    statuses: tuple[int, ...]
    verdict: Verdict
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def compared(
    exchanges: Sequence[Exchange], table: Sequence[CallRow], answers: Answers
) -> list[KindReport]:
    """One report a kind that was called, those with problems first."""
    rows = {row.kind: row for row in table}
    by_kind: dict[CallKind, list[Exchange]] = {}
    for exchange in exchanges:
        by_kind.setdefault(exchange.kind, []).append(exchange)
    reports = [_compared(kind, same, rows, answers) for kind, same in by_kind.items()]
    return sorted(reports, key=lambda report: (not report.problems, report.kind))


def _compared(
    kind: CallKind, exchanges: list[Exchange], rows: Mapping[CallKind, CallRow], answers: Answers
) -> KindReport:
    row = rows.get(kind)
    statuses = tuple(sorted({exchange.status for exchange in exchanges}))
    client = next((each.client for each in exchanges if each.client), row.client if row else "")
    problems, notes = [], []
    if row is None:
        problems.append(_unknown(kind, rows))
    expected = {status for each, status in answers if each == kind}
    for status in statuses:
        of_status = [exchange for exchange in exchanges if exchange.status == status]
        if status not in expected and row is not None:
            errors = sorted({_reason(exchange) for exchange in of_status} - {""})
            text = f"status {status or 'none'}" + (f" ({', '.join(errors)})" if errors else "")
            if status in TRANSIENT:
                notes.append(f"{len(of_status)} times {text}")
            elif expected:
                wanted = ", ".join(map(str, sorted(expected)))
                problems.append(f"{text}, expected {wanted}")
            else:
                notes.append(f"{text}: no expectation of this call's answers is known")
        more, less = _fields(of_status, answers.get((kind, status)))
        notes += [f"also has {', '.join(more)}"] if more else []
        missing = _missing(kind, status, of_status)
        problems += [f"lacks {', '.join(missing)}, which is read"] if missing else []
        rest = [name for name in less if name not in missing]
        notes += [f"lacks {', '.join(rest)}, which is not read"] if rest else []
    verdict: Verdict = "as expected"
    if row is None:
        verdict = "new"
    elif problems:
        verdict = "differs"
    elif TRANSIENT.issuperset(statuses):
        verdict = "refused"
    sure = row.sure if row else "unknown"
    return KindReport(
        kind, client, sure, len(exchanges), statuses, verdict, tuple(problems), tuple(notes)
    )


def _unknown(kind: CallKind, rows: Mapping[CallKind, CallRow]) -> str:
    same = [each for each in rows if (each.address, each.method) == (kind.address, kind.method)]
    if same:
        versions = ", ".join(sorted(each.api_version or "none" for each in same))
        return f"api-version {kind.api_version or 'none'}, the table has {versions}"
    return "this call is not in the table"


def _reason(exchange: Exchange) -> str:
    code = exchange.headers.get("x-ms-error-code", "")
    body = exchange.body if isinstance(exchange.body, Mapping) else {}
    error = body.get("error")
    if isinstance(error, Mapping):
        code = code or str(error.get("code") or "")
    return exchange.error or code


def _fields(
    exchanges: Iterable[Exchange], expected: Expected | None
) -> tuple[list[str], list[str]]:
    """Fields beyond the expected ones, and expected ones that an answer lacks."""
    if expected is None:
        return [], []
    more: set[str] = set()
    less: set[str] = set()
    for exchange in exchanges:
        more |= answer_fields(exchange) - expected.always - expected.sometimes
        less |= {name for name in expected.always if lacks(exchange.body, name.split("."))}
    return _outermost(more), _outermost(less)


def _outermost(names: set[str]) -> list[str]:
    """Without the fields below another one of them."""
    return sorted(
        name
        for name in names
        if not any(name != other and name.startswith((f"{other}.", f"{other}[")) for other in names)
    )


def _missing(kind: CallKind, status: int, exchanges: Sequence[Exchange]) -> list[str]:
    """Fields that the product reads and that an answer lacks."""
    if not 200 <= status < 300:
        return []
    wanted = [
        name
        for (method, end), names in READS.items()
        if method == kind.method and kind.address.endswith(end)
        for name in names
    ]
    bodies = [each.body for each in exchanges if each.body_kind == "json"]
    return [
        name
        for name in wanted
        if any(all(lacks(body, each.split(".")) for each in name.split("|")) for body in bodies)
    ]


def lacks(value: Any, path: Sequence[str]) -> bool:
    """Whether a field is not there; below null and in an empty list nobody can tell, so: no.

    The field of a list's items (`value[]`, `name`) has to be in one of them.
    """
    if not path or value is None:
        return False
    name = path[0].removesuffix("[]")
    if not isinstance(value, Mapping) or name not in value:
        return True
    item = value[name]
    if name == path[0] or item is None:
        return lacks(item, path[1:])
    if not isinstance(item, list):
        return True
    return bool(item) and all(lacks(each, path[1:]) for each in item)


def answer_fields(exchange: Exchange) -> frozenset[str]:
    """The paths of an answer's fields, without those of maps whose keys are anybody's."""
    if exchange.body_kind != "json":
        return frozenset()
    free = [*_FREE, "properties"] if "/history/" in exchange.address else list(_FREE)
    return frozenset(name for name in shapes(exchange.body) if name and not _is_free(name, free))


def _is_free(name: str, free: Sequence[str]) -> bool:
    parents = f".{name.rpartition('.')[0]}.".replace("[].", ".")
    return any(f".{each}." in parents for each in free)


def read_answers() -> dict[tuple[CallKind, int], Expected]:
    """The expectations in ANSWERS."""
    answers = {}
    for entry in json.loads(ANSWERS.read_text(encoding="utf-8")):
        kind = CallKind(entry["address"], entry["method"], entry["api_version"])
        always, sometimes = frozenset(entry["always"]), frozenset(entry["sometimes"])
        answers[kind, int(entry["status"])] = Expected(always, sometimes)
    return answers


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
