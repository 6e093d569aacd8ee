"""A second, unrelated model goes through the same functions, from CSV to predictions."""

import dagster as dg
import pytest

from pipelines.build import build_definitions
from pipelines.environments import Resources, local_resources
from pipelines.home import Home
from pipelines.in_process.checked_files import checked_files
from pipelines.in_process.main_job import Outcome, run_main_job
from pipelines.installation import Installation
from pipelines.models import Model
from pipelines.settings import Settings
from tests.second_spec import COFFEE_SALES, write_coffee_files

pytestmark = pytest.mark.slow

STAGES = (
    "raw_coffee_sales",
    "coffee_sales",
    "coffee_automl_run",
    "coffee_offers_file",
    "coffee_offers",
    "coffee_sales_model",
    "coffee_sales_model_table",
    "predict_cups",
    "predicted_cups",
)


class Silent:
    """A watcher that keeps what it hears."""

    def __init__(self):
        self.ended: list[str] = []
        self.metadata: dict[str, dict] = {}

    def stage_started(self, stage):
        pass

    def stage_ended(self, stage, seconds, note):
        self.ended.append(stage)

    def training(self, status):
        pass

    def warning(self, text):
        pass


@pytest.fixture(scope="module")
def coffee(tmp_path_factory) -> tuple[Outcome, Resources, Silent]:
    folder = tmp_path_factory.mktemp("coffee")
    files = write_coffee_files(folder)
    settings = Settings(
        home=folder / "home", csv=str(files.training), forecast=str(files.scoring), max_trials=3
    )
    models = [Model(COFFEE_SALES)]
    resources = local_resources(settings, models)
    defs = build_definitions(settings, resources, models)
    watcher = Silent()
    with checked_files(COFFEE_SALES, resources.sources), dg.instance_for_test() as instance:
        here = Installation(Home.of(settings), defs, instance, resources)
        outcome = run_main_job(here, COFFEE_SALES, run_config={}, watcher=watcher)
        watcher.metadata = {stage: materialization(instance, stage).metadata for stage in STAGES}
    return outcome, resources, watcher


def materialization(instance, asset):
    return instance.get_latest_materialization_event(dg.AssetKey(asset)).asset_materialization


def test_every_stage_is_materialized(coffee):
    _, _, watcher = coffee
    ended = {stage for stage in watcher.ended if "training" not in stage}
    assert ended == set(STAGES)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_shows_rows_columns_a_preview_and_seconds(coffee, stage):
    _, _, watcher = coffee
    expected = {"dagster/row_count", "dagster/column_schema", "preview", "seconds"}
    assert not expected - set(watcher.metadata[stage])


def test_the_text_feature_reaches_the_model_and_the_pool(coffee):
    outcome, resources, _ = coffee
    assert len(outcome.predictions) == 6
    assert {type(row["drink"]) for row in outcome.predictions} == {str}
    with resources.sql_pool.session() as session:
        [result] = session.run("EXEC dbo.predict_cups")
    assert len(result.rows) == 6


def test_a_spec_without_time_has_no_time_ordered_score(coffee):
    outcome, _, _ = coffee
    assert outcome.scores["time_ordered"] is None
    holdout = outcome.scores["holdout"]
    assert holdout is not None
    assert holdout["spearman"] > 0.9
