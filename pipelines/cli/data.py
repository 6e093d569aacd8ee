"""`bikecast simulate` and `bikecast fetch-lab-data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import say
from pipelines.sample.simulator import MAX_YEARS, write_training_csv


def simulate(
    output: Annotated[Path, typer.Option("-o", "--output", help="The CSV file to write.")],
    years: Annotated[
        int, typer.Option(min=1, max=MAX_YEARS, help="Years of days from 2011 on.")
    ] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same file.")] = 0,
) -> None:
    """Write a simulated training CSV with the seasons, weeks and weather of real bike rentals."""
    write_training_csv(output, years=years, seed=seed)
    say(f"Wrote {output} ({years} years, seed {seed}).")
    say(f"Next: bikecast run --csv {output}")


def fetch_lab_data(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the two CSV files.")
    ] = Path("lab-data"),
    url: Annotated[
        str | None, typer.Option(help="Another address of the folder with the files.")
    ] = None,
) -> None:
    """Download the two CSV files of Microsoft's lab and check their SHA-256.

    Then: `bikecast run --csv lab-data/bike-rentals-training.csv
    --forecast lab-data/weather-forecast.csv`
    """
    from pipelines.sample import lab_data

    kept = {output / name for name in lab_data.LAB_FILES if lab_data.is_lab_file(output / name)}
    training, forecast = lab_data.fetch_lab_data(output, url or lab_data.DEFAULT_URL)
    for path in (training, forecast):
        say(f"{'Kept' if path in kept else 'Wrote'} {path}, SHA-256 as published.")
    say(f"Next: bikecast run --csv {training} --forecast {forecast}")
