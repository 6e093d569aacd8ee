"""What `bikecast run` costs: wall time, memory, a run with nothing to do, and load time.

Each figure is also a ratio to a floor that is measured in the same run, because seconds depend on
the machine. Commands are measured by processor time, which other programs disturb least: the
process's and that of the processes that it waited for. `make bench ARGS="--budget 20 --runs 3"`;
medians over the runs.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).resolve().parents[1]
MIB = 1024 * 1024
SAMPLE_SECONDS = 0.25
LOADS = 5
IMPORT_DAGSTER = "import dagster"
LOAD_LOCATION = "import pipelines.definitions"
#: What `explain` and `status` would need if they did not read Dagster's files themselves.
OPEN_EVENT_LOG = (
    "import os, dagster; os.environ['DAGSTER_HOME'] = os.environ['BIKECAST_HOME'] + '/dagster';"
    "dagster.DagsterInstance.get().dispose()"
)
#: Commands on a home that has a model, and how often `import dagster` each may take.
COMMANDS = {"--help": 0.3, "--version": 0.3, "models": 1.5, "explain 1": 1.5, "status": 2.0}
UNCHANGED_RUN = 3.5


@dataclass(frozen=True)
class Figure:
    """One row of the table: a value, its target, and the floor that it is a multiple of."""

    name: str
    value: float
    unit: str
    target: float
    floor: float
    floor_name: str


class PeakMemory(threading.Thread):
    """The largest sum over all processes of one home, sampled until `stop`.

    A process belongs to the home when its environment or its command line names it, so detached
    processes count too. The sum is of proportional set sizes (PSS): a page that processes share
    counts once. Where the system has no PSS, unique set sizes (USS) are summed.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self._home = str(home)
        self._ended = threading.Event()
        self._own: dict[int, float] = {}
        self.peak = 0
        self.processes = 0

    def run(self) -> None:
        """Sample until `stop`."""
        while not self._ended.wait(SAMPLE_SECONDS):
            sizes = [self._size(process) for process in self._of_home()]
            if sum(sizes) > self.peak:
                self.peak, self.processes = sum(sizes), len([size for size in sizes if size])

    def stop(self) -> None:
        """End the sampling; `peak` and `processes` are final afterwards."""
        self._ended.set()
        self.join()

    def _of_home(self) -> list[psutil.Process]:
        """The home's processes; each process is looked at once, when it is new."""
        processes = []
        for process in psutil.process_iter():
            try:
                started = process.create_time()
                if self._own.get(process.pid) == started or self._names_home(process):
                    self._own[process.pid] = started
                    processes.append(process)
            except psutil.Error:
                continue
        return processes

    def _names_home(self, process: psutil.Process) -> bool:
        environment = process.environ()
        return environment.get("BIKECAST_HOME") == self._home or any(
            self._home in argument for argument in process.cmdline()
        )

    @staticmethod
    def _size(process: psutil.Process) -> int:
        try:
            memory = process.memory_full_info()
        except psutil.Error:
            return 0
        return int(getattr(memory, "pss", memory.uss))


def timed(arguments: list[str], home: Path) -> tuple[float, str]:
    """Seconds and standard output of a process; ends the benchmark where it fails."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("BIKECAST_", "DAGSTER"))
    }
    start = time.perf_counter()
    done = subprocess.run(
        arguments,
        cwd=PROJECT,
        env=environment | {"BIKECAST_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return seconds, done.stdout


def processor_seconds(arguments: list[str], home: Path) -> float:
    """Processor time of a process and of those that it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    timed(arguments, home)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def bikecast_run(home: Path, budget: float) -> tuple[float, dict[str, float]]:
    """Wall seconds and seconds by stage of `bikecast run` on a home."""
    command = [sys.executable, "-m", "bikecast", "run", "--json", "--budget", f"{budget:g}"]
    wall, out = timed(command, home)
    return wall, json.loads(out)["seconds"]


def load_times(home: Path) -> tuple[float, float]:
    """Medians of a process that imports Dagster, and of one that loads the code location."""
    seconds: dict[str, list[float]] = {IMPORT_DAGSTER: [], LOAD_LOCATION: []}
    for number in range(LOADS + 1):
        for code, times in seconds.items():
            taken = processor_seconds([sys.executable, "-c", code], home)
            if number:  # the first one warms the file cache
                times.append(taken)
    return statistics.median(seconds[IMPORT_DAGSTER]), statistics.median(seconds[LOAD_LOCATION])


