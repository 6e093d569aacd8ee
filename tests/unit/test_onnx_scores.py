"""Models of other trainers take the rows of a table, in the types that they were made with."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from bikecast.core.onnx.session import one_thread_session, scores_of

ONNX_TYPES = {
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "float": TensorProto.FLOAT,
    "double": TensorProto.DOUBLE,
    "string": TensorProto.STRING,
    "bool": TensorProto.BOOL,
}


def session(kind, *, outputs=("y",), shape=(None, 1)):
    """A model that casts its input `x` to each of its outputs."""
    graph = helper.make_graph(
        [helper.make_node("Cast", ["x"], [name], to=TensorProto.FLOAT) for name in outputs],
        "cast",
        [helper.make_tensor_value_info("x", ONNX_TYPES[kind], list(shape))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return one_thread_session(model.SerializeToString())


@pytest.mark.parametrize("shape", [(None, 1), (None,)])
@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("int64", "int64"), ("int32", "int64"), ("int64", "int32"), ("int64", "float"),
        ("int32", "double"), ("float32", "float"), ("float64", "float"), ("float32", "double"),
    ],
)  # fmt: skip
def test_numbers_become_what_the_model_was_made_with(column, kind, shape):
    rows = {"x": np.array([1, 2, 3], dtype=column)}
    assert scores_of(session(kind, shape=shape), rows, "y").tolist() == [1, 2, 3]


def test_texts_stay_texts():
    rows = {"x": np.array(["1", "2.5"], dtype=object)}
    assert scores_of(session("string"), rows, "y").tolist() == [1, 2.5]


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (np.array([0.5]), "int64", r"wants x as tensor\(int64\), not float64"),
        (np.array([1]), "string", r"wants x as tensor\(string\), not int64"),
        (np.array(["a"], dtype=object), "float", r"wants x as tensor\(float\), not object"),
        (np.array([1]), "bool", r"wants x as tensor\(bool\)"),
        (np.array([2**40]), "int32", "x has values beyond"),
    ],
)
def test_a_value_is_never_changed_on_the_way(values, kind, reason):
    with pytest.raises(ValueError, match=reason):
        scores_of(session(kind), {"x": values}, "y")


def test_a_locale_that_is_missing_is_told_with_its_remedy():
    texts = helper.make_tensor_value_info("x", TensorProto.STRING, [None])
    lower = helper.make_node(
        "StringNormalizer", ["x"], ["y"], case_change_action="LOWER", locale="xx_XX"
    )
    graph = helper.make_graph(
        [lower], "lower", [texts], [helper.make_tensor_value_info("y", TensorProto.STRING, [None])]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ValueError, match=r"locale xx_XX.*, which this machine lacks; install it"):
        one_thread_session(model.SerializeToString())


def test_a_feature_that_the_rows_lack_is_named():
    with pytest.raises(ValueError, match="the model asks for x"):
        scores_of(session("float"), {"temp": np.array([1.0])}, "y")


def test_the_only_output_may_have_any_name_and_of_several_one_has_the_right_one():
    rows = {"x": np.array([4.0])}
    assert scores_of(session("float"), rows, "variable_out1").tolist() == [4]
    assert scores_of(session("float", outputs=("y", "z")), rows, "z").tolist() == [4]
    with pytest.raises(ValueError, match="outputs y, z and none named variable_out1"):
        scores_of(session("float", outputs=("y", "z")), rows, "variable_out1")
