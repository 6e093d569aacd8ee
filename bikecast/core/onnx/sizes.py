"""How large the tensors of a model become, as far as its own constants say it.

A model of 200 bytes may ask for a tensor of gigabytes, by a constant shape of ConstantOfShape or by
constants that are spread against each other. What depends on the rows counts as one row; a shape
that is computed from other values at run time is not known here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bikecast.core.errors import ModelRejected

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

#: More elements has no tensor of a model of a table: 64 MB of float32.
MOST_ELEMENTS = 2**24
#: Operators whose last input is a shape or numbers of repeats.
_BY_SHAPE = ("ConstantOfShape", "Expand", "Tile")


def check_sizes(model: ModelProto) -> None:
    """Raise ModelRejected for an operator whose output has more elements than the limit."""
    from onnx.shape_inference import InferenceError, infer_shapes

    try:
        _check(infer_shapes(_with_opsets(model), data_prop=True).graph)
    except InferenceError:  # of a model that ONNX Runtime may load all the same
        _check(model.graph)


def _with_opsets(model: ModelProto) -> ModelProto:
    """The model with an opset of each domain and one name of ONNX's own: the inference wants both,
    ONNX Runtime does not.
    """
    from onnx import ModelProto, helper

    versions = {entry.domain: entry.version for entry in model.opset_import}
    missing = {"", "ai.onnx.ml", "com.microsoft"} - versions.keys()
    copy = ModelProto()
    copy.CopyFrom(model)
    own = versions.get("", versions.get("ai.onnx", 1))
    for domain in missing:
        version = 1 if domain else own
        copy.opset_import.append(helper.make_opsetid(domain, version))
    _rename_own_domain(copy.graph)
    return copy


def _rename_own_domain(graph: GraphProto) -> None:
    for node in graph.node:
        node.domain = "" if node.domain == "ai.onnx" else node.domain
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else ())):
                _rename_own_domain(inner)


def _check(graph: GraphProto) -> None:
    sizes = {
        value.name: math.prod(max(1, axis.dim_value) for axis in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.output)
    }
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                constants[node.output[0]] = attribute.t
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else ())):
                _check(inner)
    for node in graph.node:
        elements = max((sizes.get(name, 1) for name in node.output), default=1)
        if node.op_type in _BY_SHAPE and node.input:
            # The inference leaves out what is repeated along an open axis.
            elements = max(elements, _product(constants.get(node.input[-1])))
        if elements > MOST_ELEMENTS:
            raise ModelRejected(
                f"the operator {node.op_type} makes a tensor of {elements:,} elements; the limit "
                f"is {MOST_ELEMENTS:,}"
            )


def _product(tensor: object) -> int:
    """Product of a constant tensor of sizes; 1 where there is none."""
    from onnx import TensorProto, numpy_helper

    if not isinstance(tensor, TensorProto) or tensor.data_type != TensorProto.INT64:
        return 1
    return math.prod(max(1, int(size)) for size in numpy_helper.to_array(tensor).ravel()[:16])