def command_times(home: Path) -> dict[str, float]:
    """Medians of whole commands that only look, and of opening the event log, after a run."""
    commands = {name: ["-m", "bikecast", *name.split()] for name in COMMANDS}
    commands[OPEN_EVENT_LOG] = ["-c", OPEN_EVENT_LOG]
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(LOADS + 1):
        for name, times in seconds.items():
            taken = processor_seconds([sys.executable, *commands[name]], home)
            if number:  # the first one warms the file cache
                times.append(taken)
    return {name: statistics.median(times) for name, times in seconds.items()}


def import_memory(home: Path) -> float:
    """Proportional set size in MiB of a process that has imported Dagster."""
    code = (
        "import dagster, psutil; m = psutil.Process().memory_full_info();"
        "print(getattr(m, 'pss', m.uss))"
    )
    return float(timed([sys.executable, "-c", code], home)[1]) / MIB


def measure(budget: float, runs: int, console: Console) -> list[Figure]:
    """Run everything in throw-away homes."""
    walls, beyond, trainings, sparks, reruns, peaks = [], [], [], [], [], []
    with tempfile.TemporaryDirectory(prefix="bikecast-bench-") as folder:
        console.print(f"loading Dagster and the code location, {LOADS} times each")
        dagster, location = load_times(Path(folder) / "load")
        memory_floor = import_memory(Path(folder) / "load")
        commands: dict[str, float] = {}
        for number in range(1, runs + 1):
            home = Path(folder) / f"home-{number}"
            console.print(f"run {number} of {runs}: fresh, unchanged, fresh with memory sampled")
            wall, seconds = bikecast_run(home, budget)
            walls.append(wall)
            trainings.append(seconds["training"])
            beyond.append(wall - min(seconds["training"], budget))
            sparks.append(seconds["bike_data"])
            rerun = ["-m", "bikecast", "run", "--budget", f"{budget:g}"]
            reruns.append(processor_seconds([sys.executable, *rerun], home))
            commands = commands or command_times(home)
            memory = PeakMemory(Path(folder) / f"memory-{number}")
            memory.start()
            bikecast_run(Path(folder) / f"memory-{number}", budget)
            memory.stop()
            peaks.append(memory.peak / MIB)
            console.print(f"  peak with {memory.processes} processes")
    event_log = commands.pop(OPEN_EVENT_LOG)
    median = statistics.median
    floor = "import dagster"
    return [
        Figure("fresh run, wall", median(walls), "s", budget + 20, median(trainings), "training"),
        Figure("beyond the training's part of the budget", median(beyond), "s", 20, dagster, floor),
        Figure("Spark: session to committed table", median(sparks), "s", 6, dagster, floor),
        Figure("peak memory, all processes", median(peaks), "MiB", 2048, memory_floor, floor),
        Figure("unchanged run", median(reruns), "s", UNCHANGED_RUN * dagster, dagster, floor),
        *(
            Figure(f"bikecast {name}", wall, "s", COMMANDS[name] * dagster, dagster, floor)
            for name, wall in commands.items()
        ),
        Figure("open Dagster's event log", event_log, "s", 2 * dagster, dagster, floor),
        Figure("load the code location", location, "s", 1.5 * dagster, dagster, floor),
    ]


def main() -> None:
    """Measure and print the table on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, default=20, help="seconds of training at most")
    parser.add_argument("--runs", type=int, default=1, help="runs to take medians of")
    options = parser.parse_args()
    figures = measure(options.budget, options.runs, Console(stderr=True))
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else 0
    table = Table(
        title=f"bikecast run, budget {options.budget:g} s, "
        f"{cores or os.cpu_count()} cores, Python {sys.version.split()[0]}"
    )
    table.add_column("figure")
    for column in ("measured", "at most", "of the limit", "ratio"):
        table.add_column(column, justify="right")
    table.add_column("to the floor")
    for figure in figures:
        share = figure.value / figure.target
        table.add_row(
            figure.name,
            f"{figure.value:,.1f} {figure.unit}",
            f"{figure.target:,.1f} {figure.unit}",
            f"[{'green' if share <= 1 else 'red'}]{share:.0%}[/]",
            f"{figure.value / figure.floor:.2f} x",
            f"{figure.floor_name} ({figure.floor:,.1f} {figure.unit})",
        )
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    main()
