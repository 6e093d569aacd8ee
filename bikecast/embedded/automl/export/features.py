"""Inputs and feature views in the graph."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from bikecast.core.spec import Column
from bikecast.core.sql_types import type_names
from bikecast.embedded.automl.export.graph import GraphBuilder
from bikecast.embedded.automl.views import (
    Block,
    Cycle,
    Indicators,
    MeanCode,
    Missing,
    Number,
    Product,
    View,
)

_REALS = frozenset({"real", "float"})


class Inputs:
    """The model's inputs, one a feature column, typed by the SQL type map."""

    def __init__(self, graph: GraphBuilder, columns: tuple[Column, ...]) -> None:
        self._graph = graph
        self._types = {column.name: column.sql_type for column in columns}
        for column in columns:
            graph.input(column.name, type_names(column).onnx or "")

    def number(self, block: Number) -> str:
        """A number column as float [N, 1]; missing reals are filled (integers have none)."""
        graph, name = self._graph, block.column
        value = name
        if self._types[name] != "real":
            value = graph.node("Cast", name, to=TensorProto.FLOAT)
        if self._types[name] not in _REALS:
            return value
        missing = graph.node("IsNaN", value)
        return graph.node("Where", missing, graph.number(block.fill), value)

    def indicators(self, block: Indicators | Cycle) -> str:
        """Float [N, codes], 1 where the column has the code."""
        graph, name = self._graph, block.column
        if self._types[name] == "varchar":
            texts = [str(code) for code in block.codes]
            index = graph.text_numbers(name, texts, -1)
            codes = np.arange(len(texts), dtype=np.int64)
        else:
            index = graph.node("Cast", name, to=TensorProto.INT64)
            codes = np.array(block.codes, dtype=np.int64)
        equal = graph.node("Equal", index, graph.constant(codes[None, :]))
        return graph.node("Cast", equal, to=TensorProto.FLOAT)

    def missing(self, block: Missing) -> str:
        """Float [N, 1], 1 where a real number is missing."""
        value = block.column
        if self._types[value] != "real":
            value = self._graph.node("Cast", value, to=TensorProto.FLOAT)
        return self._graph.node("Cast", self._graph.node("IsNaN", value), to=TensorProto.FLOAT)

    def mean_code(self, block: MeanCode) -> str:
        """Float [N, 1], the number of a text."""
        graph, unseen = self._graph, len(block.codes)
        index = graph.text_numbers(block.column, block.codes, unseen)
        return graph.node("Gather", graph.constant(block.table), index, axis=0)


def add_view(graph: GraphBuilder, inputs: Inputs, view: View) -> str:
    """The view's matrix, float [N, width]."""
    return graph.concat([_add_block(graph, inputs, block) for block in view.blocks])


def _add_block(graph: GraphBuilder, inputs: Inputs, block: Block) -> str:
    if isinstance(block, Number):
        return inputs.number(block)
    if isinstance(block, Product):
        return graph.node("Mul", inputs.number(block.left), inputs.number(block.right))
    if isinstance(block, Missing):
        return inputs.missing(block)
    if isinstance(block, MeanCode):
        return inputs.mean_code(block)
    hot = inputs.indicators(block)
    if isinstance(block, Cycle):
        return graph.node("MatMul", hot, graph.constant(block.table))
    return hot
