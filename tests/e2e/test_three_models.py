"""Three models on one home: what is done with one changes nothing of another."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import dagster as dg
import pytest

from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.spec import Column, ModelSpec
from bikecast.core.training import TrainingResult
from pipelines.bike_rentals import BIKE_RENTALS, SAMPLES
from pipelines.environments import local_resources
from pipelines.event_log.dagster_log import DagsterLog
from pipelines.home import Home
from pipelines.in_process.checked_files import checked_files
from pipelines.in_process.main_job import run_main_job, run_rollback
from pipelines.in_process.rescoring import run_rescoring
from pipelines.installation import Installation
from pipelines.models import Model
from pipelines.reports.provenance import provenance_of
from pipelines.settings import Settings
from resources.automl.port import TrainingRequest
from tests.e2e.test_second_model import Silent
from tests.second_spec import COFFEE_SALES, write_coffee_files
from tests.three_models import AGAIN, changed, home_state, write_trips
from tests.unit.sql_pool.onnx_models import weighted_sum

pytestmark = pytest.mark.slow

TRIPS = ModelSpec(
    name="trips",
    features=(Column("temp", "float"), Column("busy", "bigint", codes=(0, 1))),
    target=Column("trips", "bigint"),
    keys=(Column("day", "date"), Column("hour", "bigint")),
    time_key="day",
    first_day="2024-01-01",
    inputs={"temp": "temperature"},
    output="trips_expected",
    output_type="decimal(9, 2)",
)
RUN = {"budget_seconds": 5}


class InstantAutoML(dg.ConfigurableResource):
    """Implements the port AutoML: a job is a model file, ready at once; weights grow by attempt."""

    training_code: ClassVar[tuple[str, ...]] = ("bikecast/core/urls.py",)
    jobs_dir: str

    def submit(self, request: TrainingRequest) -> JobStatus:
        numbers = {c.name: c.sql_type for c in request.spec.features if c.sql_type != "varchar"}
        weight = 1.0 + int(request.job_id.rsplit("-", 1)[1]) / 10
        folder = Path(self.jobs_dir) / request.job_id
        folder.mkdir(parents=True)
        model = weighted_sum(numbers, weight, output=request.spec.model_output)
        (folder / "model.onnx").write_bytes(model)
        return self.status(request.job_id)

    def status(self, job_id: str) -> JobStatus:
        there = (Path(self.jobs_dir) / job_id / "model.onnx").exists()
        return JobStatus(job_id, JobState.COMPLETED if there else JobState.NOT_FOUND)

    def cancel(self, job_id: str) -> JobStatus:
        return self.status(job_id)

    def result(self, job_id: str) -> TrainingResult:
        path = Path(self.jobs_dir) / job_id / "model.onnx"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        scores = {"cv": None, "holdout": None, "time_ordered": None}
        return TrainingResult(job_id, path, digest, [], scores, {})


@dataclass
class Three:
    """The installation, and what each model's first run has made."""

    here: Installation
    made: dict[str, set[str]]

    def state(self) -> dict[str, str]:
        """Everything of the home by name: tables, files, versions and aliases, jobs, assets."""
        return home_state(self.here)

    def run(self, spec: ModelSpec, **config: object) -> None:
        ops = {spec.run_asset: {"config": RUN | config}}
        with checked_files(spec, self.here.resources.sources):
            run_main_job(self.here, spec, run_config={"ops": ops}, promote=True, watcher=Silent())


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three")
    coffee = write_coffee_files(folder)
    models = (
        Model(BIKE_RENTALS, samples=SAMPLES),
        Model(TRIPS, *write_trips(folder)),
        Model(COFFEE_SALES, str(coffee.training), str(coffee.scoring)),
    )
    settings = Settings(home=folder / "home", budget=5, daily_partitions=True)
    local = local_resources(settings, models)
    instant = InstantAutoML(jobs_dir=str(folder / "home" / "jobs"))
    resources = type(local)(**{**vars(local), "automl": instant})
    with dg.instance_for_test() as instance:
        here = Installation(Home.of(settings), settings, instance, resources, models)
        three = Three(here, {})
        for model in models:
            before = three.state()
            three.run(model.spec)
            three.made[model.spec.name] = changed(before, three.state())
        yield three


def test_each_first_run_makes_only_what_is_new(three):
    bikes, trips, coffee = three.made.values()
    assert not (bikes & trips) | (trips & coffee) | (bikes & coffee)
    assert {"table dbo.trips_model", "asset predicted_trips", "version trips-model 1"} <= trips


def retrain(three, spec):
    three.run(spec, retrain=True)


def roll_back(three, spec):
    retrain(three, spec)
    run_rollback(three.here, spec, Silent(), version=1, actor="test")


def rescore(three, spec):
    first, last = AGAIN[spec.name]
    run_rescoring(three.here, spec, Silent(), first=first, last=last, version=None)


@pytest.mark.parametrize("spec", [BIKE_RENTALS, TRIPS, COFFEE_SALES], ids=lambda spec: spec.name)
@pytest.mark.parametrize("act", [retrain, roll_back, rescore])
def test_what_is_done_with_one_model_changes_nothing_of_another(three, spec, act):
    before = three.state()
    act(three, spec)
    touched = changed(before, three.state())
    assert touched
    others = set().union(*(made for name, made in three.made.items() if name != spec.name))
    assert touched & others == set()


@pytest.mark.parametrize("spec", [BIKE_RENTALS, TRIPS, COFFEE_SALES], ids=lambda spec: spec.name)
def test_a_prediction_of_each_model_is_explained_by_its_own_model(three, spec):
    found = provenance_of("1", DagsterLog(three.here.instance), spec, three.here.resources)
    assert found.model["name"] == spec.model_name
    assert found.training_data["table"] == spec.training_table
    assert found.source_line["line"] == 2
