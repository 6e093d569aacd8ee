"""What is refused before a model is loaded."""

import itertools

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bikecast.core.errors import ModelRejected
from bikecast.core.onnx.contract import inspect_model, model_digest
from bikecast.core.onnx.policy import EXPORTED, TRAINED_ELSEWHERE


def model(*nodes, initializers=(), functions=(), domains=()) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
        list(initializers),
    )
    opsets = [helper.make_opsetid("", 9), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=4, functions=list(functions))


def data_of(*nodes, **rest) -> bytes:
    return model(*nodes, **rest).SerializeToString()


GOOD = helper.make_node("Identity", ["x"], ["y"])


def test_a_good_model_gives_its_signature():
    data = data_of(GOOD)
    signature = inspect_model(data)
    assert [(t.name, t.type, t.shape) for t in signature.inputs] == [("x", "FLOAT", (None, 1))]
    assert [(t.name, t.type, t.shape) for t in signature.outputs] == [("y", "FLOAT", (None, 1))]
    assert (signature.opset, signature.ir_version) == (9, 4)
    assert signature.digest == model_digest(data)


@pytest.mark.parametrize("data", [b"", b"\x00\x01garbage", b"not a model at all"])
def test_bytes_that_are_no_model_are_refused(data):
    with pytest.raises(ModelRejected, match="corrupt or invalid"):
        inspect_model(data)


def test_a_model_over_the_limit_is_refused():
    with pytest.raises(ModelRejected, match="the limit is 10"):
        inspect_model(data_of(GOOD), max_bytes=10)


@pytest.mark.parametrize("policy", [EXPORTED, TRAINED_ELSEWHERE])
@pytest.mark.parametrize("operator", ["Hardmax", "Loop", "RandomNormalLike", "ImageDecoder"])
def test_an_operator_outside_the_list_is_refused(operator, policy):
    with pytest.raises(ModelRejected, match=f"operator {operator}, which is not allowed"):
        inspect_model(data_of(helper.make_node(operator, ["x"], ["y"])), policy=policy)


def test_a_domain_of_ones_own_is_refused():
    node = helper.make_node("Identity", ["x"], ["y"], domain="com.example")
    with pytest.raises(ModelRejected, match=r"com\.example\.Identity"):
        inspect_model(data_of(node, domains=["com.example"]))


@pytest.mark.parametrize(
    ("domain", "operator"),
    [("", "ReduceMean"), ("", "Flatten"), ("com.microsoft", "Tokenizer"), ("ai.onnx", "Identity")],
)
def test_what_azure_automl_writes_is_allowed_from_others_alone(domain, operator):
    data = data_of(helper.make_node(operator, ["x"], ["y"], domain=domain))
    assert inspect_model(data, policy=TRAINED_ELSEWHERE).outputs
    if operator != "Identity":
        with pytest.raises(ModelRejected, match=operator):
            inspect_model(data, policy=EXPORTED)


def test_of_microsofts_own_operators_only_the_named_ones_are_allowed():
    node = helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")
    with pytest.raises(ModelRejected, match=r"operator com\.microsoft\.Gelu"):
        inspect_model(data_of(node))


def branch(*nodes, initializers=()):
    return helper.make_graph(list(nodes), "branch", [], [], list(initializers))


def test_a_subgraph_is_refused_even_under_an_allowed_name():
    node = helper.make_node("Identity", ["x"], ["y"], body=branch(GOOD))
    with pytest.raises(ModelRejected, match="Identity has a subgraph"):
        inspect_model(data_of(node))


def test_our_own_exports_have_no_subgraphs():
    node = helper.make_node("Scan", ["x"], ["y"], body=branch(GOOD), num_scan_inputs=1)
    assert inspect_model(data_of(node)).outputs
    with pytest.raises(ModelRejected, match="Scan"):
        inspect_model(data_of(node), policy=EXPORTED)


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (lambda: branch(helper.make_node("Loop", [], ["y"])), "operator Loop"),
        (lambda: branch(GOOD, initializers=[external()]), "outside the model file"),
        (
            lambda: branch(
                helper.make_node(
                    "If",
                    ["x"],
                    ["y"],
                    then_branch=branch(helper.make_node("Evil", [], ["y"], domain="com.example")),
                )
            ),
            r"com\.example\.Evil",
        ),
    ],
)
def test_what_is_inside_of_a_subgraph_is_looked_at(inner, reason):
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch(GOOD), else_branch=inner())
    with pytest.raises(ModelRejected, match=reason):
        inspect_model(data_of(node))


def test_functions_of_ones_own_are_refused():
    function = helper.make_function("", "F", ["x"], ["y"], [GOOD], [helper.make_opsetid("", 9)])
    with pytest.raises(ModelRejected, match="functions of its own"):
        inspect_model(data_of(GOOD, functions=[function]))


def external() -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros(1, dtype=np.float32), "c")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return tensor


def test_graphs_for_training_are_refused():
    made = model(GOOD)
    made.training_info.add().algorithm.CopyFrom(branch(GOOD))
    with pytest.raises(ModelRejected, match="functions of its own"):
        inspect_model(made.SerializeToString())


