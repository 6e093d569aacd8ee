"""Small ONNX models for the tests of PREDICT."""

from onnx import TensorProto, helper

TYPES = {
    "bigint": TensorProto.INT64,
    "int": TensorProto.INT32,
    "real": TensorProto.FLOAT,
    "float": TensorProto.DOUBLE,
    "varchar": TensorProto.STRING,
}


def value_info(name, sql_type, shape=(None, 1)):
    return helper.make_tensor_value_info(name, TYPES[sql_type], list(shape))


def model_bytes(nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(initializers))
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 2)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=7).SerializeToString()


def weighted_sum(columns, weight, output="y", shape=(None, 1)):
    """weight * (sum of the numeric columns); `columns` maps names to SQL types."""
    casts = [
        helper.make_node("Cast", [name], [f"{name}_cast"], to=TensorProto.FLOAT) for name in columns
    ]
    nodes = [
        *casts,
        helper.make_node("Sum", [f"{name}_cast" for name in columns], ["sum"]),
        helper.make_node("Mul", ["sum", "weight"], [output]),
    ]
    inputs = [value_info(name, kind, shape) for name, kind in columns.items()]
    constant = helper.make_tensor("weight", TensorProto.FLOAT, [1], [weight])
    return model_bytes(nodes, inputs, [value_info(output, "real", shape)], [constant])


def price_of(words, default=0.0):
    """A text input `word`; the output `price` is the word's number."""
    encoder = helper.make_node(
        "LabelEncoder",
        ["word"],
        ["price"],
        domain="ai.onnx.ml",
        keys_strings=list(words),
        values_floats=[float(value) for value in words.values()],
        default_float=default,
    )
    return model_bytes([encoder], [value_info("word", "varchar")], [value_info("price", "real")])
