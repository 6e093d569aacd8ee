"""A command's lease on the SQL pool: resumed if it is paused, and paused again afterwards."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobState
from pipelines.cli.output import say
from resources.sql_pool.port import SqlPoolPower

if TYPE_CHECKING:
    import dagster as dg

POLL_SECONDS = 10.0
LIMIT_SECONDS = 1800.0


@contextmanager
def online_pool(power: SqlPoolPower, instance: dg.DagsterInstance | None = None) -> Iterator[None]:
    """The pool is online inside; the leases of runs that ended inside are given back as well.

    A killed command leaves its lease to the sensor, which drops it after a while.
    Raises BikecastError where the pool does not come online in half an hour, or is refused.
    """
    before = set(power.leases())
    holder = f"command-{socket.gethostname()}-{os.getpid()}"
    try:
        _wait(power, holder)
        yield
    finally:
        power.release(holder)
        for run_id in set(power.leases()) - before if instance is not None else ():
            run = instance.get_run_by_id(run_id) if instance is not None else None
            if run is not None and run.is_finished:
                power.release(run_id)


def _wait(power: SqlPoolPower, holder: str) -> None:
    status = power.acquire(holder)
    if status.state is JobState.COMPLETED:
        return
    begun = time.monotonic()
    say(f"The SQL pool is {status.progress.get('status')}; waiting until it is online.")
    while power.acquire(holder).state is not JobState.COMPLETED:
        if time.monotonic() - begun > LIMIT_SECONDS:
            raise BikecastError(
                f"The SQL pool {status.job_id} did not come online in {LIMIT_SECONDS:.0f} s. "
                f"Nothing was run. Look at {status.link}"
            )
        time.sleep(POLL_SECONDS)
