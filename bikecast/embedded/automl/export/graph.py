"""Building one ONNX graph by hand: nodes, constants, and nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bikecast.core.onnx.versions import OnnxVersions

ML_DOMAIN = "ai.onnx.ml"


class GraphBuilder:
    """Collects nodes; equal nodes and equal constants are made once.

    A value is the name of its tensor. Names count up, so equal calls give equal bytes; they begin
    with a slash, which no column's name has.
    """

    def __init__(self, versions: OnnxVersions | None = None) -> None:
        self._versions = versions or OnnxVersions()
        self._inputs: list[Any] = []
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._known: dict[object, str] = {}

    def input(self, name: str, onnx_type: str) -> str:
        """Declare an input [None, 1] of a TensorProto type name such as INT64."""
        element = getattr(TensorProto, onnx_type)
        self._inputs.append(helper.make_tensor_value_info(name, element, [None, 1]))
        return name

    def constant(self, array: np.ndarray) -> str:
        """A constant tensor."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = f"/c{len(self._constants)}"
            self._constants.append(numpy_helper.from_array(array, self._known[key]))
        return self._known[key]

    def number(self, value: float) -> str:
        """A float32 constant that broadcasts, shape [1]."""
        return self.constant(np.array([value], dtype=np.float32))

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Apply an operator with one output. Equal applications are made once."""
        node = helper.make_node(operator, list(inputs), [""], domain=domain, **attributes)
        key = node.SerializeToString(deterministic=True)
        if key not in self._known:
            self._known[key] = f"/t{len(self._nodes)}"
            node.output[0] = self._known[key]
            self._nodes.append(node)
        return self._known[key]

    def ml_node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Apply an operator of ONNX-ML."""
        return self.node(operator, *inputs, domain=ML_DOMAIN, **attributes)

    def text_numbers(self, value: str, texts: Sequence[str], unseen: int) -> str:
        """Int64: the place of each text in `texts`, or `unseen`."""
        if self._versions.ml_opset == 1:
            return self.ml_node(
                "LabelEncoder", value, classes_strings=list(texts), default_int64=unseen
            )
        return self.ml_node(
            "LabelEncoder",
            value,
            keys_strings=list(texts),
            values_int64s=list(range(len(texts))),
            default_int64=unseen,
        )

    def concat(self, parts: list[str]) -> str:
        """Join columns."""
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=1)

    def bytes(self, value: str, output: str) -> bytes:
        """The checked model whose only output, float [None, 1], is `value` under a new name."""
        last = helper.make_node("Identity", [value], [output])
        shape = helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, 1])
        graph = helper.make_graph(
            [*self._nodes, last], "bikecast", self._inputs, [shape], self._constants
        )
        versions = self._versions
        opsets = [
            helper.make_opsetid("", versions.opset),
            helper.make_opsetid(ML_DOMAIN, versions.ml_opset),
        ]
        model = helper.make_model(
            graph, producer_name="bikecast", opset_imports=opsets, ir_version=versions.ir_version
        )
        onnx.checker.check_model(model)
        data: bytes = model.SerializeToString(deterministic=True)
        return data
