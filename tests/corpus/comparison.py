"""The cases of the T-SQL corpus, and what is wrong with an answer; README.md has the rules."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("cases.jsonl")
CASES: list[dict[str, Any]] = [json.loads(line) for line in _FILE.read_text("utf-8").splitlines()]
#: Cases that the embedded pool answers otherwise, and why.
DISPUTED = {
    "catalog-04": "Synapse refuses a (max) column in a columnstore table, the default: "
    "https://learn.microsoft.com/azure/synapse-analytics/sql-data-warehouse/"
    "sql-data-warehouse-tables-index",
    "strings-28": "Synapse has no TRANSLATE: "
    "https://learn.microsoft.com/sql/t-sql/functions/translate-transact-sql (Applies to) and "
    "https://learn.microsoft.com/azure/synapse-analytics/sql/overview-features",
}


@dataclass(frozen=True)
class Rowset:
    """One result set: names, the client's own types, and rows of Python values."""

    names: list[str]
    types: list[Any]
    rows: list[list[Any]]


@dataclass(frozen=True)
class Answer:
    """What a batch came to; after an error the rest does not count."""

    results: list[Rowset] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    error: str = ""
    number: int | None = None


def fault(
    case: dict[str, Any], run: Callable[[str], Answer], same_type: Callable[[str, Any], bool]
) -> str:
    """What is wrong with the answers to a case, or an empty text.

    `run` runs a batch on one connection; `same_type` compares SQL Server's name of a type with
    the client's type.
    """
    expect = case["expect"]
    refused = bool(expect.get("refused"))
    for batch in case["setup"]:
        if error := run(batch).error:
            return "" if refused else f"setup failed: {batch}: {error}"
    answer = run(case["sql"])
    if refused:
        return "" if answer.error else f"accepted: {answer.results}"
    if "error" in expect:
        numbers = [expect["error"], *expect.get("error_alt", [])]
        return "" if answer.number in numbers else f"expected error {numbers}, got {answer}"
    if answer.error:
        return answer.error
    wanted = results_of(expect)
    if len(answer.results) != len(wanted):
        return f"{len(answer.results)} result sets, expected {len(wanted)}"
    for want, got in zip(wanted, answer.results, strict=True):
        if problem := _rowset_fault(want, got, same_type, ordered=has_order(case["sql"])):
            return problem
    if "messages" in expect and answer.messages != expect["messages"]:
        return f"messages {answer.messages}, expected {expect['messages']}"
    return ""


def results_of(expect: dict[str, Any]) -> list[dict[str, Any]]:
    """The result sets that a case expects."""
    results: list[dict[str, Any]] = expect.get("results", [expect] if "columns" in expect else [])
    return results


def has_order(sql: str) -> bool:
    """Whether the batch has an outer ORDER BY."""
    inner = r"(over|within group)\s*\([^()]*(\([^()]*\)[^()]*)*\)"
    return "order by" in re.sub(inner, "", sql.lower())


def _rowset_fault(
    want: dict[str, Any], got: Rowset, same_type: Callable[[str, Any], bool], *, ordered: bool
) -> str:
    names = [name.lower() for name in got.names]
    if names != [column["name"].lower() for column in want["columns"]]:
        return f"columns {names}"
    rows = [[_encoded(value) for value in row] for row in got.rows]
    if not _same_rows(want["rows"], rows, ordered=ordered):
        return f"rows {rows}, expected {want['rows']}"
    for column, actual in zip(want["columns"], got.types, strict=True):
        if not same_type(column["type"], actual):
            return f"type of {column['name']!r}: {actual}, expected {column['type']}"
    return ""


def _encoded(value: Any) -> Any:
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex().upper()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value).upper()
    return value


def _same(want: Any, got: Any) -> bool:
    if want is None or got is None:
        return want is got
    if isinstance(want, float) or isinstance(got, float):
        try:
            return math.isclose(float(want), float(got), rel_tol=1e-6, abs_tol=1e-12)
        except (TypeError, ValueError):
            return False
    return bool(want == got)


def _same_row(want: list[Any], got: list[Any]) -> bool:
    return len(want) == len(got) and all(map(_same, want, got))


def _same_rows(want: list[list[Any]], got: list[list[Any]], *, ordered: bool) -> bool:
    if len(want) != len(got):
        return False
    if ordered:
        return all(map(_same_row, want, got))
    rest = list(got)
    for row in want:
        match = next((i for i, other in enumerate(rest) if _same_row(row, other)), None)
        if match is None:
            return False
        del rest[match]
    return True
