"""`bikecast simulate` and `bikecast fetch-lab-data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bikecast.core.errors import InvalidInput
from pipelines.cli.output import say, steady_stderr_console
from pipelines.sample.simulator import MAX_YEARS, write_training_csv


def simulate(
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The CSV file to write; with --hourly a folder.")
    ],
    years: Annotated[
        int, typer.Option(min=1, max=MAX_YEARS, help="Years of days from 2011 on.")
    ] = 2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same file.")] = 0,
    hourly: Annotated[
        bool, typer.Option("--hourly", help="Hours of many stations, a file a month.")
    ] = False,
    stations: Annotated[
        int | None, typer.Option(min=1, help="With --hourly. [default: 100]", show_default=False)
    ] = None,
) -> None:
    """Write a simulated training CSV with the seasons, weeks and weather of real bike rentals.

    With --hourly it has any number of rows: 8,760 a year and station. The rows to score are
    beside the folder.

    Examples: `bikecast simulate -o days.csv`,
    `bikecast simulate --hourly --stations 500 --years 3 -o hours`
    """
    if hourly:
        _hours(output, years, seed, stations or 100)
        return
    if stations is not None:
        raise InvalidInput("--stations belongs to --hourly. Nothing was written.")
    write_training_csv(output, years=years, seed=seed)
    say(f"Wrote {output} ({years} years, seed {seed}).")
    say(f"Next: bikecast run --csv {output}")


def _hours(folder: Path, years: int, seed: int, stations: int) -> None:
    from rich.progress import Progress

    from pipelines.sample.hourly import write_hours

    path, rows = folder, 0
    with Progress(console=steady_stderr_console(), transient=True) as progress:
        files = write_hours(folder, stations=stations, years=years, seed=seed)
        for file, written in progress.track(files, total=12 * years + 1, description="files"):
            path, rows = file, rows + written
    say(f"Wrote {rows:,} rows: {folder} with {12 * years} months, and {path} (seed {seed}).")
    say(
        f"Next: make a model of one month, bikecast new-model NAME --csv {folder / '2011-07.csv'} "
        "--target rentals --key dteday --key hr --key station --time dteday, add to its file the "
        f"codes of other months, and run it: bikecast run --model NAME --csv {folder} "
        f"--forecast {path}"
    )


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
