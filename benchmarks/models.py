"""What models cost that stand side by side: loading the code location, and the ticks that wait.

Each location loads in a process of its own, models and Dagster's repository included; the times are
medians, and the ratio is to a location of one model. The ticks are those of the three polling
sensors, over jobs that all still run; the floor is one indexed query of the same event log.
Run: python benchmarks/models.py [--models 10] [--jobs 1000] [--repeats 5]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import dagster as dg
from orchestration import Running, cost

from bikecast.core.jobs import Awaited
from pipelines.jobs import model_jobs
from pipelines.model_files import load_models
from pipelines.sensors.long_jobs import polling_sensors
from resources.sql_pool.embedded import AlwaysOnline

MODEL = """\
type: pipelines.component.ForecastModel
attributes:
  features:
{features}
  target: {{name: y, type: float}}
  keys:
    - {{name: day, type: date}}
  time_key: day
"""
LOAD = """
import sys, time
from pathlib import Path
start = time.perf_counter()
import dagster
dagster_seconds = time.perf_counter() - start
from pipelines.build import build_definitions
from pipelines.environments import resources_for
from pipelines.model_files import load_models
from pipelines.settings import load_settings
settings, models = load_settings(), load_models(Path(sys.argv[1]))
build_definitions(settings, resources_for(settings, models), models).get_repository_def()
print(dagster_seconds, time.perf_counter() - start)
"""


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        one, many = (write_models(Path(name), n) for n in (1, arguments.models))
        dagster_alone, single = loading(one, arguments.repeats)
        _, several = loading(many, arguments.repeats)
        print(f"{'loading the code location':<44}{'s':>9}{'ratio':>9}")
        for text, seconds in (
            ("floor: import dagster", dagster_alone),
            ("1 model", single),
            (f"{arguments.models} models (limit: 2)", several),
        ):
            print(f"{text:<44}{seconds:>9.2f}{seconds / single:>9.2f}")
        with dg.instance_for_test() as instance:
            ticks(instance, many, arguments.jobs, arguments.repeats)


def write_models(folder: Path, count: int) -> Path:
    """A folder with so many models of ten features each."""
    features = "\n".join(f"    - {{name: x{n}, type: float, minimum: 0}}" for n in range(10))
    place = folder / str(count)
    for number in range(count):
        (place / f"model{number}").mkdir(parents=True)
        text = MODEL.format(features=features)
        (place / f"model{number}" / "defs.yaml").write_text(text, encoding="utf-8")
    return place


def loading(folder: Path, repeats: int) -> tuple[float, float]:
    """Median seconds of `import dagster` and of the whole location, in new processes."""
    seconds = []
    for _ in range(repeats):
        command = [sys.executable, "-c", LOAD, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds.append([float(word) for word in done.stdout.split()])
    return tuple(map(statistics.median, zip(*seconds, strict=True)))  # type: ignore[return-value]


def ticks(instance: dg.DagsterInstance, folder: Path, jobs: int, repeats: int) -> None:
    """The polling sensors over jobs of all models."""
    models = [model_jobs(model.spec) for model in load_models(folder)]
    for number in range(jobs):
        asset = models[number % len(models)].spec.run_asset
        tags = {"dagster/data_version": f"job-{number:05d}"}
        instance.report_runless_asset_event(dg.AssetMaterialization(asset, tags=tags))
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    empty = dg.GraphDefinition("run").to_job()  # jobs are submitted by runs
    empty.execute_in_process(run_config=quiet, instance=instance)
    key = dg.AssetKey(models[0].spec.run_asset)
    floor = cost(lambda: instance.fetch_materializations(key, limit=1), repeats).wall
    print(f"\n{'one tick':<44}{'ms':>9}{'limit':>9}{'x floor':>9}")
    whole = 0.0
    for sensor in polling_sensors(models, tuple(Awaited), seconds=5):
        tick = ticker(instance, sensor)
        cursor = tick(None).cursor
        while cursor and cursor.count("job-") < jobs and sensor.name == "automl_run_sensor":
            cursor = tick(cursor).cursor
        spent = cost(lambda: tick(cursor), repeats).wall  # noqa: B023  # called at once
        whole += spent
        print(f"{sensor.name:<44}{spent:>9.1f}{1000:>9}{spent / floor:>9.1f}")
    print(f"{f'all, {jobs} jobs of {len(models)} models':<44}{whole:>9.1f}{1000:>9}")


def ticker(
    instance: dg.DagsterInstance, sensor: dg.SensorDefinition
) -> Callable[[str | None], dg.SensorResult]:
    """Evaluates a sensor once."""
    resources: dict[str, object] = dict.fromkeys(sensor.required_resource_keys, Running())
    if "sql_pool_power" in resources:
        resources["sql_pool_power"] = AlwaysOnline()

    def tick(cursor: str | None) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources)
        return sensor(context)  # type: ignore[no-any-return]

    return tick


if __name__ == "__main__":
    main()