def test_weights_outside_the_file_are_refused():
    with pytest.raises(ModelRejected, match="outside the model file"):
        inspect_model(data_of(GOOD, initializers=[external()]))


def test_a_constant_outside_the_file_is_refused():
    node = helper.make_node("Constant", [], ["y"], value=external())
    with pytest.raises(ModelRejected, match="outside the model file"):
        inspect_model(data_of(node))


def test_a_sparse_initializer_outside_the_file_is_refused():
    made = model(GOOD)
    sparse = made.graph.sparse_initializer.add()
    sparse.values.CopyFrom(external())
    with pytest.raises(ModelRejected, match="sparse"):
        inspect_model(made.SerializeToString())


def sizes(name, *values):
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


def column(name, *shape):
    return numpy_helper.from_array(np.ones(shape, dtype=np.float32), name)


@pytest.mark.parametrize(
    ("operator", "inputs", "constants", "elements"),
    [
        ("ConstantOfShape", ["s"], [sizes("s", 20_000, 20_000)], "400,000,000"),
        ("Expand", ["x", "s"], [sizes("s", 1, 400_000_000)], "400,000,000"),
        ("Expand", ["x", "s"], [sizes("s", 400_000_000, 1)], "400,000,000"),
        ("Tile", ["x", "s"], [sizes("s", 400_000_000, 1)], "400,000,000"),
        (
            "Range",
            ["a", "b", "c"],
            [*map(numpy_helper.from_array, map(np.int64, (0, 1 << 25, 1)), "abc")],
            "33,554,432",
        ),
        ("Add", ["a", "b"], [column("a", 5000, 1), column("b", 1, 5000)], "25,000,000"),
        ("MatMul", ["a", "b"], [column("a", 5000, 1), column("b", 1, 5000)], "25,000,000"),
    ],
)
def test_a_small_model_that_asks_for_a_huge_tensor_is_refused(
    operator, inputs, constants, elements
):
    """A file of 223 bytes took 1.3 GB when it was loaded."""
    data = model(helper.make_node(operator, inputs, ["big"]), GOOD, initializers=constants)
    data.opset_import[0].version = 13
    with pytest.raises(ModelRejected, match=f"{operator} makes a tensor of {elements} elements"):
        inspect_model(data.SerializeToString())


def test_a_huge_tensor_of_a_constant_node_or_in_a_subgraph_is_refused():
    shape = helper.make_node("Constant", [], ["s"], value=sizes("v", 20_000, 20_000))
    big = helper.make_node("ConstantOfShape", ["s"], ["big"])
    with pytest.raises(ModelRejected, match="ConstantOfShape makes"):
        inspect_model(data_of(shape, big, GOOD))
    out = helper.make_tensor_value_info("big", TensorProto.FLOAT, None)
    branch = helper.make_graph([shape, big], "branch", [], [out])
    choice = helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch)
    condition = numpy_helper.from_array(np.array(True), "c")
    with pytest.raises(ModelRejected, match="ConstantOfShape makes"):
        inspect_model(data_of(choice, GOOD, initializers=[condition]))


def test_the_other_name_of_onnx_s_domain_hides_no_size():
    big = helper.make_node("Add", ["a", "b"], ["big"], domain="ai.onnx")
    with pytest.raises(ModelRejected, match="Add makes"):
        inspect_model(data_of(big, GOOD, initializers=[column("a", 5000, 1), column("b", 1, 5000)]))


def chain(first, times):
    """Concat of a tensor with itself, over and over: its width doubles each time."""
    names = [first, *(f"c{i}" for i in range(times))]
    return [
        helper.make_node("Concat", [before, before], [after], axis=1)
        for before, after in itertools.pairwise(names)
    ]


def test_a_chain_of_concat_is_refused_before_it_is_loaded():
    """1,269 bytes took 6.7 GiB: each tensor was within the limit for one row."""
    with pytest.raises(ModelRejected, match="makes a tensor of 33,554,432 elements"):
        inspect_model(data_of(*chain("x", 40), GOOD))
    many = [helper.make_node("Identity", ["c23"], [f"i{number}"]) for number in range(4)]
    with pytest.raises(ModelRejected, match="tensors of more than 67,108,864 elements"):
        inspect_model(data_of(*chain("x", 24), *many, GOOD))
    signature = inspect_model(data_of(*chain("x", 10), GOOD))
    assert signature.widest == 2**10 * inspect_model(data_of(GOOD)).widest
    assert signature.rows_at_once == 2**24 // signature.widest


def test_a_shape_that_nobody_can_infer_hides_no_chain_of_concat():
    unknown = helper.make_node("Reshape", ["x", "n"], ["u"])
    number = helper.make_node("Cast", ["x"], ["n"], to=TensorProto.INT64)
    with pytest.raises(ModelRejected, match="elements"):
        inspect_model(data_of(number, unknown, *chain("u", 40), GOOD))


def test_a_model_of_too_many_operators_is_refused(monkeypatch):
    monkeypatch.setattr("bikecast.core.onnx.sizes.MOST_NODES", 10)
    with pytest.raises(ModelRejected, match="more than 10 operators"):
        inspect_model(data_of(*chain("x", 12), GOOD))
