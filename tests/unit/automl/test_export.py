"""Exported graphs predict what the native models predict."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bikecast.core.errors import ModelRejected
from bikecast.core.onnx.contract import inspect_model
from bikecast.core.onnx.versions import ML_OPSETS, OPSETS
from bikecast.core.spec import Column, TrainingSettings
from bikecast.embedded.automl.export.ensemble import EXPORTERS, export_model
from bikecast.embedded.automl.export.parity import check_export, probe_values
from bikecast.embedded.automl.export.trees import round_down
from bikecast.embedded.automl.models import FAMILIES, fit_model
from bikecast.embedded.automl.portfolio import PORTFOLIO, Configuration
from tests.unit.automl.tables import TIMED_COFFEE, coffee_data, predict_onnx

pytestmark = pytest.mark.filterwarnings("ignore:lbfgs failed")

BY_FAMILY = {c.family: c for c in reversed(PORTFOLIO) if not c.min_rows}
TREES = ("lightgbm", "gradient_boosting", "extra_trees", "random_forest")


def fitted(configuration: Configuration, data, seed: int = 0):
    return fit_model(configuration, data, np.arange(data.rows), seed)


def test_every_family_of_the_portfolio_has_an_exporter():
    assert set(FAMILIES) == set(EXPORTERS) == set(BY_FAMILY)


@pytest.mark.parametrize("family", sorted(EXPORTERS))
@given(seed=st.integers(0, 10_000), view=st.sampled_from(["raw", "products", "one_hot", "cyclic"]))
@settings(max_examples=5)
def test_a_graph_agrees_with_its_model_on_random_data(family, seed, view):
    data = coffee_data(80, seed=seed, missing=True)
    model = fitted(replace(BY_FAMILY[family], view=view), data, seed)
    parity = check_export(
        export_model([(model, 1.0)], data.columns, "out"), [(model, 1.0)], data, "out"
    )
    assert parity.difference <= 1e-3
    assert parity.rank_correlation >= 0.99999


@pytest.mark.parametrize("family", sorted(EXPORTERS))
@pytest.mark.parametrize("view", ["raw", "one_hot"])
def test_many_categories_missing_and_unseen_are_scored_alike(family, view):
    rng = np.random.default_rng(3)
    data = coffee_data(150, missing=True)
    places = np.array([f"p{n}" for n in rng.integers(0, 45, 150)], dtype=object)
    places[rng.random(150) < 0.1] = None
    data = replace(data, values={**data.values, "drink": places})
    model = fitted(replace(BY_FAMILY[family], view=view), data)
    graph = export_model([(model, 1.0)], data.columns, "out")
    assert check_export(graph, [(model, 1.0)], data, "out").difference <= 1e-3


@pytest.mark.parametrize("sql_type", ["int", "bigint", "real", "float", "varchar"])
@pytest.mark.parametrize("family", sorted(EXPORTERS))
def test_each_input_type_is_scored_alike(family, sql_type):
    data = coffee_data()
    seats = data.values["seats"]
    texts = np.array([f"s{int(v) % 9}" for v in seats], dtype=object)
    values = {**data.values, "seats": texts if sql_type == "varchar" else seats}
    columns = tuple(
        Column("seats", sql_type) if column.name == "seats" else column for column in data.columns
    )
    data = replace(data, columns=columns, values=values)
    model = fitted(replace(BY_FAMILY[family], view="raw"), data)
    graph = export_model([(model, 1.0)], columns, "out")
    assert check_export(graph, [(model, 1.0)], data, "out").rank_correlation >= 0.99999


@pytest.mark.parametrize("family", TREES)
def test_rows_on_a_split_fall_to_the_same_side(family):
    """Integers one float32 step apart: a threshold rounded to nearest would move some of them."""
    data = coffee_data(200)
    base = np.float32(16_777_215)
    price = (base - np.arange(200, dtype=np.float32) % 16).astype(np.float32)
    values = {**data.values, "price": price}
    data = replace(data, values=values, target=data.target + (price % 2) * 40)
    model = fitted(replace(BY_FAMILY[family], view="raw"), data)
    graph = export_model([(model, 1.0)], data.columns, "out")
    native = model.predict(values, np.arange(200))
    assert predict_onnx(graph, data.columns, values) == pytest.approx(native, rel=1e-5)


def thresholds(model, column: int) -> set[float]:
    """The values, as float64, that a fitted tree model splits a column of its matrix at."""
    if model.configuration.family == "lightgbm":
        frame = model.estimator.booster.trees_to_dataframe()
        used = frame[frame["split_feature"] == f"Column_{column}"]
        return set(used["threshold"].dropna())
    members = np.ravel(model.estimator.estimators_)
    trees = [member.tree_ for member in members]
    return {float(t) for tree in trees for t in tree.threshold[tree.feature == column]}


@pytest.mark.parametrize("family", TREES)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-6, 1.0, 1e6]))
@example(seed=545, scale=1.0)  # LightGBM splits at -1e-35, which it reads as zero
@settings(max_examples=4)
def test_inputs_at_and_beside_every_threshold_are_scored_alike(family, seed, scale):
    data = coffee_data(80, seed=seed)
    name = "outdoor_temp"
    warmth = (data.values[name] * np.float32(scale)).astype(np.float32)
    data = replace(
        data, values={**data.values, name: warmth}, target=data.target + 9 * (warmth > 0)
    )
    model = fitted(replace(BY_FAMILY[family], view="raw"), data, seed)
    first = model.view.matrix(data.values, np.arange(1)).shape[1]
    (column,) = [
        place
        for place in range(first)
        if np.array_equal(model.view.matrix(data.values, np.arange(80))[:, place], warmth)
    ]
    found = thresholds(model, column)
    assert found
    at = np.array(sorted(found), dtype=np.float32)
    edges = np.concatenate(
        [at, np.nextafter(at, np.float32(-np.inf)), np.nextafter(at, np.float32(np.inf))]
    )
    values = {key: np.resize(array, len(edges)) for key, array in data.values.items()}
    values[name] = edges
    graph = export_model([(model, 1.0)], data.columns, "out")
    native = model.predict(values, np.arange(len(edges)))
    assert predict_onnx(graph, data.columns, values) == pytest.approx(native, rel=1e-4)


@given(st.floats(-1e30, 1e30))
def test_rounding_down_keeps_every_float32_on_its_side(threshold):
    down = np.float32(round_down(threshold))
    above = np.nextafter(down, np.float32(np.inf))
    assert float(down) <= threshold < float(above)


def test_an_unseen_text_and_a_missing_number_are_scored():
    data = coffee_data(missing=True)
    model = fitted(BY_FAMILY["ridge"], data)
    values = {name: array[:3].copy() for name, array in data.values.items()}
    values["drink"][:2] = ["never seen", None]
    values["price"][2] = np.nan
    graph = export_model([(model, 1.0)], data.columns, "out")
    predicted = predict_onnx(graph, data.columns, values)
    assert predicted == pytest.approx(model.predict(values, np.arange(3)), rel=1e-4)
    other = {**values, "drink": np.array(["also never seen"] * 3, dtype=object)}
    assert predicted[0] == pytest.approx(model.predict(other, np.arange(3))[0], rel=1e-4)


def test_an_ensemble_is_one_graph_that_keeps_the_contract():
    data = coffee_data()
    members = [(fitted(c, data), 1 / len(PORTFOLIO)) for c in PORTFOLIO]
    graph = export_model(members, data.columns, "variable_out1", 0.0)
    signature = inspect_model(graph)
    assert [(t.name, t.type, t.shape) for t in signature.inputs] == [
        ("drink", "STRING", (None, 1)),
        ("price", "DOUBLE", (None, 1)),
        ("seats", "INT32", (None, 1)),
        ("outdoor_temp", "FLOAT", (None, 1)),
        ("weekday", "INT64", (None, 1)),
        ("rainy", "INT32", (None, 1)),
    ]
    assert [(t.name, t.type, t.shape) for t in signature.outputs] == [
        ("variable_out1", "FLOAT", (None, 1))
    ]
    assert (signature.opset, signature.ir_version) == (9, 4)
    data = replace(data, target_minimum=0.0)
    assert check_export(graph, members, data, "variable_out1").difference <= 1e-3


@pytest.mark.parametrize("opset", sorted(OPSETS))
@pytest.mark.parametrize("ml_opset", sorted(ML_OPSETS))
def test_every_version_of_the_settings_can_be_written(opset, ml_opset, every_family):
    data, members = every_family
    oldest = max(OPSETS[opset], ML_OPSETS[ml_opset])
    settings = TrainingSettings(
        experiment="t", onnx_opset=opset, onnx_ml_opset=ml_opset, onnx_ir_version=oldest
    )
    graph = export_model(members, data.columns, "out", 0.0, settings.onnx_versions)
    signature = inspect_model(graph)
    assert (signature.opset, signature.ir_version) == (opset, oldest)
    assert check_export(graph, members, data, "out").difference <= 1e-3


@pytest.fixture(scope="module")
def every_family():
    """A member of each family, with texts and missing values."""
    data = replace(coffee_data(missing=True), target_minimum=0.0)
    few = {"n_estimators": 5}
    chosen = [
        replace(c, parameters={**c.parameters, **few}) if "n_estimators" in c.parameters else c
        for c in BY_FAMILY.values()
    ]
    return data, [(fitted(c, data), 1 / len(chosen)) for c in chosen]


def test_the_table_of_versions_is_onnxs_own():
    from onnx import helper

    for opset, oldest in OPSETS.items():
        assert helper.find_min_ir_version_for([helper.make_opsetid("", opset)]) == oldest
    for opset, oldest in ML_OPSETS.items():
        both = [helper.make_opsetid("", 9), helper.make_opsetid("ai.onnx.ml", opset)]
        assert helper.find_min_ir_version_for(both) == oldest


def test_a_column_may_be_called_like_anything_inside_the_graph():
    data = coffee_data()
    names = ("c0", "t0", "t1", "c1", "x", "y")
    columns = tuple(replace(c, name=n) for c, n in zip(data.columns, names, strict=True))
    values = {n: data.values[c.name] for c, n in zip(data.columns, names, strict=True)}
    data = replace(data, columns=columns, values=values)
    model = fitted(BY_FAMILY["lightgbm"], data)
    graph = export_model([(model, 1.0)], columns, "out")
    assert check_export(graph, [(model, 1.0)], data, "out").difference <= 1e-3


def test_equal_training_gives_equal_bytes():
    data = coffee_data()
    first, second = (
        export_model([(fitted(c, data), 0.5) for c in PORTFOLIO], data.columns, "out")
        for _ in range(2)
    )
    assert first == second


def test_a_graph_of_another_model_is_refused():
    data = coffee_data()
    model, other = fitted(BY_FAMILY["ridge"], data), fitted(BY_FAMILY["extra_trees"], data)
    with pytest.raises(ModelRejected, match="differs from the model"):
        check_export(export_model([(model, 1.0)], data.columns, "out"), [(other, 1.0)], data, "out")


def test_another_output_name_is_refused():
    data = coffee_data()
    model = fitted(BY_FAMILY["ridge"], data)
    graph = export_model([(model, 1.0)], data.columns, "score")
    with pytest.raises(ModelRejected, match="output"):
        check_export(graph, [(model, 1.0)], data, "variable_out1")


def test_probes_hold_what_training_never_saw():
    values = probe_values(coffee_data())
    assert "\x00never seen" in values["drink"]
    assert np.isnan(values["price"]).any()
    assert 1_000_003 in values["weekday"]
    assert {len(array) for array in values.values()} == {120 + 200}
    assert tuple(values) == TIMED_COFFEE.feature_names
