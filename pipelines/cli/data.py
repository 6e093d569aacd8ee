"""`bikecast simulate` and `bikecast fetch-lab-data`."""

from __future__ import annotations

from pathlib import Path

from pipelines.cli.console import stderr_console


def simulate_command(output: Path, years: int, seed: int) -> None:
    """Write a simulated training CSV."""
    from pipelines.sample.simulator import write_training_csv

    write_training_csv(output, years=years, seed=seed)
    stderr_console().print(f"Wrote {output} ({years} years, seed {seed}).", highlight=False)
    stderr_console().print(f"Next: bikecast run --csv {output}", highlight=False)


def fetch_command(output: Path, url: str | None) -> None:
    """Download the lab's files."""
    from pipelines.sample.lab_data import DEFAULT_URL, LAB_FILES, fetch_lab_data, is_lab_file

    kept = {output / name for name in LAB_FILES if is_lab_file(output / name)}
    training, forecast = fetch_lab_data(output, url or DEFAULT_URL)
    for path in (training, forecast):
        done = "Kept" if path in kept else "Wrote"
        stderr_console().print(f"{done} {path}, SHA-256 as published.", highlight=False)
    stderr_console().print(
        f"Next: bikecast run --csv {training} --forecast {forecast}", highlight=False
    )
