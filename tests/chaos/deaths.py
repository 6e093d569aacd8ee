"""Processes that die, stop or meet a full disk at a chosen system call, by strace's injection.

A stage runs in a child of this process, forked once everything is imported and before any library
has started a thread, so that a death costs a fork and the stage itself.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bikecast.core.errors import BikecastError
from pipelines.home import Home
from tests.chaos.stages import STAGES, STEPS, state, world

#: What makes a change visible or durable: the commit points.
COMMITS = ("rename", "renameat", "renameat2", "link", "linkat", "fsync", "fdatasync")
#: What else changes a file; between two of them a state is half written.
CHANGES = ("unlink", "unlinkat", "ftruncate", "pwrite64", "write", "mkdir", "mkdirat")
_CALL = re.compile(r"^(\d+) +(\w+)\(", re.MULTILINE)
#: A guard against a hang, for a busy machine.
STUCK_SECONDS = 300.0
FAILED, TOLD = 4, 3
WAYS = ("kill -9", "full disk", "stopped", "two at once")


def can_inject() -> str:
    """Why processes cannot be traced here; empty where they can."""
    strace = shutil.which("strace")
    if strace is None:
        return "there is no strace"
    probe = [strace, "-qq", "-o", os.devnull, "-e", "inject=fsync:signal=KILL:when=9", "true"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return done.stderr.strip()[:200] if done.returncode else ""


@dataclass(frozen=True)
class Point:
    """The `number`-th call of a system call in its thread."""

    call: str
    number: int

    def injected(self, what: str) -> tuple[str, ...]:
        """strace's arguments that do `what` there."""
        injection = f"inject={self.call}:{what}:when={self.number}"
        return ("-e", f"trace={self.call}", "-e", injection)


@dataclass
class Child:
    """A forked process; its end is its exit code, or minus the signal that ended it."""

    pid: int
    tracer: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, work: Callable[[], object], log: Path, trace: tuple[str, ...] = ()) -> Child:
        """Fork; with `trace`, the work begins once strace with these arguments looks on."""
        pid = os.fork()
        if pid == 0:
            _work(work, log, wait=bool(trace))
        if not trace:
            return cls(pid)
        os.waitpid(pid, os.WUNTRACED)
        command = ["strace", "-f", "-qq", "-o", str(log.with_suffix(".calls")), "-p", str(pid)]
        tracer = subprocess.Popen([*command, *trace], stderr=subprocess.DEVNULL)
        status = Path(f"/proc/{pid}/status")
        while "TracerPid:\t0" in status.read_text() and tracer.poll() is None:
            time.sleep(0.002)
        os.kill(pid, signal.SIGCONT)
        return cls(pid, tracer)

    def end(self, seconds: float = STUCK_SECONDS, *, resumed: bool = False) -> int | None:
        """Wait for the end; None where it did not come, and the process is killed.

        `resumed` lets it go on wherever a signal has stopped it.
        """
        deadline, code = time.monotonic() + seconds, None
        while code is None and time.monotonic() < deadline:
            if resumed:
                os.kill(self.pid, signal.SIGCONT)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if pid else None
            time.sleep(0.005)
        if code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.tracer is not None:
            self.tracer.wait()
        return code

    def is_stopped(self) -> bool:
        """Whether it was stopped by a signal, or has ended: a call that is traced is shorter."""
        status = Path(f"/proc/{self.pid}/status")
        for _ in range(20):
            if re.search(r"^State:\s+[TtZ]", status.read_text(), re.MULTILINE) is None:
                return False
            time.sleep(0.005)
        return True


def _work(work: Callable[[], object], log: Path, *, wait: bool) -> None:
    code = FAILED
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        if wait:
            os.kill(os.getpid(), signal.SIGSTOP)
        work()
        code = 0
    except BikecastError:
        traceback.print_exc()
        code = TOLD
    except BaseException:  # noqa: BLE001 # the child ends here whatever it is
        traceback.print_exc()
    finally:
        os._exit(code)


