"""Weeks in the life of a home: files arrive, the cluster trains, Dagster's daemon does the rest."""

import datetime as dt
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.environments import Resources
from pipelines.home import open_home
from pipelines.settings import load_settings
from resources.sql_pool.model_table import audit_trail, live_model
from tests.simulation import world
from tests.simulation.daemon import SimulatedDaemon, simulated_daemon
from tests.simulation.small_automl import SmallAutoML

#: Tuesday 02:00, when the file of week 0 arrives; its last day is the Monday before.
START = dt.datetime(2013, 1, 1, 2, tzinfo=dt.UTC)
SWITCHES = (
    "new_files",
    "automation",
    "weekly_retraining",
    "retrain_on_drift",
    "rollback_bad_model",
    "failure_alerts",
    "check_alerts",
)


@dataclass
class Week:
    """What happened in a week: runs as (cause, job, status), audit rows, submissions."""

    runs: list[tuple[str, str, str]] = field(default_factory=list)
    audit: list[tuple[str, int | None, int, int]] = field(default_factory=list)
    trainings: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    live: int | None = None


class Year:
    """A simulated home; `weeks` has the report of each week that has passed."""

    def __init__(self, daemon: SimulatedDaemon, resources: Resources, folder: Path) -> None:
        self.daemon, self.resources, self.folder = daemon, resources, folder
        self.weeks: dict[int, Week] = {}
        self.lasting: list[world.Fault] = []
        self.forecast_rows: list[world.Row] = []
        self._seen: set[str] = set()
        self._entries = self._submission = 0

    @property
    def automl(self) -> SmallAutoML:
        assert isinstance(self.resources.automl, SmallAutoML)
        return self.resources.automl

    def spoil(self, mark: str) -> None:
        """Let the next training go wrong."""
        (Path(self.automl.jobs_dir) / mark).touch()

    def training_file(self, week: int, *faults: world.Fault) -> None:
        """The file of a week arrives."""
        rows = world.days_until(week)
        for fault in (*self.lasting, *faults):
            rows = fault(rows)
        world.write_rows(self.folder / "days.csv", rows)

    def forecast_file(self, week: int, *faults: world.Fault, days: int = 10) -> None:
        """A forecast of the days after a week arrives."""
        rows = world.forecast_days(week, days)
        for fault in faults:
            rows = fault(rows)
        self.forecast_rows = rows
        world.write_rows(self.folder / "forecast.csv", rows)

    def pass_week(self, week: int, hours: Sequence[float] = (0, 145.02)) -> Week:
        """Let the week pass; at each of the hours after its Tuesday 02:00 the daemon looks.

        145.02 hours later it is Monday 03:01.
        """
        for hour in hours:
            self.settle(START + dt.timedelta(weeks=week, hours=hour))
        return self.report(week)

    def settle(self, now: dt.datetime, most: int = 8) -> None:
        """Tick every five minutes, the cluster working in between, until nothing starts."""
        for number in range(most):
            before = self.daemon.instance.get_runs_count()
            self.daemon.tick(now + dt.timedelta(minutes=5 * number))
            worked = self.automl.work()
            if not worked and self.daemon.instance.get_runs_count() == before:
                return
        raise AssertionError(f"runs still start {most} ticks after {now}")

    def report(self, week: int) -> Week:
        """What has happened since the last report, added to that of the week."""
        told = self.weeks.setdefault(week, Week())
        for run in reversed(self.daemon.instance.get_runs()):
            if run.run_id not in self._seen:
                self._seen.add(run.run_id)
                told.runs.append((cause(run), job(run), run.status.value))
        trail = audit_trail(self.resources.sql_pool, SPEC)[::-1]
        for row in trail[self._entries :]:
            told.audit.append((row.action, row.from_version, row.to_version, row.candidate))
            told.reasons.append(row.reason)
        self._entries = len(trail)
        for record in self.daemon.instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(SPEC.run_asset), after_storage_id=self._submission),
            limit=100,
            ascending=True,
        ).records:
            self._submission = record.storage_id
            told.trainings.append(str(record.asset_materialization.metadata["submission"].value))
        live = live_model(self.resources.sql_pool, SPEC)
        told.live = live.version if live else None
        return told


def cause(run: dg.DagsterRun) -> str:
    """Which sensor, schedule or condition asked for a run."""
    for tag in ("dagster/sensor_name", "dagster/schedule_name"):
        if tag in run.tags:
            return run.tags[tag]
    return "person"


def job(run: dg.DagsterRun) -> str:
    """The job's name, or the assets of an unnamed one."""
    if not run.job_name.startswith("__"):
        return run.job_name
    return ", ".join(sorted(key.to_user_string() for key in run.asset_selection or ()))


@contextmanager
def simulated_year(folder: Path, database: Path, switches: Sequence[str]) -> Iterator[Year]:
    """A home whose files are in `folder`; `database` is an empty MLflow store to copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIKECAST_HOME", str(folder / "home"))
        patch.setenv("BIKECAST_CSV", str(folder / "days.csv"))
        patch.setenv("BIKECAST_FORECAST", str(folder / "forecast.csv"))
        patch.setenv("DAGSTER_HOME", os.environ.get("DAGSTER_HOME", ""))
        home = open_home(load_settings())
        shutil.copy(database, home.root / "mlflow.db")
        from tests.simulation import location

        resources = location.resources(load_settings())
        with simulated_daemon(START, folder / "dagster") as daemon:
            daemon.switch_on(*switches)
            yield Year(daemon, resources, folder)
