"""What orchestration costs: ticks, conditions, and a year of daily partitions scored again.

Times are medians over the repeats; `cpu` is what this process computed, which another process on
the machine changes little. The floor is one indexed query of the same event log, and for the
partitions PREDICT alone on the same rows; both are measured in this process.
Run: python benchmarks/orchestration.py [--jobs 1000] [--repeats 5] [--days 365]
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.sql import SqlError
from bikecast.embedded.mlflow import prepare_store
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.jobs import model_jobs, range_tags
from pipelines.sensors.long_jobs import training_sensor
from resources.sql_pool.embedded import AlwaysOnline
from tests.simulation.location import definitions
from tests.simulation.year import Year, simulated_year


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


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one call: on the clock, and of this process's computing."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    cost: Cost
    limit: float
    floor: Cost


def cost(work: Callable[[], object], repeats: int) -> Cost:
    """Medians over some calls."""
    wall, cpu = [], []
    for _ in range(repeats):
        start, busy = time.perf_counter(), time.process_time()
        work()
        wall.append(1000 * (time.perf_counter() - start))
        cpu.append(1000 * (time.process_time() - busy))
    return Cost(statistics.median(wall), statistics.median(cpu))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--days", type=int, default=365)
    arguments = parser.parse_args()
    with dg.instance_for_test() as instance:
        rows = polling(instance, arguments.jobs, arguments.repeats)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "mlflow.db"
        prepare_store(f"sqlite:///{database}")
        with simulated_year(Path(folder) / "year", database, ["new_files", "automation"]) as year:
            year.training_file(0)
            year.forecast_file(0, days=arguments.days)
            year.pass_week(0, hours=[0])
            rows += idle_ticks(year, arguments.repeats)
            rows += conditions(year, arguments.repeats)
            rows += partitions(year, arguments.days)
    print(f"{'':<44}{'ms':>9}{'limit':>8}{'cpu ms':>9}{'x floor':>9}")
    for row in rows:
        ratio = row.cost.wall / row.floor.wall
        print(
            f"{row.name:<44}{row.cost.wall:>9.1f}{row.limit:>8.0f}{row.cost.cpu:>9.1f}{ratio:>9.1f}"
        )


def query_floor(instance: dg.DagsterInstance, repeats: int) -> Cost:
    """One indexed query of the event log."""
    key = dg.AssetKey(SPEC.run_asset)
    return cost(lambda: instance.fetch_materializations(key, limit=1), repeats)


def polling(instance: dg.DagsterInstance, jobs: int, repeats: int) -> list[Row]:
    """The polling sensor over many jobs that all still run."""
    sensor = training_sensor([model_jobs(SPEC)], seconds=5)
    resources = {**dict.fromkeys(sensor.required_resource_keys, Running())}
    resources["sql_pool_power"] = AlwaysOnline()

    def tick(cursor: str | None) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources)
        return sensor(context)

    for number in range(jobs):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                SPEC.run_asset, tags={"dagster/data_version": f"job-{number:05d}"}
            )
        )
    cursor = None
    reading = []
    while cursor is None or cursor.count("job-") < jobs:
        before = cursor
        reading.append(cost(lambda: tick(before), 1))  # noqa: B023 # called at once
        cursor = tick(cursor).cursor
    floor = query_floor(instance, repeats)
    longest = max(reading, key=lambda each: each.wall)
    return [
        Row("floor: one query of the event log", floor, 0, floor),
        Row(f"reading {jobs} jobs, longest of {len(reading)} ticks", longest, 1000, floor),
        Row(f"tick over {jobs} pending jobs", cost(lambda: tick(cursor), repeats), 1000, floor),
    ]


def idle_ticks(year: Year, repeats: int) -> list[Row]:
    """Each sensor with nothing to do, on the real adapters of a home with a live model."""
    instance = year.daemon.instance
    floor = query_floor(instance, repeats)
    rows = []
    for sensor in definitions().get_repository_def().sensor_defs:
        if sensor.sensor_type.value not in ("STANDARD", "MULTI_ASSET"):
            continue
        resources = {
            key: value
            for key, value in year.resources.by_name().items()
            if key in sensor.required_resource_keys
        }

        def tick(
            cursor: str | None,
            sensor: dg.SensorDefinition = sensor,
            resources: dict[str, object] = resources,
        ) -> dg.SensorResult:
            context = dg.build_sensor_context(
                instance=instance,
                cursor=cursor,
                resources=resources,
                repository_def=definitions().get_repository_def(),
            )
            return sensor(context)

        cursor = tick(tick(None).cursor).cursor
        spent = cost(lambda: tick(cursor), repeats)  # noqa: B023 # called at once
        rows.append(Row(f"idle tick of {sensor.name}", spent, 50, floor))
    return rows


def conditions(year: Year, repeats: int) -> list[Row]:
    """All automation conditions at once."""
    instance, defs = year.daemon.instance, definitions()
    state = dg.evaluate_automation_conditions(defs, instance).cursor
    spent = cost(lambda: dg.evaluate_automation_conditions(defs, instance, cursor=state), repeats)
    return [Row("evaluation of all conditions", spent, 1000, query_floor(instance, repeats))]


def partitions(year: Year, days: int) -> list[Row]:
    """A range of daily partitions in one run, beside PREDICT alone on the same rows."""
    from resources.sql_pool.deployment import predicted_rows

    first, *_, last = (row["dteday"] for row in year.forecast_rows)
    job = definitions().resolve_job_def("rescore")
    tags = range_tags(first.isoformat(), last.isoformat())

    def rescore() -> None:
        done = job.execute_in_process(instance=year.daemon.instance, tags=tags)
        assert done.success

    floor = cost(lambda: predicted_rows(year.resources.sql_pool, SPEC), 3)
    return [
        Row(f"floor: PREDICT on {days} rows", floor, 0, floor),
        Row(f"{days} daily partitions scored in one run", cost(rescore, 1), 60_000, floor),
    ]


if __name__ == "__main__":
    main()
