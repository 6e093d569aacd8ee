"""The files of models: what they say, and which line and field is named where they are wrong."""

import json
from pathlib import Path
from textwrap import indent

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from assets.training import training_attempt, training_job_name
from bikecast.core.errors import InvalidInput
from bikecast.core.jobs import JobState, JobStatus
from pipelines import model_files
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.cli import app as cli
from pipelines.component import ForecastModel
from pipelines.model_files import load_models, other_definitions, read_models

SHOP = """\
type: pipelines.component.ForecastModel
attributes:
  description: Cups of an hour
  features:
    - {name: drink, type: varchar, codes: [tea, coffee]}
    - {name: price, type: float, minimum: 0}
  target: {name: cups, type: bigint}
  keys:
    - {name: day, type: date}
    - {name: hour, type: int}
  time_key: day
  training:
    primary_metric: r2_score
  predict:
    scoring_table: offers
"""


@pytest.fixture
def defs(tmp_path, monkeypatch):
    """A folder of models in place of the project's; `write` adds one."""
    monkeypatch.setattr(model_files, "DEFS", tmp_path)

    class Defs:
        folder = tmp_path

        def write(self, name="shop", text=SHOP):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "defs.yaml").write_text(text, "utf-8")

        def problems(self):
            _, problems = read_models(model_files.model_files(tmp_path))
            return [(each.file.parent.name, each.line, each.field, each.text) for each in problems]

    return Defs()


def test_a_model_has_the_name_of_its_folder_and_the_names_that_its_file_says(defs):
    defs.write()
    [model] = load_models(defs.folder)
    spec = model.spec
    assert (spec.name, spec.training_table, spec.scoring_table) == ("shop", "shop_data", "offers")
    assert [column.sql_type for column in spec.features] == ["varchar", "float"]
    assert spec.key_names == ("day", "hour")
    assert spec.training.primary_metric == "r2_score"


def test_the_bike_models_training_is_known_by_the_name_of_the_version_before():
    """Numbers of the file stay whole where they were, or each home would train again."""

    class NoCode:
        training_code = ()

    name = training_job_name(BIKE_RENTALS, NoCode(), "data", 20.0)
    assert name == "rental-prediction-model-ebb481d5b89f"


class JobTable:
    """An AutoML whose jobs of these names are complete."""

    training_code = ()

    def __init__(self, *jobs):
        self.jobs = jobs

    def status(self, job_id):
        state = JobState.COMPLETED if job_id in self.jobs else JobState.NOT_FOUND
        return JobStatus(job_id, state)


def test_what_the_version_before_trained_by_default_is_not_trained_again():
    earlier = f"{training_job_name(BIKE_RENTALS, JobTable(), 'data', 120.0)}-1"
    automl = JobTable(earlier)

    def job(seconds, **options):
        settings = {"retrain": False} | options
        attempt = training_attempt(BIKE_RENTALS, automl, "data", seconds, **settings)
        return attempt.status and attempt.job_id

    assert job(900.0) == job(120.0) == earlier
    assert job(1800.0) is None
    assert job(900.0, retrain=True) is None


INPUTS, OUTPUT_TYPE = "offers\n    inputs: ", "offers\n    output_type: "
#: What stands in the file, what stands there instead, and the line and the field that are named.
WRONG = {
    "unknown type": ("type: float", "type: bigintx", 6, "features.1.type"),
    "missing target": ("  target: {name: cups, type: bigint}\n", "", 2, "target"),
    "key that is a feature": ("{name: hour, type: int}", "{name: price, type: int}", 10, "keys.1"),
    "misspelt field": ("  time_key:", "  timekey:", 11, "timekey"),
    "misspelt field of a column": ("codes:", "code:", 5, "features.0.code"),
    "field twice": ("  time_key: day", "  time_key: day\n  time_key: day", 12, "time_key"),
    "time key that is no key": ("time_key: day", "time_key: price", 11, "time_key"),
    "unknown metric": ("r2_score", "accuracy", 12, "training"),
    "unknown setting": ("primary_metric", "metric", 13, "training.metric"),
    "name that is no identifier": ("table: offers", "table: a b", 15, "predict.scoring_table"),
    "column that is no identifier": ("name: price", "name: 1 price", 6, "features.1"),
    "text as target": ("cups, type: bigint", "cups, type: varchar", 7, "target"),
    "number as text": ("minimum: 0", "minimum: none", 6, "features.1.minimum"),
    "no list": ("  time_key: day", "  time_key: day\n  segments: drink", 12, "segments"),
    "no feature is shown": ("  time_key: day", "  shown: [cup]\n  time_key: day", 11, "shown"),
    "cron that is none": ("  predict:", "  schedules: {score: daily}\n  predict:", 14, "schedules"),
    "zone that is none": ("  predict:", "  schedules: {timezone: X}\n  predict:", 14, "schedules"),
    "late too soon": ("  predict:", "  freshness: {scored_hours: 1}\n  predict:", 14, "freshness"),
    "owner that is none": ("  time_key: day", "  time_key: day\n  owners: [me]", 12, "owners"),
    "sample that is none": ("  time_key: day", "  time_key: day\n  sample: tea", 12, "sample"),
    "day that is none": ("  time_key: day", "  time_key: day\n  first_day: today", 12, "first_day"),
    "name for no column": ("  time_key:", "  columns: {a: X}\n  time_key:", 11, "columns.a"),
    "date as feature": ("price, type: float, minimum: 0", "price, type: date", 6, "features.1"),
    "column of our own": ("{name: hour,", "{name: run_id,", 10, "keys.1"),
    "output that is a column": ("offers", "offers\n    output: price", 16, "predict.output"),
    "input that is no feature": ("offers", f"{INPUTS}{{cups: a}}", 16, "predict.inputs.cups"),
    "input of two": ("offers", f"{INPUTS}{{price: hour}}", 16, "predict.inputs.price"),
    "input that SQL has not": ("offers", f"{INPUTS}{{price: a b}}", 16, "predict.inputs.price"),
    "output that is a text": ("offers", f"{OUTPUT_TYPE}varchar", 16, "predict.output_type"),
    "too many digits": ("offers", f"{OUTPUT_TYPE}decimal(39, 2)", 16, "predict.output_type"),
    "a pool's name": ("  predict:", "  names: {procedure: p}\n  predict:", 14, "names.procedure"),
    "template": ("minimum: 0", 'minimum: "{{ env.MINIMUM }}"', 6, "features.1.minimum"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "field"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_by_file_line_and_field(defs, old, new, line, field):
    assert SHOP.count(old) == 1
    defs.write(text=SHOP.replace(old, new))
    [(name, at, named, text)] = [defs.problems()[0]]
    assert (name, at) == ("shop", line)
    assert named.removeprefix("attributes.").startswith(field)
    assert text


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("type: [\n", 2, "is not YAML"),
        ("type: pipelines.component.ForecastModel\n", 1, "is missing"),
        (f"{SHOP}requirements: {{}}\n", 16, "is not read"),
        ("", 1, "the file is empty"),
        ("- a\n", 1, "the file is no mapping"),
        ("attributes: {}\n", 1, "is missing; for a model it is pipelines.component"),
        ("# ours\ntype: pipelines.component.Forecast\n", 2, "Forecast cannot be loaded"),
        ("type: nowhere.Model\n", 1, "nowhere.Model cannot be loaded"),
        ("type: Model\n", 1, "Model cannot be loaded"),
        (f"{SHOP}  first_day: 2024-13-01\n", 1, "is not YAML: month must be"),
        (f"{SHOP}  segments: &own [*own]\n", 16, "segments"),
    ],
)
def test_a_file_that_has_another_form_is_named_too(defs, text, line, said):
    defs.write(text=text)
    (_, at, field, told) = defs.problems()[0]
    assert at == line
    assert said in told + field


