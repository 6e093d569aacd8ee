"""What orchestration costs: ticks of the sensors on an event log with many jobs.

Times are medians over the repeats; the floor is one indexed query of the same event log, measured
in the same process. Run: python benchmarks/orchestration.py [--jobs 1000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable

import dagster as dg

from assets.lineage import model_assets
from pipelines.automation import automated
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sensors import training_sensor
from resources.jobs import JobState, JobStatus
from resources.sql_pool.port import SqlError


class Running:
    """Every job runs, and every answer comes at once: no network in the figures."""

    def status(self, job_id: str) -> JobStatus:
        """Queued or running for ever."""
        return JobStatus(job_id, JobState.RUNNING)

    def versions(self, name: str) -> list:  # noqa: ARG002
        """No model is registered."""
        return []

    @contextlib.contextmanager
    def session(self):
        """A pool without tables."""
        yield self

    def run(self, batch: str, parameters=()):  # noqa: ARG002
        """There is no table."""
        raise SqlError(208, "Invalid object name.")


def median(work: Callable[[], object], repeats: int) -> float:
    """Median milliseconds of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with dg.instance_for_test() as instance:
        run(instance, arguments.jobs, arguments.repeats)


def run(instance: dg.DagsterInstance, jobs: int, repeats: int) -> None:
    """Measure and print."""
    sensor = training_sensor(SPEC, "finish_training", seconds=5)

    def tick(cursor: str | None) -> dg.SensorResult:
        fake = Running()
        names = ("automl", "registry", "sql_pool", "sql_pool_power", "costs")
        resources = dict.fromkeys(names, fake)
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources)
        return sensor(context)

    idle = tick(None).cursor
    tick(idle)
    rows = [("idle tick", median(lambda: tick(idle), repeats), 50.0)]
    for number in range(jobs):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                SPEC.run_asset, tags={"dagster/data_version": f"job-{number:05d}"}
            )
        )
    cursor = None
    seconds = []
    while cursor is None or cursor.count("job-") < jobs:
        start = time.perf_counter()
        cursor = tick(cursor).cursor
        seconds.append(1000 * (time.perf_counter() - start))
    rows.append((f"reading ticks, longest of {len(seconds)}", max(seconds), 1000.0))
    full = cursor
    rows.append((f"tick over {jobs} pending jobs", median(lambda: tick(full), repeats), 1000.0))
    keys = ("lake", "sources", "spark", "automl", "registry", "sql_pool", "sql_pool_power", "costs")
    fake = dict.fromkeys(keys, Running())
    defs = dg.Definitions(automated(SPEC, model_assets(SPEC)), resources=fake)
    state = dg.evaluate_automation_conditions(defs, instance).cursor
    rows.append(
        (
            "evaluation of all conditions",
            median(
                lambda: dg.evaluate_automation_conditions(defs, instance, cursor=state), repeats
            ),
            1000.0,
        )
    )
    key = dg.AssetKey(SPEC.run_asset)
    floor = median(lambda: instance.fetch_materializations(key, limit=1), repeats)
    print(f"{'':<34}{'ms':>9}{'limit':>8}{'x floor':>9}")
    print(f"{'floor: one query of the log':<34}{floor:>9.1f}{'':>8}{1.0:>9.1f}")
    for name, value, limit in rows:
        print(f"{name:<34}{value:>9.1f}{limit:>8.0f}{value / floor:>9.1f}")


if __name__ == "__main__":
    main()
