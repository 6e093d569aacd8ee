"""Recordings of `bikecast smoke --azure`, read again, and the expectations that they give."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bikecast.core.errors import InvalidInput
from pipelines.smoke.calls import CallKind
from pipelines.smoke.contract import ANSWERS, Answers, Expected, answer_fields
from pipelines.smoke.exchange import Exchange
from pipelines.smoke.recording import EXCHANGES


def read_recording(folder: Path) -> list[Exchange]:
    """The exchanges of a folder, complete or not, in order.

    Raises InvalidInput where the folder holds none, or where a line other than an unfinished last
    one is wrong.
    """
    path = folder / EXCHANGES
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror or error}") from error
    return list(_parsed(path, lines))


def _parsed(path: Path, lines: Sequence[str]) -> Iterator[Exchange]:
    for number, line in enumerate(lines, start=1):
        try:
            yield Exchange(**json.loads(line))
        except (ValueError, TypeError) as error:
            if number == len(lines):
                return
            raise InvalidInput(f"{path}, line {number}: not an exchange: {error}") from error


def summarized(exchanges: Iterable[Exchange]) -> dict[tuple[CallKind, int], Expected]:
    """The expectations that these exchanges give."""
    found: dict[tuple[CallKind, int], list[frozenset[str]]] = {}
    for exchange in exchanges:
        found.setdefault((exchange.kind, exchange.status), []).append(answer_fields(exchange))
    return {
        key: Expected(
            frozenset.intersection(*fields),
            frozenset.union(*fields) - frozenset.intersection(*fields),
        )
        for key, fields in found.items()
    }


def write_answers(answers: Answers) -> None:
    """Write the file that `read_answers` reads: one line a kind and status, sorted."""
    lines = [
        json.dumps(
            {
                "address": kind.address,
                "method": kind.method,
                "api_version": kind.api_version,
                "status": status,
                "always": sorted(expected.always),
                "sometimes": sorted(expected.sometimes),
            }
        )
        for (kind, status), expected in sorted(answers.items(), key=lambda item: item[0])
    ]
    ANSWERS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
