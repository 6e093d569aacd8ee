"""The simulated sample: days of weather and rentals, calibrated on published figures.

The figures are those of the bike-sharing lab data (Capital Bikeshare, 2011 and 2012): monthly
temperatures, weather transitions, and a log-linear model of the rentals. Every year has its own
random stream, and a day depends on the 60 days before it at most, so any year can be generated
without the others and always comes out the same.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.errors import InvalidInput
from resources.lake.sources import Sample

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

START_YEAR = 2011
MAX_YEARS = 200
FORECAST_DAYS = 10
#: Days before 1 January that a year's weather starts from; the weather forgets them.
_WARM_UP = 60

#: Temperature in the middle of each month; joined by lines they give the published monthly means.
_MID_MONTH = (0.208, 0.303, 0.395, 0.462, 0.603, 0.684, 0.774, 0.713, 0.620, 0.484, 0.354, 0.338)
_TEMP_SD, _TEMP_AR = 0.074, 0.67
#: Rows: today's weather 1, 2, 3; columns: tomorrow's.
_WEATHER = ((0.726, 0.270, 0.004), (0.492, 0.447, 0.061), (0.286, 0.524, 0.190))
_HUM_BY_WEATHER = (0.570, 0.715, 0.865)
_HUM_SD = 0.116
_HUM_DROPOUT = 1 / 731
_WIND_MEAN, _WIND_SD = 0.190, 0.077
#: ln(rentals): constant, temp, temp squared, working day, weather 2, weather 3, wind.
_LOG_RENTALS = (3.377, 13.304, -9.958, -0.870, -0.334, -1.617, -1.324)
_FIRST_YEAR_GROWTH, _GROWTH_DECAY = 0.327, 0.5
#: The deviation of ln(rentals) is larger on cold days; on average it is the published 0.44.
_RENTALS_SD_COLD, _RENTALS_SD_SLOPE, _RENTALS_AR = 0.80, -0.80, 0.31
#: What a weekday (0 = Sunday) adds to ln(rentals) beyond working day or not.
_BY_WEEKDAY = (-0.04, -0.03, -0.07, -0.10, -0.04, 0.19, 0.06)


def simulate(years: int = 2, seed: int = 0) -> pa.Table:
    """Whole years of days from 2011-01-01, in the columns of the lab's training file.

    Columns: instant (from 1), dteday (date), season, yr (from 0), mnth, holiday, weekday,
    workingday, weathersit, temp, atemp, hum, windspeed, rentals.
    Raises InvalidInput unless years is 1 to 200 and the seed is not negative.
    """
    import pyarrow as pa

    checked(years, seed)
    return pa.concat_tables([simulate_year(START_YEAR + n, seed) for n in range(years)])


def simulate_forecast(years: int = 2, seed: int = 0, days: int = FORECAST_DAYS) -> pa.Table:
    """The `days` days (1 to 365) after the end of `simulate(years, seed)`, without rentals."""
    checked(years, seed)
    if not 1 <= days <= 365:
        raise InvalidInput(f"a forecast has 1 to 365 days, not {days}")
    table = simulate_year(START_YEAR + years, seed).slice(0, days)
    return table.drop_columns(["instant", "yr", "rentals"])


def write_training_csv(path: Path, years: int = 2, seed: int = 0) -> None:
    """Write `simulate(years, seed)` as a CSV like the lab's (M/D/YYYY), atomically."""
    write_csv(simulate(years, seed), path)


def write_forecast_csv(path: Path, years: int = 2, seed: int = 0) -> None:
    """Write `simulate_forecast(years, seed)` as a CSV with the key dteday, atomically."""
    write_csv(simulate_forecast(years, seed), path)


def holidays(year: int) -> set[dt.date]:
    """Public holidays of Washington, D.C. in a year, on the working days they are observed.

    The federal holidays of 2011 and 2012 and Emancipation Day (16 April); a holiday on a
    Saturday is observed on Friday, on a Sunday on Monday, so one of next year may be here.
    """
    fixed = [(y, m, d) for y in (year, year + 1) for m, d in ((1, 1), (7, 4), (11, 11), (12, 25))]
    days = [_observed(dt.date(*day)) for day in (*fixed, (year, 4, 16))]
    days += [_nth_weekday(year, month, 0, nth) for month, nth in ((1, 3), (2, 3), (9, 1), (10, 2))]
    days += [_nth_weekday(year, 11, 3, 4)]
    last_may = dt.date(year, 5, 31)
    days += [last_may - dt.timedelta(last_may.weekday())]
    return {day for day in days if day.year == year}


def checked(years: int, seed: int) -> None:
    """Raise InvalidInput unless years is 1 to 200 and the seed is not negative."""
    if not 1 <= years <= MAX_YEARS:
        raise InvalidInput(f"years must be 1 to {MAX_YEARS}, not {years}")
    if seed < 0:
        raise InvalidInput(f"the seed must not be negative, but is {seed}")


def _observed(day: dt.date) -> dt.date:
    return day + dt.timedelta({5: -1, 6: 1}.get(day.weekday(), 0))


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> dt.date:
    first = dt.date(year, month, 1)
    return first + dt.timedelta((weekday - first.weekday()) % 7 + 7 * (nth - 1))