def test_a_folder_whose_name_is_no_identifier_is_named(defs):
    defs.write("my-shop")
    [(name, _, _, text)] = defs.problems()
    assert name == "my-shop"
    assert "name 'my-shop' is not a letter" in text


def test_two_models_with_one_table_are_named_in_the_second_file(defs):
    defs.write("cafe")
    defs.write("shop")
    problems = defs.problems()
    assert {(name, line, field) for name, line, field, _ in problems} == {
        ("shop", 15, "attributes.predict.scoring_table")
    }
    assert any("dbo.offers is of cafe and of shop" in text for *_, text in problems)


def test_all_faults_of_all_files_are_told_at_once(defs):
    defs.write("cafe", SHOP.replace("float", "bigintx").replace("minimum: 0", "minimum: none"))
    defs.write("shop", SHOP.replace("r2_score", "accuracy"))
    with pytest.raises(InvalidInput) as caught:
        load_models(defs.folder)
    text = str(caught.value)
    assert text.count("defs.yaml:") == 3
    assert "bikecast check" in text


def test_check_prints_the_faults_and_ends_with_code_2(defs, monkeypatch):
    defs.write(text=SHOP.replace("float", "bigintx"))
    monkeypatch.setattr(model_files.model_files, "__defaults__", (defs.folder,))
    done = CliRunner().invoke(cli.app, ["check"])
    assert done.exit_code == 2
    assert "shop/defs.yaml:6: attributes.features.1.type: " in done.output
    as_json = CliRunner().invoke(cli.app, ["check", "--json"])
    assert json.loads(as_json.stdout)[0]["line"] == 6


@given(st.text(alphabet=" \n:-[]{}'\"#abtype", max_size=40))
def test_any_text_is_a_model_or_has_a_named_fault(text):
    class Text(type(Path())):
        def read_text(self, *_):
            return SHOP + indent(text, "  ")

    file = model_files.ModelFile(Text("shop/defs.yaml")).read()
    assert (file.model is None) == bool(file.problems)


def test_without_models_there_is_nothing_and_other_components_are_loaded(tmp_path):
    assert load_models(tmp_path) == ()
    assert other_definitions(tmp_path) == []
    assert other_definitions() == []


def test_python_builds_a_model_with_the_same_checks():
    columns = {
        "features": [{"name": "x", "type": "float"}],
        "target": {"name": "y", "type": "float"},
    }
    assert ForecastModel(name="tea", **columns).as_model().spec.procedure == "predict_tea"
    with pytest.raises(ValidationError, match="time_key 'z' is not one of the keys"):
        ForecastModel(name="tea", time_key="z", **columns)
    assert issubclass(ForecastModel, dg.Component)


def test_the_script_is_shown_before_it_runs_and_kept_where_asked(tmp_path):
    shown = CliRunner().invoke(cli.app, ["script", "--model", "bike_rentals"])
    assert "CREATE PROCEDURE [dbo].[predict_rentals]" in shown.stdout
    kept = tmp_path / "predict.sql"
    CliRunner().invoke(cli.app, ["script", "--model", "bike_rentals", "-o", str(kept)])
    assert kept.read_text("utf-8").strip() == shown.stdout.strip()