@dataclass
class Ground:
    """Where a stage is tried: the home before it, and what can be seen before and after it."""

    name: str
    folder: Path
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    commits: int = 0
    """Commit points of the stage, in all its threads."""
    growth: int = 0
    """Bytes that the stage leaves more than there were."""

    @property
    def stage(self) -> Callable[[Home], None]:
        """What is killed."""
        return STAGES[self.name][1]

    @property
    def start(self) -> Path:
        """The folder that each try begins with a copy of."""
        return self.folder / "start"

    @classmethod
    def prepared(cls, name: str, folder: Path, made: Path) -> Ground:
        """The ground of a stage, from a copy of the `made` world; traced once to its end."""
        ground = cls(name, folder)
        shutil.copytree(made, ground.start)
        home, log = Home(ground.start / "home"), folder / "log"
        if Child.start(lambda: STAGES[name][0](home), log).end() != 0:
            raise RuntimeError(f"{name} cannot begin: {log.read_text()}")
        trace = ("-e", f"trace={','.join((*COMMITS, *CHANGES))}")
        with ground.copy("traced") as place:
            ground.before = ground.seen(place)
            end = Child.start(lambda: ground.stage(Home(place / "home")), log, trace).end()
            if end != 0:
                raise RuntimeError(f"{name} does not go through ({end}): {log.read_text()}")
            calls = _CALL.findall(log.with_suffix(".calls").read_text())
            ground.growth = _room(place) - _room(ground.start)
            ground.after = ground.seen(place)
        ground.commits = sum(call in COMMITS for _, call in calls)
        most: dict[str, int] = {}
        for (_, call), count in Counter(calls).items():
            most[call] = max(most.get(call, 0), count)
        ground.points = [
            Point(call, number) for call, count in most.items() for number in range(1, count + 1)
        ]
        return ground

    @contextlib.contextmanager
    def copy(self, name: str, room: int | None = None) -> Iterator[Path]:
        """A copy of the start; with `room` on a disk of its own with so many bytes left."""
        place = self.folder / name
        place.mkdir()
        try:
            if room is not None:
                option = f"size={_room(self.start) + room},mode=0700"
                subprocess.run(["mount", "-t", "tmpfs", "-o", option, "tmpfs", place], check=True)
            shutil.copytree(self.start, place, dirs_exist_ok=True)
            yield place
        finally:
            if room is not None:
                subprocess.run(["umount", "-l", place], check=True)
            shutil.rmtree(place, ignore_errors=True)

    def seen(self, place: Path) -> dict[str, Any]:
        """The state of a home, seen by a process of its own."""
        answer, log = self.folder / "state.json", self.folder / "log"
        answer.unlink(missing_ok=True)
        look = Child.start(
            lambda: answer.write_text(json.dumps(state(Home(place / "home")))), log
        ).end()
        if look != 0:
            raise RuntimeError(f"the state of {place} cannot be seen: {log.read_text()[-3000:]}")
        seen: dict[str, Any] = json.loads(answer.read_text())
        return seen


@dataclass(frozen=True)
class Outcome:
    """What came of one try; `wrong` is empty where all is well."""

    stage: str
    way: str
    where: str
    struck: bool
    """Whether the process met what was prepared for it, before it was through."""
    wrong: str = ""
    """half, lost, duplicated or stuck, and where that is seen."""


