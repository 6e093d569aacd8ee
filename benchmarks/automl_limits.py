"""Time and memory of a job on 100,000 rows by 50 columns, and how near jobs end to their budget.

    python benchmarks/automl_limits.py [--budget 90]

Memory is the sum of the proportional set sizes of the job's processes, sampled. The limits are
3 GiB, and the larger of 1 s and 5% of the budget. The exit code is 1 where one is broken. "others"
is the share of the machine that other processes had meanwhile: with much of it, a late job says
little.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from deltalake import write_deltalake
from machine_use import MachineUse
from rich.console import Console
from rich.table import Table

from bikecast.core.jobs import JobState
from bikecast.embedded.automl import Jobs, tabular_data

SEED = 20261122
MAX_BYTES = 3 * 1024**3
SAMPLE_SECONDS = 0.3


def wide_table(rows: int) -> pa.Table:
    """44 numbers, four codes and two texts of 30 values; four of them make the target."""
    rng = np.random.default_rng(SEED)
    columns = {f"x{i}": rng.normal(size=rows) for i in range(44)}
    columns |= {f"k{i}": rng.integers(0, 12, rows) for i in range(4)}
    columns |= {f"t{i}": np.array([f"v{v}" for v in rng.integers(0, 30, rows)]) for i in range(2)}
    target = 5 * columns["x0"] * columns["x1"] + 3 * np.abs(columns["x2"]) + columns["k0"]
    return pa.table({**columns, "y": target + 2 * rng.normal(size=rows)})


@dataclass(frozen=True)
class Run:
    """One job: its end, its seconds, its peak of memory, and its holdout Spearman."""

    state: str
    seconds: float
    others: float
    peak: int
    score: float = float("nan")
    trial: str = ""


def run(table: pa.Table, budget: float) -> Run:
    """Run one job on the table."""
    with tempfile.TemporaryDirectory() as folder:
        inferred = tabular_data(table, target="y", name="wide.csv")
        path = Path(folder) / inferred.spec.training_table_path
        write_deltalake(path, inferred.table)
        jobs = Jobs(Path(folder) / "jobs")
        use, peak = MachineUse(), 0
        status = jobs.submit(
            "wide-1", inferred.spec, path, data_version="v1", budget_seconds=budget, tags={}
        )
        while not status.state.is_terminal:
            peak = max(peak, memory_of_children())
            time.sleep(SAMPLE_SECONDS)
            status = jobs.status("wide-1")
        facts = use.facts()
        seconds, others = facts["seconds"], facts["others"]
        if status.state is not JobState.COMPLETED:
            return Run(f"{status.state}: {status.error}", seconds, others, peak)
        result = jobs.result("wide-1")
        holdout = result.scores["holdout"] or {}
        members = result.diagnostics["members"]
        return Run(
            str(status.state),
            seconds,
            others,
            peak,
            holdout["spearman"],
            ", ".join(members) if isinstance(members, dict) else "",
        )


def memory_of_children() -> int:
    """Proportional set size of all processes below this one."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:  # it ended
            continue
    return total


def main() -> int:
    """Print one row a job."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--budget", type=float, default=90.0, help="seconds of the large job")
    large = arguments.parse_args().budget
    report = Table(title="budget and memory")
    headings = ("rows", "budget s", "seconds", "others %", "peak MiB", "holdout Spearman")
    for heading in (*headings, "chosen", "state"):
        report.add_column(heading, justify="right")
    jobs = ((500, 6.0), (500, 20.0), (100_000, large))
    console = Console(width=130)
    console.print(f"at most {sum(budget for _, budget in jobs) / 60 + 0.5:.1f} minutes")
    kept = True
    for rows, budget in jobs:
        done = run(wide_table(rows), budget)
        kept &= done.seconds <= budget + max(1.0, 0.05 * budget) and done.peak <= MAX_BYTES
        cells = (f"{rows:,}", f"{budget:g}", f"{done.seconds:.1f}", f"{100 * done.others:.0f}")
        report.add_row(*cells, f"{done.peak >> 20:,}", f"{done.score:.4f}", done.trial, done.state)
    console.print(report)
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
