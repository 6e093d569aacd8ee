"""A second, unrelated model goes through the same functions, from CSV to predictions."""

import re

import dagster as dg
import pytest

from assets.metadata import MOST_COLUMNS
from assets.waiting import NEXT_TAG
from pipelines.environments import Resources, local_resources
from pipelines.home import Home
from pipelines.in_process.checked_files import checked_files
from pipelines.in_process.main_job import run_main_job
from pipelines.in_process.outcome import Outcome
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
        self.next: list[str] = []

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
    models = (Model(COFFEE_SALES),)
    resources = local_resources(settings, models)
    watcher = Silent()
    with checked_files(COFFEE_SALES, resources.sources), dg.instance_for_test() as instance:
        here = Installation(Home.of(settings), settings, instance, resources, models)
        outcome = run_main_job(here, COFFEE_SALES, run_config={}, watcher=watcher)
        watcher.metadata = {stage: materialization(instance, stage).metadata for stage in STAGES}
        tags = [run.tags for run in instance.get_runs()]
        watcher.next = [each[NEXT_TAG] for each in tags if NEXT_TAG in each]
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
    trains = stage in (COFFEE_SALES.run_asset, COFFEE_SALES.model_table)
    rows = "training_rows" if trains else "dagster/row_count"
    expected = {rows, "dagster/column_schema", "preview", "seconds"}
    assert not expected - set(watcher.metadata[stage])


@pytest.mark.parametrize("stage", STAGES)
def test_metadata_has_one_style_of_keys_and_stays_true_after_the_run(coffee, stage):
    _, _, watcher = coffee
    for key, value in watcher.metadata[stage].items():
        assert re.fullmatch(r"(dagster/)?[a-z][a-z0-9_]*", key)
        assert not re.search("Queued|Running|is polled", str(value.value)), key


@pytest.mark.parametrize("stage", STAGES)
def test_every_column_of_every_table_has_a_description_and_an_sql_type(coffee, stage):
    _, _, watcher = coffee
    columns = watcher.metadata[stage]["dagster/column_schema"].value.columns
    assert [column.name for column in columns if not column.description] == []
    declaration = r"[a-z]+[0-9]?(\((\d+|max)\))?"
    assert [c for c in columns if not re.fullmatch(declaration, c.type)] == []


@pytest.mark.parametrize("stage", STAGES)
def test_no_table_is_wider_than_its_page(coffee, stage):
    _, _, watcher = coffee
    for key, value in watcher.metadata[stage].items():
        if isinstance(value, dg.MarkdownMetadataValue) and value.value.startswith("|"):
            columns = value.value.splitlines()[0].count("|") - 1
            assert columns <= MOST_COLUMNS, key


def test_the_run_that_ends_at_the_submission_says_what_comes_next(coffee):
    _, _, watcher = coffee
    [text] = watcher.next
    assert "The run ends here. Once the job has ended, automl_run_sensor" in text


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