def _room(folder: Path) -> int:
    """Bytes that the pages of a folder's files take."""
    sizes = (path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return 4096 * sum(-(-size // 4096) for size in sizes)


def tried(ground: Ground, way: str, point: Point, number: int) -> Outcome:
    """Let one thing happen at a point, repeat the stage, and look."""
    where = f"{point.call} {point.number}"
    room = max(ground.growth, 2**15) * (number % 16) // 16 if way == "full disk" else None
    with ground.copy(f"try-{number}", room) as place:
        log, home = ground.folder / "log", Home(place / "home")
        log.unlink(missing_ok=True)

        def stage() -> None:
            ground.stage(home)

        if way == "kill -9":
            Child.start(stage, log, point.injected("signal=KILL")).end()
            struck = "killed by SIGKILL" in log.with_suffix(".calls").read_text()
        elif way == "full disk":
            where, struck = f"{room} bytes left", Child.start(stage, log).end() != 0
            subprocess.run(["mount", "-o", "remount,size=1g", place], check=True)
        else:
            first = Child.start(
                stage,
                log,
                point.injected("signal=STOP" if way == "stopped" else "delay_enter=300000"),
            )
            ends = [*_beside(first, stage, log, stopped=way == "stopped")]
            struck = True
            if None in ends or FAILED in ends:
                return Outcome(ground.name, way, where, struck, f"stuck: ends {ends}")
        steps = STEPS.get(ground.name, set())
        half = "" if steps is None else strange(ground, ground.seen(place), steps)
        if half:
            return Outcome(ground.name, way, where, struck, f"half: {half}")
        again = Child.start(stage, log).end()
        if again != 0:
            text = log.read_text()[-1500:]
            return Outcome(ground.name, way, where, struck, f"stuck: the next ends {again}: {text}")
        return Outcome(ground.name, way, where, struck, missed(ground, ground.seen(place)))


def _beside(
    first: Child, stage: Callable[[], None], log: Path, *, stopped: bool
) -> Iterator[int | None]:
    """The ends of a process that is stopped or slow, and of another one beside it."""
    if stopped:
        deadline = time.monotonic() + STUCK_SECONDS
        while not first.is_stopped() and time.monotonic() < deadline:
            time.sleep(0.005)
    second = Child.start(stage, log)
    if stopped:
        time.sleep(1.0)
    yield first.end(resumed=stopped)
    yield second.end()


def strange(ground: Ground, seen: dict[str, Any], steps: set[str]) -> str:
    """The parts that are neither as before nor as after; those that go by `steps` do not count."""
    return ", ".join(
        f"{part} {str(seen[part])[:200]}"
        for part in seen.keys() - steps
        if seen[part] not in (ground.before[part], ground.after[part])
    )


def missed(ground: Ground, seen: dict[str, Any]) -> str:
    """What is not as it is after the stage: lost, or there twice."""
    for part, value in seen.items():
        expected = ground.after[part]
        if value != expected:
            longer = isinstance(value, list) and len(value) > len(expected or [])
            kind = "duplicated" if longer else "lost"
            return f"{kind}: {part} is {str(value)[:200]}, not {str(expected)[:200]}"
    return ""


def chosen(points: list[Point], most: int) -> list[Point]:
    """At most so many points: all commit points first, then evenly those of other changes."""
    commits = [point for point in points if point.call in COMMITS]
    changes = [point for point in points if point.call not in COMMITS]
    if len(commits) >= most:
        return [commits[i * len(commits) // most] for i in range(most)]
    rest = min(most - len(commits), len(changes))
    return commits + [changes[i * len(changes) // rest] for i in range(rest)]


def warm() -> None:
    """Import what the stages use, and nothing that starts a thread."""
    for name in (
        "dagster",
        "mlflow.store.tracking.sqlalchemy_store",
        "mlflow.tracking",
        "onnx",
        "pyarrow.dataset",
        "bikecast.embedded.sql_pool.internal",
        "bikecast.embedded.sql_pool.predict.scorers",
        "resources.lake.scoring_rows",
        "resources.spark.delta_table",
    ):
        importlib.import_module(name)


def make_world(folder: Path) -> Path:
    """The world that all stages start from, made in a process of its own."""
    made, log = folder / "world", folder / "world.log"
    made.mkdir(parents=True)
    database = folder / "mlflow.db"

    def make() -> None:
        from bikecast.embedded.mlflow import prepare_store

        prepare_store(f"sqlite:///{database}")
        world(Home(made / "home"), database)

    if Child.start(make, log).end() != 0:
        raise RuntimeError(f"there is no world: {log.read_text()[-3000:]}")
    return made
