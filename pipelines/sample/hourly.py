"""Simulated hours of many stations, a file a month: any number of rows, in flat memory.

The days are those of the simulated sample. An hour has its share of the day, a station a size of
its own, and the rentals of both are Poisson draws. A day's draws come from a stream of its own,
so months can be made beside each other and always come out the same.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.errors import InvalidInput
from pipelines.sample.simulator import FORECAST_DAYS, START_YEAR, checked, simulate_year

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

MAX_STATIONS = 1_000_000
#: Rows that are held at once.
_BLOCK = 100_000
#: Relative weights of the hours from 0: commuters on working days, outings on the others.
_WORKING = (
    2,
    1,
    1,
    1,
    2,
    6,
    20,
    50,
    90,
    50,
    30,
    35,
    45,
    45,
    42,
    48,
    70,
    110,
    100,
    70,
    50,
    38,
    26,
    14,
)
_FREE = (14, 10, 7, 4, 2, 2, 4, 8, 18, 32, 50, 64, 74, 78, 78, 76, 72, 66, 56, 44, 34, 27, 22, 16)
#: Rentals of a middling station on a day of 4,500 rentals in all, and the spread of ln(size).
_STATION_MEAN, _STATION_SD, _DAY_MEAN = 60.0, 0.7, 4500.0
#: How much warmer than the day's mean its warmest hour is, at 15 o'clock.
_DAILY_SWING = 0.06


def write_hours(
    folder: Path, *, stations: int, years: int = 2, seed: int = 0
) -> Iterator[tuple[Path, int]]:
    """Write `folder`/YYYY-MM.csv for each month, and the days after; yields each with its rows.

    Columns: dteday (ISO), hr (0 to 23), station (from 1), the weather and calendar of `simulate`,
    rentals; in order of dteday, hr, station. The last file, `folder`-forecast.csv, has the same
    without rentals. A file is there whole or not at all, and the same arguments give the same
    files.
    Raises InvalidInput for arguments out of range, and for a folder with other files, which would
    become part of the source.
    """
    checked(years, seed)
    if not 1 <= stations <= MAX_STATIONS:
        raise InvalidInput(f"stations must be 1 to {MAX_STATIONS:,}, not {stations:,}")
    months = [(START_YEAR + n // 12, n % 12 + 1) for n in range(12 * years)]
    paths = {folder / f"{year}-{month:02}.csv": (year, month) for year, month in months}
    if others := sorted(path.name for path in set(folder.glob("[!.]*")) - paths.keys()):
        raise InvalidInput(
            f"{folder} has other files, such as {others[0]}, which would be read with the months. "
            "Nothing was written; name an empty folder."
        )
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(os.cpu_count() or 1, len(paths)), context) as workers:
        tasks = {
            workers.submit(_write_month, path, *month, stations, seed): path
            for path, month in paths.items()
        }
        for task in as_completed(tasks):
            yield tasks[task], task.result()
    forecast = folder.with_name(f"{folder.name}-forecast.csv")
    days = simulate_year(START_YEAR + years, seed).slice(0, FORECAST_DAYS)
    hours = (block.drop_columns(["rentals"]) for block in _hours(days, stations, seed))
    yield forecast, _write(forecast, hours)


def _write_month(path: Path, year: int, month: int, stations: int, seed: int) -> int:
    """Write one month; returns its rows."""
    import pyarrow.compute as pc

    days = simulate_year(year, seed)
    return _write(path, _hours(days.filter(pc.equal(days["mnth"], month)), stations, seed))


def _write(path: Path, blocks: Iterator[pa.Table]) -> int:
    from resources.lake.csv_file import canonical_file

    rows = 0
    with canonical_file(path) as write:
        for block in blocks:
            write(block)
            rows += block.num_rows
    return rows


def _hours(days: pa.Table, stations: int, seed: int) -> Iterator[pa.Table]:
    """The rows of days, in blocks of whole hours."""
    import numpy as np
    import pyarrow as pa

    sizes = _station_sizes(stations, seed)
    at_once = max(1, min(24, _BLOCK // stations))
    for day in days.drop_columns(["instant", "yr"]).to_pylist():
        random = np.random.default_rng([seed, day["dteday"].toordinal()])
        weights = np.array(_WORKING if day["workingday"] else _FREE, float)
        means = weights / weights.sum() * day["rentals"] / _DAY_MEAN * _STATION_MEAN
        for first in range(0, 24, at_once):
            hours = np.arange(first, min(24, first + at_once))
            rows = len(hours) * stations
            swing = _DAILY_SWING * np.cos((hours - 15) / 24 * 2 * np.pi)
            yield pa.table(
                {
                    "dteday": pa.array(np.full(rows, day["dteday"], "datetime64[D]")),
                    "hr": np.repeat(hours, stations),
                    "station": np.tile(np.arange(1, stations + 1), len(hours)),
                    **{name: np.full(rows, day[name]) for name in day if name != "dteday"},
                    "temp": np.repeat((day["temp"] + swing).clip(0, 1).round(6), stations),
                    "rentals": random.poisson(np.outer(means[hours], sizes)).ravel(),
                }
            )


def _station_sizes(stations: int, seed: int) -> NDArray[np.float64]:
    """How busy each station is beside a middling one; the same station in any number of them."""
    import numpy as np

    random = np.random.default_rng([seed, 0])
    return np.exp(_STATION_SD * random.standard_normal(stations))
