"""Models stand side by side: their names derive from a short name and belong to one of them."""

import contextlib
import datetime as dt
import re
from dataclasses import replace
from itertools import chain
from keyword import iskeyword
from unittest.mock import Mock

import dagster as dg
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from bikecast.core.errors import InvalidInput
from bikecast.core.operations import Schedules
from bikecast.core.spec import Column, ModelSpec, SpecError, TrainingSettings
from bikecast.core.sql import ResultSet
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.build import build_definitions, trained_by
from pipelines.environments import local_resources
from pipelines.jobs import model_jobs
from pipelines.models import (
    Model,
    automation_names,
    check_names,
    chosen_model,
    name_problems,
    source_paths,
)
from pipelines.sensors.long_jobs import polling_sensors
from pipelines.settings import load_settings
from resources.sql_pool.daily import Days, Scorer, load_days, score_days, score_rows
from resources.sql_pool.deployment import create_procedures, load_predictions, load_scoring_table
from resources.sql_pool.model_table import ensure_tables
from tests.second_spec import COFFEE_SALES

X, Y = Column("x", "float"), Column("y", "float")
DAY = Column("day", "date")


def small(name, **fields):
    return ModelSpec(**{"name": name, "features": (X,), "target": Y} | fields)


def location(home, *specs, **flags):
    installed = load_settings(home=home, **flags)
    models = [Model(spec) for spec in specs]
    return build_definitions(installed, local_resources(installed, models), models)


