"""What PREDICT costs in the embedded SQL pool, beside ONNX Runtime and what else scores a table.

A LightGBM model of 200 trees with 63 leaves scores 10 columns of a pool table into a new one
(CTAS). Each figure is of a process of its own, and the floor (ONNX Runtime on a matrix in memory,
with as many threads) is measured before and after it.
`python benchmarks/predict.py --rows 1000000` is a tenth of what `make bench` runs.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from predict_cases import CASES, CORES, OPEN, check  # noqa: E402
from predict_data import HOURLY, PLAIN, setup  # noqa: E402

#: Rows that prove speed as well as more do; the pool scores all that are asked for.
PEER_ROWS = 200_000
FLOOR_ROWS = 400_000
PAIRED_ROWS = 1_000_000
PAIRS = 5


def run_case(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Measure one case in this process."""
    run = CASES[name](folder, rows)
    start, used = time.perf_counter(), time.process_time()
    done = run()
    seconds, processor = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if name in ("distinct", "distinct_plain", "hours", "hours_plain"):
        check(folder, PLAIN if name.startswith("distinct") else HOURLY)
    return {"rate": done / seconds, "processor": processor / done, "peak": peak, "rows": done}


class Bench:
    """Runs cases as processes, each between two measurements of the floor."""

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder = folder
        self._console = console

    def child(self, case: str, rows: int) -> dict[str, Any]:
        """One case in a process of its own; ends the benchmark where it fails."""
        command = [sys.executable, __file__, "--case", case, "--folder", str(self._folder)]
        done = subprocess.run(
            [*command, "--rows", str(rows)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{case} ended with {done.returncode}:\n{done.stderr[-4000:]}")
        figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if case != "setup":
            self._console.print(f"  {case}: {figures['rate'] / 1e6:.3f} M rows/s", highlight=False)
        return figures

    def between_floors(self, case: str, rows: int) -> dict[str, Any]:
        """A case with its ratios to both floors, each measured before and after it."""
        floors = ("floor", "shared_floor")
        before = [self.child(name, min(rows, FLOOR_ROWS)) for name in floors]
        figures = self.child(case, rows)
        after = [self.child(name, min(rows, FLOOR_ROWS)) for name in floors]
        for name, first, second in zip(floors, before, after, strict=True):
            rate = statistics.harmonic_mean([first["rate"], second["rate"]])
            figures[name] = figures["rate"] / rate
            if name == "floor":
                used = (first["processor"] + second["processor"]) / 2
                figures["work"] = used / figures["processor"]
        return figures


def measure(rows: int, console: Console) -> Table:
    """Run everything in a throw-away folder."""
    with tempfile.TemporaryDirectory(prefix="bikecast-predict-") as name:
        folder = Path(name)
        bench = Bench(folder, console)
        console.print(f"model, and {2 * rows:,} rows into the pool by COPY INTO")
        counts = bench.child("setup", rows)
        paired = min(rows, PAIRED_ROWS)
        peers = min(rows, PEER_ROWS)
        plan = [
            ("PREDICT, all rows distinct", "distinct", rows, 0.9),
            ("the same, twice the rows", "distinct", 2 * rows, 0.9),
            ("PREDICT, station-hours", "hours", counts[HOURLY], 10.0),
            ("the same, each row scored", "hours_plain", min(peers, counts[HOURLY]), None),
            ("DuckDB Arrow UDF", "arrow_udf", peers, None),
            ("scikit-learn with pandas", "pandas", peers, None),
            ("LightGBM native, in memory", "native", peers, None),
            ("ONNX Runtime, in memory", "floor", min(rows, FLOOR_ROWS), None),
        ]
        table = Table(
            title=f"PREDICT: 200 trees x 63 leaves, 10 columns, {CORES} threads, CTAS",
            caption="Ratios are to ONNX Runtime on a matrix in memory: (a) with its own threads, "
            "(b) with one thread a call and as many callers. 'work' is the ratio to a of processor "
            "time a row, which other programs on the machine disturb less. DuckDB's infera is "
            "not measured: it is an extension, and none can be downloaded here.",
        )
        table.add_column("figure")
        for column in ("rows", "M rows/s", "to a", "to b", "at least", "work", "peak MiB"):
            table.add_column(column, justify="right")
        for label, case, count, target in plan:
            console.print(label)
            figures = bench.between_floors(case, count)
            color = "" if target is None else "green" if figures["floor"] >= target else "red"
            table.add_row(
                label,
                f"{figures['rows']:,}",
                f"{figures['rate'] / 1e6:.3f}",
                f"[{color}]{figures['floor']:.2f}[/]" if color else f"{figures['floor']:.2f}",
                f"{figures['shared_floor']:.2f}",
                "" if target is None else f"{target:g}",
                f"{figures['work']:.2f}",
                f"{figures['peak']:,.0f}",
            )
        console.print("with and without look-ups, all rows distinct, in turns")
        pairs = [
            [bench.child(case, paired) for case in ("distinct", "distinct_plain")]
            for _ in range(PAIRS)
        ]
        ratio = statistics.median(with_["rate"] / plain["rate"] for with_, plain in pairs)
        spent = statistics.median(p["processor"] / w["processor"] for w, p in pairs)
        color = "green" if ratio >= 0.97 else "red"
        table.add_row(
            "look-ups that find nothing, to none",
            f"{paired:,}",
            "",
            f"[{color}]{ratio:.3f}[/]",
            "",
            "0.97",
            f"{spent:.3f}",
            "",
        )
        return table


def main() -> None:
    """Measure and print the table on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--case", choices=["setup", *CASES], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case == "setup":
        print(json.dumps(setup(options.folder, options.rows)))
    elif options.case:
        with OPEN:
            print(json.dumps(run_case(options.case, options.folder, options.rows)))
    else:
        table = measure(options.rows, Console(stderr=True))
        Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    main()
