"""The smoke run's chain: the product's own main job and sensors, waited for in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import sleep
from typing import Protocol

import dagster as dg

from assets.events import latest_data_version, latest_materialization
from assets.training import training_job_name
from assets.waiting import SPARK_SENSOR, SQL_POOL_SENSOR, TRAINING_SENSOR
from bikecast.core.errors import BikecastError
from bikecast.core.jobs import Awaited, JobState, JobStatus, current_attempt
from pipelines.in_process.dead_runs import clean_up_dead_runs
from pipelines.in_process.main_job import execute_job
from pipelines.in_process.outcome import Record
from pipelines.in_process.sensor_ticks import Ticker
from pipelines.in_process.watcher import Watcher
from pipelines.installation import Installation
from pipelines.sensors.polling import PollCursor, awaited_job
from pipelines.smoke.spec import BUDGET_SECONDS, SMOKE

SENSORS = (SPARK_SENSOR, TRAINING_SENSOR, SQL_POOL_SENSOR)
POLL_SECONDS = 15.0
#: How long a pool that is being resumed may take until it can be paused.
PAUSE_SECONDS = 1800.0


class WaitingWatcher(Watcher, Protocol):
    """A watcher that also hears what is waited for."""

    def waiting(self, text: str) -> None:
        """One look at what is waited for."""


@dataclass
class Chain:
    """One smoke run; `seconds` is its limit."""

    here: Installation
    watcher: WaitingWatcher
    seconds: float
    record: Record = field(default_factory=Record)

    def run(self) -> Mapping[str, object]:
        """From the sample to its predictions; returns the metadata of the predictions.

        Raises the error of the first failed step, and BikecastError beyond the limit. What was
        started then still runs: see `stop`.
        """
        begun = time.time()
        deadline = time.monotonic() + self.seconds
        clean_up_dead_runs(self.here.instance)
        ticker = Ticker(self.here.defs, self.here.instance, self._cursors())
        self._execute(SMOKE.name, dg.RunRequest(), {})
        while True:
            ran = False
            for sensor in SENSORS:
                for job, request in ticker.tick(sensor):
                    self._execute(job, request, ticker.tags(request))
                    ran = True
            awaited = self._waits_for(ticker)
            if not awaited and not ran:
                break
            if time.monotonic() > deadline:
                raise BikecastError(
                    f"The smoke run was not done after {self.seconds / 60:.0f} minutes; it still "
                    f"waited for {' and '.join(awaited) or 'its runs'}. --limit gives it more time."
                )
            if not ran:
                self.watcher.waiting(", ".join(awaited))
                sleep(POLL_SECONDS)
        event = latest_materialization(self.here.instance, SMOKE.predictions_table)
        facts = self.record.metadata.get(SMOKE.predictions_table)
        if event is None or facts is None:
            raise BikecastError(
                f"Nothing waits any more, but there are no predictions since {time.ctime(begun)}. "
                f"The event log is in {self.here.home.dagster}"
            )
        return facts

    def stop(self) -> Iterator[str]:
        """Cancel what this installation started and give its leases back; says what was done.

        Whatever cannot be stopped is said too, and stops nothing else. A pool that is still being
        resumed is waited for, because it cannot be paused before.
        """
        for what, stop in (
            ("the training", self._stop_training),
            ("the Spark batches", self._stop_spark),
            ("the SQL pool", self._stop_pool),
        ):
            try:
                yield from stop()
            except Exception as error:  # noqa: BLE001  # the others must be stopped all the same
                yield f"NOT STOPPED: {what}: {error}"

    def _cursors(self) -> dict[str, str | None]:
        """Cursors behind all that earlier smoke runs waited for: this run waits for its own."""
        instance = self.here.instance
        spark = (SMOKE.training_table, SMOKE.predictions_table)
        latest = {
            TRAINING_SENSOR: {
                SMOKE.run_asset: instance.fetch_materializations(
                    dg.AssetKey(SMOKE.run_asset), limit=1
                )
            },
            SPARK_SENSOR: {
                name: instance.fetch_observations(dg.AssetKey(name), limit=1) for name in spark
            },
        }
        return {
            sensor: PollCursor(
                after={
                    asset: page.records[0].storage_id
                    for asset, page in pages.items()
                    if page.records
                }
            ).dump()
            for sensor, pages in latest.items()
        }

    def _execute(self, job: str, request: dg.RunRequest, tags: Mapping[str, str]) -> None:
        config, assets = request.run_config, request.asset_selection
        execute_job(self.here, job, config, tags, self.record, self.watcher, assets=assets)

    def _waits_for(self, ticker: Ticker) -> list[str]:
        """What is waited for, in words."""
        resources = self.here.resources
        awaited = []
        for job in ticker.pending():
            port = resources.automl if job.startswith(SMOKE.model_name) else resources.spark
            awaited.append(f"{job} ({_state(lambda: port.status(job))})")  # noqa: B023  # called here
        if self._leases():
            awaited.append(f"SQL pool ({_state(resources.sql_pool_power.status)})")
        return awaited

    def _leases(self) -> list[str]:
        """The leases of this installation's runs."""
        run_of = self.here.instance.get_run_by_id
        holders = self.here.resources.sql_pool_power.leases()
        return [holder for holder in holders if run_of(holder)]

    def _stop_training(self) -> Iterator[str]:
        """Also where it was submitted and no event tells of it yet."""
        version = latest_data_version(self.here.instance, SMOKE.training_table)
        if version is None:
            return
        automl = self.here.resources.automl
        base = training_job_name(SMOKE, automl, version, BUDGET_SECONDS)
        status = current_attempt(base, automl.status).status
        if status is None:
            return
        if status.state.is_terminal:
            yield f"Training job {status.job_id} is {status.state}: {status.link}"
            return
        automl.cancel(status.job_id)
        yield f"Training job {status.job_id} was asked to cancel: {status.link}"

    def _stop_spark(self) -> Iterator[str]:
        for job in sorted(self._spark_jobs()):
            status = self.here.resources.spark.cancel(job)
            if status.state is not JobState.COMPLETED:
                yield f"Spark batch {job} is {status.state}: {status.link}"

    def _spark_jobs(self) -> set[str]:
        """The Spark jobs that assets of this installation began to wait for."""
        jobs: set[str | None] = set()
        for name in (SMOKE.training_table, SMOKE.predictions_table):
            records = self.here.instance.fetch_observations(dg.AssetKey(name), limit=20).records
            jobs |= {awaited_job(each.asset_observation, Awaited.SPARK) for each in records}
        return {job for job in jobs if job}

    def _stop_pool(self) -> Iterator[str]:
        power = self.here.resources.sql_pool_power
        asked = False
        for holder in self._leases():
            with suppress(BikecastError):  # the pause stays owed
                asked = power.release(holder) or asked
        deadline = time.monotonic() + PAUSE_SECONDS
        while True:
            try:
                asked = power.settle() or asked
                break
            except BikecastError as error:
                if time.monotonic() > deadline:
                    raise
                with suppress(OSError, ValueError):  # the terminal may be gone
                    self.watcher.waiting(f"the SQL pool, to pause it: {error}")
                sleep(POLL_SECONDS)
        status = power.status()
        sentence = f"The SQL pool {status.job_id} is {status.progress.get('status')}"
        if asked:
            sentence += ": this run resumed it and asked it to pause"
        elif status.state is not JobState.NOT_FOUND:
            sentence += ". It costs as long as it is online; others may use it"
        yield f"{sentence}: {status.link}"


def _state(status: Callable[[], JobStatus]) -> str:
    """A service's own word for a state; a service that does not answer now may do so later."""
    try:
        now = status()
    except BikecastError as error:
        return str(error)
    return str(now.progress.get("status") or now.progress.get("state") or now.state)