def names_in(defs):
    repository = defs.get_repository_def()
    assets = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    jobs = {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    automation = {each.name for each in (*repository.sensor_defs, *repository.schedule_defs)}
    return assets, jobs, automation


def test_all_names_of_a_model_derive_from_its_short_name():
    spec = small("cafe")
    names = chain(*spec.owned_names().values(), automation_names(spec), [spec.training.experiment])
    assert all("cafe" in name for name in names)


def test_the_labs_names_are_as_they_were(tmp_path):
    assets, jobs, automation = names_in(location(tmp_path, BIKE_RENTALS))
    assert assets == {
        *("raw_bike_rentals", "bike_data", "automl_run", "rental_prediction_model"),
        *("rental_prediction_model_table", "weather_forecast_file", "weather_forecast"),
        *("predict_rentals", "predicted_rentals"),
    }
    assert jobs == {
        *("bike_rentals", "train", "finish_training", "score", "rollback", "cancel_training")
    }
    assert {"automl_run_sensor", "cancel_automl_run", "new_files", "automation"} < automation
    assert {"weekly_retraining", "daily_scoring"} < automation
    assert BIKE_RENTALS.training.experiment == "mslearn-bike-rentals"


def test_models_in_one_location_share_nothing_but_the_sensors_that_wait(tmp_path):
    one = names_in(location(tmp_path, BIKE_RENTALS))
    other = names_in(location(tmp_path, COFFEE_SALES))
    both = names_in(location(tmp_path, BIKE_RENTALS, COFFEE_SALES))
    assert both == tuple(a | b for a, b in zip(one, other, strict=True))
    assert [a & b for a, b in zip(one, other, strict=True)] == [
        set(),
        set(),
        {
            *("automl_run_sensor", "cancel_automl_run"),
            *("failure_alerts", "check_alerts"),
        },
    ]


def test_an_environment_has_the_sensors_that_may_have_work_there(tmp_path):
    jobs = [model_jobs(BIKE_RENTALS)]
    local = local_resources(load_settings(home=tmp_path), [Model(BIKE_RENTALS)])
    assert local.awaited == ()
    slow = replace(local, spark=Mock(), sql_pool_power=Mock())
    waiting = [
        [each.name for each in polling_sensors(jobs, here.awaited, seconds=5)]
        for here in (local, slow)
    ]
    assert waiting == [
        ["automl_run_sensor"],
        ["automl_run_sensor", "spark_sensor", "sql_pool_sensor"],
    ]


def test_each_model_has_asset_groups_of_its_own(tmp_path):
    graph = location(tmp_path, BIKE_RENTALS, COFFEE_SALES).resolve_asset_graph()
    groups = {graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert groups == {
        *("lake", "spark", "training", "serving"),
        *(f"coffee_{name}" for name in ("lake", "spark", "training", "serving")),
    }


def test_a_location_without_models_loads(tmp_path):
    assets, jobs, _ = names_in(location(tmp_path))
    assert (assets, jobs) == (set(), set())


#: Parts of names that our own endings and beginnings are made of, so that collisions are likely.
PARTS = st.sampled_from(["a", "B", "x1", "raw", "data", "model", "table", "predict", "scoring"])
RESERVED = ("class", "type", "input", "output", "config", "int", "None", "context", "str")
NAMES = (
    st.lists(PARTS, min_size=1, max_size=4).map("_".join)
    | st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,30}", fullmatch=True)
    | st.sampled_from(RESERVED)
)


KEYS = st.sampled_from([(), (DAY,), (DAY, Column("Hour", "int")), (Column("Shop", "varchar"),)])
OWN_NAMES = ("model_table", "procedure", "run_asset", "training_table", "scoring_table", "prefix")


@st.composite
def specs(draw):
    """Any valid spec: names of its own or derived, columns of all types, with and without keys."""
    columns = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
    target, *features = draw(st.lists(columns, min_size=2, max_size=5, unique=True))
    keys = draw(KEYS)
    has_days = DAY in keys and draw(st.booleans())
    try:
        spec = ModelSpec(
            name=draw(NAMES),
            features=tuple(
                Column(name, draw(st.sampled_from(["bigint", "int", "real", "float", "varchar"])))
                for name in features
            ),
            target=Column(target, draw(st.sampled_from(["bigint", "int", "real", "float"]))),
            keys=keys,
            time_key=DAY.name if has_days else None,
            first_day="2020-01-01" if has_days else None,
            segments=tuple(draw(st.sets(st.sampled_from(features)))),
            output_type=draw(st.sampled_from(["real", "float", "int", "decimal(9, 2)"])),
            **draw(st.dictionaries(st.sampled_from(OWN_NAMES), NAMES, max_size=2)),
        )
        spec.check_predictions()
    except SpecError:
        reject()
    return spec


@given(specs())
@settings(max_examples=15)
def test_any_spec_gives_unique_names_and_a_location_that_loads(tmp_path_factory, spec):
    has_days = spec.first_day is not None
    if name_problems([spec]):
        names = [*chain(*spec.owned_names().values(), automation_names(spec))]
        reserved = [name for name in names if iskeyword(name) or name in RESERVED]
        assert reserved or len({name.casefold() for name in names}) < len(names)
        return
    loaded = location(tmp_path_factory.getbasetemp(), spec, daily_partitions=True)
    assets, jobs, automation = names_in(loaded)
    owned = spec.owned_names()["asset"]
    absent = [f"{spec.predictions_table}_rescored"] if has_days else owned[-2:]
    assert assets == set(owned) - set(absent)
    assert spec.name in jobs
    assert jobs | automation <= {*automation_names(spec)} | automation
    dg.Definitions.validate_loadable(loaded)


@given(st.lists(NAMES, min_size=2, max_size=4, unique_by=str.casefold))
def test_models_that_are_let_stand_side_by_side_share_no_name(names):
    specs = [small(name) for name in names]
    try:
        check_names(specs)
    except InvalidInput:
        return
    for kind in specs[0].owned_names():
        owned = [name.casefold() for spec in specs for name in spec.owned_names()[kind]]
        assert len(owned) == len(set(owned)), kind


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (replace(COFFEE_SALES, model_table="BIKE_DATA"), "asset, job or sensor bike_data is of"),
        (replace(COFFEE_SALES, source_file="data/weather-forecast.csv"), "weather-forecast.csv"),
        (replace(COFFEE_SALES, model_name="rental-prediction-model"), "the registered model"),
        (replace(COFFEE_SALES, predictions_table="weather_forecast"), "dbo.weather_forecast"),
        (
            replace(COFFEE_SALES, training_table="predicted_rentals_scored"),
            "dbo.predicted_rentals_scored",
        ),
        (replace(COFFEE_SALES, procedure="score_predicted_rentals"), "score_predicted_rentals"),
        (replace(COFFEE_SALES, prefix=""), "asset, job or sensor train is of"),
        (small("shop", model_table="shop"), "sensor shop is of shop and of shop"),
        (small("automl_run_sensor"), "automl_run_sensor is of the installation"),
        (small("class"), "'class' of class can be no asset"),
        (small("shop", schedules=Schedules(retrain_name="each week")), "'shop_each week' of shop"),
    ],
)
def test_two_models_with_one_name_are_refused(other, named):
    with pytest.raises(InvalidInput, match=named):
        check_names([BIKE_RENTALS, other])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "a b"}, "name 'a b' is not a letter"),
        ({"name": "1a"}, "name '1a' is not a letter"),
        ({"name": ""}, "name '' is not a letter"),
        ({"scoring_table": "a.b"}, "scoring_table 'a.b' is not a name such as cafe_scoring"),
        ({"source_file": "../x.csv"}, r"source_file '\.\./x\.csv' is not a name"),
        ({"model_name": "a/b"}, "model_name 'a/b' is not a name"),
        ({"schema": "d b"}, "schema 'd b' is not an SQL identifier"),
        ({"prefix": "-"}, "prefix '-' is not a name"),
    ],
)
def test_what_is_no_name_is_refused(fields, reason):
    with pytest.raises(ValueError, match=reason):
        small(**{"name": "cafe"} | fields)