def simulate_year(year: int, seed: int) -> pa.Table:
    """One year; the columns of `simulate`."""
    import numpy as np
    import pyarrow as pa

    first = dt.date(year, 1, 1)
    count = (dt.date(year + 1, 1, 1) - first).days
    days = [first + dt.timedelta(n) for n in range(count)]
    month = np.array([day.month for day in days])
    weekday = np.array([day.isoweekday() % 7 for day in days])
    day_off = holidays(year)
    holiday = np.array([int(day in day_off) for day in days])
    workingday = ((weekday % 6 != 0) & (holiday == 0)).astype(np.int64)

    draws = _draws(year, seed, count)
    weather = _weather_chain(draws["weather"])
    anomaly = _autoregressive(draws["temp"], _TEMP_AR)[_WARM_UP:] * _TEMP_SD
    temp = np.clip(_seasonal_temp(year, count) + anomaly, 0.02, 0.98)
    atemp = np.clip(0.883 * temp + 0.037 + 0.012 * draws["atemp"][_WARM_UP:], 0.02, 1.0)
    hum = np.array(_HUM_BY_WEATHER)[weather - 1] + _HUM_SD * draws["hum"][_WARM_UP:]
    hum = np.clip(hum, 0.18, 0.98)
    hum[draws["dropout"][_WARM_UP:] < _HUM_DROPOUT] = 0.0
    wind = _wind_speeds(draws["wind"][_WARM_UP:])

    constant, linear, square, working, mist, rain, windy = _LOG_RENTALS
    growth = _FIRST_YEAR_GROWTH * (1 - _GROWTH_DECAY ** (year - START_YEAR)) / (1 - _GROWTH_DECAY)
    spread = np.maximum(0.2, _RENTALS_SD_COLD + _RENTALS_SD_SLOPE * temp)
    log_rentals = (
        (constant + growth + linear * temp + square * temp**2 + working * workingday)
        + (mist * (weather == 2) + rain * (weather == 3) + windy * wind)
        + np.array(_BY_WEEKDAY)[weekday]
        + spread * _autoregressive(draws["rentals"], _RENTALS_AR)[_WARM_UP:]
    )
    start = (first - dt.date(START_YEAR, 1, 1)).days
    return pa.table(
        {
            "instant": np.arange(start + 1, start + count + 1),
            "dteday": pa.array(days, pa.date32()),
            "season": _season(days),
            "yr": np.full(count, year - START_YEAR),
            "mnth": month,
            "holiday": holiday,
            "weekday": weekday,
            "workingday": workingday,
            "weathersit": weather,
            "temp": temp.round(6),
            "atemp": atemp.round(6),
            "hum": hum.round(6),
            "windspeed": wind.round(6),
            "rentals": np.maximum(2, np.rint(np.exp(log_rentals))).astype(np.int64),
        }
    )


def _draws(year: int, seed: int, count: int) -> dict[str, Floats]:
    """Independent draws of the year's days and of the warm-up days at the end of last year."""
    import numpy as np

    last = _stream(year - 1, seed, (dt.date(year, 1, 1) - dt.date(year - 1, 1, 1)).days)
    own = _stream(year, seed, count)
    return {name: np.concatenate([last[name][-_WARM_UP:], own[name]]) for name in own}


def _stream(year: int, seed: int, count: int) -> dict[str, Floats]:
    import numpy as np

    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, year])))
    normal = ("temp", "atemp", "hum", "wind", "rentals")
    draws = {name: random.standard_normal(count) for name in normal}
    return draws | {name: random.random(count) for name in ("weather", "dropout")}


def _autoregressive(innovations: Floats, coefficient: float) -> Floats:
    """An AR(1) series of unit variance; it starts at 0, which the warm-up forgets."""
    import numpy as np

    weights = np.sqrt(1 - coefficient**2) * coefficient ** np.arange(_WARM_UP)
    series: Floats = np.convolve(innovations, weights)[: len(innovations)]
    return series


def _weather_chain(uniforms: Floats) -> Integers:
    """A Markov chain of the weather codes 1 to 3, without its warm-up days."""
    import numpy as np

    thresholds = np.cumsum(_WEATHER, axis=1)[:, :2]
    state = 0
    states = []
    for row in uniforms[:, None] > thresholds.reshape(1, -1):
        state = int(row[2 * state]) + int(row[2 * state + 1])
        states.append(state + 1)
    return np.array(states[_WARM_UP:], dtype=np.int64)


def _seasonal_temp(year: int, count: int) -> Floats:
    """The expected temperature of each day: months' means, joined at their middles."""
    import numpy as np

    starts = [(dt.date(year, m, 1) - dt.date(year, 1, 1)).days for m in range(1, 13)]
    middles = np.array(starts) + 15.0
    temps: Floats = np.interp(np.arange(count), middles, _MID_MONTH, period=count)
    return temps


def _wind_speeds(normals: Floats) -> Floats:
    """Wind speeds of the published mean and deviation: log-normal, so never negative."""
    import numpy as np

    variance = np.log(1 + (_WIND_SD / _WIND_MEAN) ** 2)
    wind: Floats = np.exp(np.log(_WIND_MEAN) - variance / 2 + np.sqrt(variance) * normals)
    return wind.clip(0.02, 0.85)


def _season(days: list[dt.date]) -> list[int]:
    """1 winter (to 20 March), 2 spring (to 20 June), 3 summer (to 22 September), 4 autumn."""
    starts = ((3, 21), (6, 21), (9, 23), (12, 21))
    return [sum((day.month, day.day) >= start for start in starts) % 4 + 1 for day in days]


def write_csv(table: pa.Table, path: Path) -> None:
    """Write rows of `simulate` or `simulate_forecast` as a CSV like the lab's, atomically."""
    from bikecast.core.files import replaced_file

    rows = table.to_pylist()
    with replaced_file(path) as temporary:
        lines = [",".join(table.column_names)]
        for row in rows:
            day = row["dteday"]
            row["dteday"] = f"{day.month}/{day.day}/{day.year}"
            lines.append(",".join(str(value) for value in row.values()))
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


SAMPLE_TRAINING = Sample("simulated sample (seed 0)", write_training_csv)
SAMPLE_FORECAST = Sample("simulated sample (seed 0)", write_forecast_csv)
