"""The fake cloud's AutoML writes what the converters write that Azure AutoML uses."""

import numpy as np
import onnx
import pyarrow as pa
import pytest

from tests.azure.cloud.trainer import Featurized

TABLE = pa.table({"season": [1, 2, 3, 4] * 5, "temp": pa.array(np.linspace(0, 1, 20), "float32")})
TARGET = np.arange(20.0)


def nodes(model):
    return onnx.load_model_from_string(model).graph.node


def operators(model):
    return [node.op_type for node in nodes(model)]


def test_a_column_that_the_job_calls_numeric_is_not_counted():
    graph = Featurized.of(TABLE, {"season": "Numeric"})
    assert "Tokenizer" not in operators(graph.model([graph.stump(TARGET)]))


def test_a_voting_ensemble_is_the_mean_of_its_members():
    graph = Featurized.of(TABLE, {})
    made = nodes(graph.model([graph.linear(TARGET), graph.stump(TARGET)]))
    assert [(node.op_type, list(node.input)) for node in made[-2:]] == [
        ("Concat", ["linear", "tree"]),
        ("ReduceMean", ["members"]),
    ]


@pytest.mark.slow
def test_counted_words_have_the_operators_and_attributes_that_skl2onnx_writes():
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import StringTensorType
    from sklearn.feature_extraction.text import CountVectorizer

    words = np.array(["1", "2", "3", "4"])
    counter = CountVectorizer(lowercase=False, token_pattern="[a-zA-Z0-9_]+").fit(words)
    shape = [("x", StringTensorType([None, 1]))]
    written = convert_sklearn(counter, initial_types=shape, target_opset=17).SerializeToString()
    graph = Featurized.of(TABLE, {})

    def described(model, operator):
        [node] = [node for node in nodes(model) if node.op_type == operator]
        return node.domain, {attribute.name for attribute in node.attribute}

    ours = graph.model([graph.stump(TARGET)])
    for operator in ("Tokenizer", "TfIdfVectorizer", "Flatten"):
        assert described(ours, operator) == described(written, operator)