def test_the_only_model_is_chosen_without_a_name():
    assert chosen_model([Model(COFFEE_SALES)], None).spec is COFFEE_SALES


@pytest.mark.parametrize(
    ("specs", "name", "said"),
    [
        ([BIKE_RENTALS, COFFEE_SALES], None, "several models: bike_rentals, coffee"),
        ([BIKE_RENTALS], "tea", "no model 'tea'; there are: bike_rentals"),
        ([], None, "bikecast new-model"),
    ],
)
def test_a_choice_that_is_none_says_what_there_is(specs, name, said):
    with pytest.raises(InvalidInput, match=said):
        chosen_model([Model(spec) for spec in specs], name)


def test_the_settings_files_are_those_of_the_chosen_model():
    models = [Model(BIKE_RENTALS), Model(COFFEE_SALES, csv="shop.csv")]
    paths = source_paths(load_settings(model="bike_rentals", csv="https://a/b.csv"), models)
    assert paths[BIKE_RENTALS.source_file] == "https://a/b.csv"
    assert paths[COFFEE_SALES.source_file] == "shop.csv"


@pytest.mark.parametrize(
    "flags",
    [
        {"csv": "https://a/b.csv"},
        {"decimal": ","},
        {"scoring": "spark", "scoring_table": "tables/stations"},
    ],
)
def test_what_the_settings_say_of_files_without_a_model_is_refused_where_there_are_several(
    tmp_path, flags
):
    """A table to score, or a decimal mark, was once that of every model."""
    models = [Model(BIKE_RENTALS), Model(COFFEE_SALES)]
    with pytest.raises(InvalidInput, match=rf"{list(flags)[-1].upper()}\. .*Set BIKECAST_MODEL"):
        local_resources(load_settings(home=tmp_path, **flags), models)


def test_a_table_to_score_is_the_chosen_models(tmp_path):
    flags = {"scoring": "spark", "scoring_table": "tables/a", "model": "coffee"}
    models = [Model(BIKE_RENTALS), Model(COFFEE_SALES)]
    scoring = local_resources(load_settings(home=tmp_path, **flags), models).scoring
    assert scoring.spark.rows_paths == {"coffee": "tables/a"}


class WritingPool:
    """A pool that only notes what it is told."""

    def __init__(self):
        self.batches: list[str] = []

    @contextlib.contextmanager
    def session(self):
        yield self

    def run(self, batch, parameters=()):
        self.batches.append(batch)
        empty = (dt.date(2020, 1, 1), 0) if "GROUP BY" in batch else (1,)
        return [ResultSet((), [empty] if "COUNT_BIG" in batch else [])]


def test_a_model_owns_all_that_its_scripts_make_or_drop():
    """A script of one model once dropped the table of another, whose name was of no model."""
    spec, pool = BIKE_RENTALS, WritingPool()
    day = Days(dt.date(2020, 1, 1), dt.date(2020, 1, 1))
    load_scoring_table(pool, spec, url="file:///a.csv")
    create_procedures(pool, spec)
    load_predictions(pool, spec, url="file:///a")
    ensure_tables(pool, spec)
    load_days(pool, spec, day, url="file:///a.csv")
    score_days(pool, spec, day, Scorer(1, b"", "", ""), run_id="r")
    score_rows(pool, spec, 1, 1, Scorer(1, b"", "", ""), run_id="r")

    changes = r"(?:CREATE|ALTER|DROP) (?:TABLE|PROCEDURE|VIEW) \[(\w+)\]\.\[(\w+)\]"
    made = {".".join(pair) for batch in pool.batches for pair in re.findall(changes, batch)}
    assert len(made) > 10
    assert made <= set(spec.owned_names()["table or procedure"])


def test_a_model_trains_for_the_hours_of_its_file_unless_the_settings_say_a_budget():
    """The file's hours once had no effect."""
    spec = small("cafe", training=TrainingSettings(max_training_hours=2))
    assert trained_by(spec, load_settings()).training.max_training_hours == 2
    assert trained_by(spec, load_settings(budget=60)).training.max_training_hours == 1 / 60
