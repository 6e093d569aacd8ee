"""Does a profile hold the rows? Seconds and peak memory of `bikecast profile`, few rows and many.

Each profile is a process of its own, of a file (read and checked as by a run) and of a table of
the lake with the same rows.

    python benchmarks/profile_memory.py --rows 3000000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
from deltalake import write_deltalake

from bikecast.core.sql_types import arrow_schema
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import simulate

#: Of the largest Delta commit that this script makes, so that it stays small itself.
FILE_ROWS = 200_000


def write_rows(csv: Path, table: Path, rows: int) -> None:
    """The days of the sample again and again, as a CSV and as a Delta table."""
    days = simulate(years=2)
    names = [column.name for column in SPEC.training_columns]
    block = pa.concat_tables([days.select(names)] * (FILE_ROWS // days.num_rows + 1))
    schema = arrow_schema(SPEC.training_columns)
    with csv.open("wb") as file:
        written = 0
        while written < rows:
            part = block.slice(0, min(FILE_ROWS, rows - written))
            options = pa_csv.WriteOptions(include_header=not written, quoting_style="none")
            pa_csv.write_csv(part, file, options)
            write_deltalake(table, part.cast(schema), mode="append")
            written += part.num_rows


def measured(what: str, home: Path) -> tuple[float, float]:
    """Seconds and peak MiB of a profile, the whole process."""
    command = [sys.executable, "-m", "bikecast", "profile", what, "--json"]
    environment = {**os.environ, "BIKECAST_HOME": str(home)}
    begun = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"profile {what} ended with {process.returncode}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000)
    many = parser.parse_args().rows
    print(f"{'profile of':12}{'rows':>12}{'seconds':>10}{'peak MiB':>10}{'to few':>8}")
    few: dict[str, float] = {}
    for rows in (many // 10, many):
        with tempfile.TemporaryDirectory() as name:
            home, csv = Path(name) / "home", Path(name) / "rentals.csv"
            table = home / "lake" / SPEC.training_table_path
            table.mkdir(parents=True)
            write_rows(csv, table, rows)
            for kind, what in (("a table", SPEC.training_table), ("a file", str(csv))):
                seconds, peak = measured(what, home)
                ratio = peak / few.setdefault(kind, peak)
                print(f"{kind:12}{rows:>12,}{seconds:>10.1f}{peak:>10.0f}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
