"""The checks: what passes, what fails and what a failure stops."""

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest

from assets.checks import table_contract as contract
from assets.checks.blocking import table_contract
from assets.checks.drift import DriftLimits, feature_drift
from bikecast.core.sql_types import arrow_schema
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import simulate
from tests.unit.assets.conftest import BAD, GOOD


@pytest.fixture(scope="module")
def table() -> pa.Table:
    names = [column.name for column in SPEC.training_columns]
    return simulate().select(names).cast(arrow_schema(SPEC.training_columns))


def changed(table: pa.Table, name: str, values) -> pa.Table:
    place = table.column_names.index(name)
    return table.set_column(place, table.schema.field(place), pa.array(values, table[name].type))


def contract_problems(table: pa.Table, spec):
    blocks = [table.slice(start, 200) for start in range(0, table.num_rows, 200)]
    return contract.contract_problems(table.schema, blocks, spec)


def test_the_sample_keeps_the_contract(table):
    assert contract_problems(table, SPEC) == []


def test_each_break_of_the_contract_is_named(table):
    rows = table.num_rows
    cases = {
        "codes": changed(table, "season", [7] + [1] * (rows - 1)),
        "above": changed(table, "hum", [9.0] + [0.5] * (rows - 1)),
        "missing values": changed(table, "temp", [None] + [0.5] * (rows - 1)),
        "not finite": changed(table, "atemp", [float("nan")] + [0.5] * (rows - 1)),
        "keys appear twice": pa.concat_tables([table, table.slice(0, 1)]),
        "is missing": table.drop_columns(["windspeed"]),
        "not int64": table.set_column(0, "season", table["season"].cast(pa.int32())),
        "fewer than": table.slice(0, 5),
        "the same value in every row": changed(table, "rentals", [7] * rows),
    }
    for word, broken in cases.items():
        problems = contract_problems(broken, SPEC)
        assert len(problems) == 1, (word, problems)
        assert word in str(problems[0]["problem"])


def test_rows_of_the_same_kind_have_not_drifted(table):
    order = np.random.default_rng(3).permutation(table.num_rows)
    found = feature_drift(table, table.take(order[:60]), SPEC, DriftLimits())
    assert [each.feature for each in found if each.drifted] == []


def test_an_injected_shift_is_found_in_its_feature_alone(table):
    order = np.random.default_rng(3).permutation(table.num_rows)
    scoring = table.take(order[:200])
    warmer = [value + 0.3 for value in scoring["temp"].to_pylist()]
    found = feature_drift(table, changed(scoring, "temp", warmer), SPEC, DriftLimits())
    assert [each.feature for each in found if each.drifted] == ["temp"]


def test_ten_rows_are_too_few_to_tell(table):
    assert feature_drift(table, table.slice(0, 10), SPEC, DriftLimits()) == []


def checks_of(result) -> dict[str, bool]:
    return {each.check_name: each.passed for each in result.get_asset_check_evaluations()}


def test_predict_equals_onnx_runtime_and_the_predictions_are_plausible(stage):
    stage.register(GOOD)
    stage.promote()
    done = stage.run(SPEC.scoring_table, SPEC.procedure, SPEC.predictions_table)
    checks = checks_of(done)
    assert checks["predict_equals_onnx_runtime"]
    assert checks["are_plausible"]
    [event] = done.asset_materializations_for_node(SPEC.predictions_table)
    lineage = event.metadata["dagster/column_lineage"].value.deps_by_column
    assert dg.AssetKey(SPEC.scoring_table) in {dep.asset_key for dep in lineage[SPEC.output]}


def test_negative_rentals_are_not_plausible(stage):
    stage.register(BAD)
    stage.promote()
    done = stage.run(SPEC.scoring_table, SPEC.procedure, SPEC.predictions_table)
    assert done.success
    assert checks_of(done)["are_plausible"] is False


def test_a_pool_model_that_differs_from_the_registry_stops_the_scoring(stage):
    stage.register(GOOD)
    stage.promote()
    before = stage.score()
    stage.register(BAD)
    with stage.pool.session() as session:
        other = stage.registry.download(SPEC.model_name, 2)
        session.run("UPDATE dbo.rental_prediction_model SET model = ?", [other])
    done = stage.run(SPEC.predictions_table)
    assert not done.success
    assert checks_of(done)["predict_equals_onnx_runtime"] is False
    with stage.pool.session() as session:
        [kept] = session.run("SELECT DISTINCT run_id FROM dbo.predicted_rentals")
    assert kept.rows == [(before[0]["run_id"],)]


def test_a_table_that_breaks_the_contract_fails_its_check(stage):
    import deltalake

    broken = simulate().select([c.name for c in SPEC.training_columns])
    broken = broken.cast(arrow_schema(SPEC.training_columns)).slice(0, 3)
    deltalake.write_deltalake(stage.lake.url(SPEC.training_table_path), broken, mode="overwrite")
    result = table_contract(SPEC, stage.lake)
    assert not result.passed
    assert "fewer than" in result.description
