"""Scoring a range of days, or of rows by number, again, in this process."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

from assets.by_day import daily_partitions
from assets.rescored import rescored_name
from bikecast.core.errors import InvalidInput
from bikecast.core.spec import ModelSpec
from pipelines.in_process.dead_runs import clean_up_dead_runs
from pipelines.in_process.main_job import execute_job
from pipelines.in_process.outcome import Record
from pipelines.in_process.watcher import Watcher
from pipelines.installation import Installation
from pipelines.jobs import RESCORE, range_tags, rescore_config, rescore_rows_config


def run_rescoring(
    here: Installation,
    spec: ModelSpec,
    watcher: Watcher,
    *,
    first: str,
    last: str,
    version: int | None,
) -> Mapping[str, object]:
    """Run the job `rescore` over the days or rows; returns the metadata of the predictions.

    Raises InvalidInput for a wrong range, an unknown version, days without a forecast, and rows
    that are not there.
    """
    check_range(spec, first, last)
    clean_up_dead_runs(here.instance)
    record = Record()
    if spec.first_day is None:
        config, tags = rescore_rows_config(spec, int(first), int(last), version), {}
        asset = rescored_name(spec)
    else:
        config, tags = rescore_config(spec, version), range_tags(first, last)
        asset = f"{spec.predictions_table}_by_day"
    execute_job(here, spec.named(RESCORE), config, tags, record, watcher)
    return record.metadata[asset]


def check_range(spec: ModelSpec, first: str, last: str) -> None:
    """Raise InvalidInput unless these are two days of the spec's partitions, in order; for a spec
    without days, two numbers of rows."""
    if spec.first_day is None:
        _check_rows(spec, first, last)
        return
    for day in (first, last):
        try:
            dt.date.fromisoformat(day)
        except ValueError:
            raise InvalidInput(
                f"{day!r} is not a day such as 2013-01-31. Nothing was changed."
            ) from None
    days = daily_partitions(spec)
    if first > last:
        raise InvalidInput(f"{first} is after {last}. Nothing was changed.")
    for day in (first, last):
        if not days.has_partition_key(day):
            span = f"{days.get_first_partition_key()} to {days.get_last_partition_key()}"
            raise InvalidInput(f"{day} is none of the days {span}. Nothing was changed.")


def _check_rows(spec: ModelSpec, first: str, last: str) -> None:
    for number in (first, last):
        if not re.fullmatch(r"[1-9][0-9]{0,17}", number):
            raise InvalidInput(
                f"{number!r} is no number of a row, such as 1. The rows of {spec.name} belong to "
                "no day: its file has no first_day. Nothing was changed."
            )
    if int(first) > int(last):
        raise InvalidInput(f"{first} is after {last}. Nothing was changed.")
