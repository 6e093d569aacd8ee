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
#: More elements have all of them together, for a row.
MOST_IN_ALL = 2**26
#: More operators has no model; loading it would take minutes.
MOST_NODES = 50_000
#: Operators whose last input is a shape or numbers of repeats.
_BY_SHAPE = ("ConstantOfShape", "Expand", "Tile")


def check_sizes(model: ModelProto) -> int:
    """The elements that the widest tensor has for a row.

    Raises ModelRejected for an operator whose output has more elements than the limit, for more of
    them in all, and for more operators.
    """
    from onnx.shape_inference import InferenceError, infer_shapes

    try:
        graph = infer_shapes(_with_opsets(model), data_prop=True).graph
    except InferenceError:  # of a model that ONNX Runtime may load all the same
        graph = model.graph
    measure = _Measure()
    measure.add(graph, {}, set())
    return measure.widest


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


class _Measure:
    """Counts operators, their elements, and the widest tensor that depends on the rows."""

    def __init__(self) -> None:
        self.widest = 1
        self._nodes = self._elements = 0

    def add(self, graph: GraphProto, outer: dict[str, int], varying: set[str]) -> None:
        """Count a graph in; `outer` has the elements of the tensors around it, `varying` those of
        them that depend on the rows.
        """
        sizes = {**outer, **{tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}}
        told = {}
        for value in (*graph.input, *graph.value_info, *graph.output):
            axes = value.type.tensor_type.shape.dim
            told[value.name] = math.prod(max(1, axis.dim_value) for axis in axes)
        varying = varying | {value.name for value in graph.input} - sizes.keys()
        constants = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            inner_varies = False
            for attribute in node.attribute:
                if node.op_type == "Constant" and attribute.name == "value":
                    constants[node.output[0]] = attribute.t
                graphs = (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else ()))
                for inner in graphs:
                    self.add(inner, {**told, **sizes}, varying)
                    inner_varies = True
            elements = max((told.get(name, 1) for name in node.output), default=1)
            if node.op_type == "Concat":  # exact, also where the inference gave up
                known = (sizes.get(name, told.get(name, 1)) for name in node.input)
                elements = max(elements, sum(known))
            if node.op_type in _BY_SHAPE and node.input:
                # The inference leaves out what is repeated along an open axis.
                elements = max(elements, _product(constants.get(node.input[-1])))
            sizes.update(dict.fromkeys(node.output, elements))
            varies = inner_varies or not varying.isdisjoint(node.input)
            if varies:
                varying.update(node.output)
                self.widest = max(self.widest, elements)
            self._count(node.op_type, elements)

    def _count(self, operator: str, elements: int) -> None:
        self._nodes += 1
        self._elements += elements
        if elements > MOST_ELEMENTS:
            raise ModelRejected(
                f"the operator {operator} makes a tensor of {elements:,} elements; the limit is "
                f"{MOST_ELEMENTS:,}"
            )
        if self._elements > MOST_IN_ALL:
            raise ModelRejected(
                f"the operators make tensors of more than {MOST_IN_ALL:,} elements for a row"
            )
        if self._nodes > MOST_NODES:
            raise ModelRejected(f"the model has more than {MOST_NODES:,} operators")


def _product(tensor: object) -> int:
    """Product of a constant tensor of sizes; 1 where there is none."""
    from onnx import TensorProto, numpy_helper

    if not isinstance(tensor, TensorProto) or tensor.data_type != TensorProto.INT64:
        return 1
    return math.prod(max(1, int(size)) for size in numpy_helper.to_array(tensor).ravel()[:16])
