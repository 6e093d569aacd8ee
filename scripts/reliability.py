"""Let stages die, stop and meet full disks, and write docs/reliability.md.

`python scripts/reliability.py try --deaths 2000 --results FILE` appends one line of JSON for each
try to FILE, and may be called again or beside itself (then with another file and another --first);
`python scripts/reliability.py write FILE ...` makes the document of them. It needs strace; full
disks need the right to mount.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.deaths import Outcome

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENT = PROJECT / "docs" / "reliability.md"
#: How many of ten tries go which way.
SHARES = {"kill -9": 16, "full disk": 2, "stopped": 1, "two at once": 1}
HEAD = ["tries", "struck", "half", "lost", "duplicated", "stuck"]
_TEXT = """# Reliability

What a stage leaves behind when its process dies, is stopped, meets a full disk, or is run twice at
once. Made by `python scripts/reliability.py` (`try`, then `write`); the numbers are of what was
run, and `tests/unit/test_reliability.py` holds that they add up and that all that counts harm is 0.

A stage runs once under strace, which shows its commit points (renames, links, fsyncs) and its other
changes of files (writes, removals, new folders), with those of the libraries in C, C++ and Rust.
Each try takes a copy of the home, lets one thing happen at one of these calls, looks at the home
with a new process, runs the stage again, and looks again:

- **kill -9**: the process is killed as it enters the call.
- **full disk**: the home is on a disk of its own with little room left, then gets more.
- **stopped**: the process is stopped at the call (SIGSTOP) while another one runs the same stage,
  and goes on after a second.
- **two at once**: the call takes 0.3 s while another process runs the same stage.

*Struck* are the tries in which the call came, or the disk was full, before the stage was through.
*Half*: a part of the home is neither as before nor as after. *Lost* and *duplicated*: after the
second run a part is not as it is after a run without harm. *Stuck*: the second run does not end
well, or a process beside it does not.

The aim is 2,000 that struck, without harm; the last line of the tables says how many there were.

A whole run is `bikecast run` with new files and one trial: the engine, the process of the training
and Dagster's event log are in it. It takes long, so it has a tenth of the tries.
A run by the UI is the same run, launched in `bikecast ui`, while Dagster's daemon, its webserver,
the process of the run, or all of them die at a random moment.

"""


def main() -> int:
    """`try` or `write`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    attempt = commands.add_parser("try")
    attempt.add_argument("--deaths", type=int, default=2000, help="Tries of all stages together.")
    attempt.add_argument("--seconds", type=float, default=1e9, help="Begin no try after these.")
    attempt.add_argument("--results", type=Path, required=True)
    attempt.add_argument("--first", type=int, default=0, help="Begin with this one of the tries.")
    attempt.add_argument("--stage", action="append", help="Only this stage; may be repeated.")
    write = commands.add_parser("write")
    write.add_argument("results", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "write":
        lines = [line for path in arguments.results for line in path.read_text().splitlines()]
        DOCUMENT.write_text(document([json.loads(line) for line in lines]), encoding="utf-8")
        return 0
    return run(
        arguments.deaths, arguments.seconds, arguments.results, arguments.stage, arguments.first
    )


def run(deaths: int, seconds: float, results: Path, only: list[str] | None, first: int) -> int:
    """Try the stages in turn, so that an early end leaves each with its share."""
    sys.path.insert(0, str(PROJECT))
    from tests.chaos import deaths as engine
    from tests.chaos import services
    from tests.chaos.stages import STAGES, WHOLE

    if reason := engine.can_inject():
        print(f"nothing was tried: {reason}")  # noqa: T201
        return 1
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="bikecast-chaos-") as folder:
        place = Path(folder)
        engine.warm()
        made = engine.make_world(place)
        names = [name for name in STAGES if not only or name in only]
        grounds = [
            engine.Ground.prepared(name, place / str(n), made) for n, name in enumerate(names)
        ]
        each = -(-deaths // len(grounds))
        points = {ground.name: engine.chosen(ground.points, each) for ground in grounds}
        ways = [way for way, share in SHARES.items() for _ in range(share)]
        if os.getuid() != 0:
            ways = [way for way in ways if way != "full disk"]
        bad = 0
        for number in range(first, each):
            for ground in grounds:
                if ground.name == WHOLE and number % 10:
                    continue
                if time.monotonic() > end:
                    return bad
                there = points[ground.name]
                # A step that shares no divisor with their number visits all points, mixed.
                point = there[(number * 7919) % len(there)]
                outcome = engine.tried(ground, ways[(number * 7) % len(ways)], point, number)
                bad += bool(outcome.wrong)
                _keep(results, outcome, len(ground.points), ground.commits)
                if ground.name == WHOLE:
                    victims = list(services.VICTIMS)
                    victim = victims[number // 10 % len(victims)]
                    outcome = services.tried_by_ui(ground, victim, number)
                    bad += bool(outcome.wrong)
                    _keep(results, outcome, 0, 0)
    return bad


def _keep(results: Path, outcome: Outcome, points: int, commits: int) -> None:
    fact = {**vars(outcome), "points": points, "commits": commits}
    with results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(fact) + "\n")


def document(tries: list[dict[str, Any]]) -> str:
    """The document of these tries."""
    by_stage = _table(tries, "stage", points=True)
    by_way = _table(tries, "way", points=False)
    return f"{_TEXT}{by_stage}\n{by_way}"


def _table(tries: list[dict[str, Any]], key: str, *, points: bool) -> str:
    """Counts by `key`, with a last line of their sums."""
    head = [key, *(["commit points", "other changes"] if points else []), *HEAD]
    lines = [f"| {' | '.join(head)} |", f"|---{'|---:' * (len(head) - 1)}|"]
    rows = {
        name: [each for each in tries if each[key] == name]
        for name in dict.fromkeys(each[key] for each in tries)
    }
    for name, some in {**rows, "all": tries}.items():
        kinds = Counter(each["wrong"].partition(":")[0] for each in some if each["wrong"])
        counts = [len(some), sum(each["struck"] for each in some), *(kinds[k] for k in HEAD[2:])]
        if points:
            of_stage = {each["stage"]: (each["commits"], each["points"]) for each in some}
            commits = sum(commit for commit, _ in of_stage.values())
            counts = [commits, sum(p for _, p in of_stage.values()) - commits, *counts]
        lines.append(f"| {name} | {' | '.join(f'{count:,}' for count in counts)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
