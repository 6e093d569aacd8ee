"""Checks of an installation: each has a time limit, and none stops the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bikecast.core.errors import BikecastError

State = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Diagnosis:
    """What one check says; `remedy` is the command, role or setting that mends it."""

    area: str
    name: str
    state: State
    detail: str
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """One check; it gives its diagnoses or raises, and an error is a diagnosis too."""

    area: str
    name: str
    look: Callable[[], Sequence[Diagnosis]]

    def failed(self, detail: str, remedy: str = "") -> Diagnosis:
        """The diagnosis of a check that came to none."""
        return Diagnosis(self.area, self.name, "failed", detail, remedy)


def examine(checks: Sequence[Check], seconds: float) -> list[Diagnosis]:
    """Run all checks at the same time; each gets `seconds` at most.

    A check that does not end is reported as failed and left behind.
    """
    results: dict[int, Sequence[Diagnosis]] = {}
    threads = [
        threading.Thread(target=_run, args=(number, check, results), daemon=True)
        for number, check in enumerate(checks)
    ]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    diagnoses: list[Diagnosis] = []
    for number, check in enumerate(checks):
        remedy = "Look at the network, the proxy and the firewall; --timeout gives it more time"
        late = check.failed(f"no answer in {seconds:.0f} seconds", remedy)
        diagnoses += results.get(number, [late])
    return diagnoses


def _run(number: int, check: Check, results: dict[int, Sequence[Diagnosis]]) -> None:
    try:
        results[number] = check.look()
    except BikecastError as error:
        results[number] = [check.failed(str(error))]
    except BaseException as error:  # noqa: BLE001  # one that breaks, in Rust too, hides no other
        text = (str(error).strip().splitlines() or [""])[0]
        results[number] = [check.failed(f"{type(error).__name__}: {text}")]
