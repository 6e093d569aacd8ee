"""Ridge regression and a multilayer perceptron: matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from bikecast.embedded.automl.export.graph import GraphBuilder


def add_ridge(graph: GraphBuilder, matrix: str, estimator: Any) -> str:
    """Float [N, 1] of a fitted sklearn Ridge."""
    weights = np.asarray(estimator.coef_, dtype=np.float32).reshape(-1, 1)
    product = graph.node("MatMul", matrix, graph.constant(weights))
    return graph.node("Add", product, graph.number(float(estimator.intercept_)))


def add_mlp(graph: GraphBuilder, matrix: str, estimator: Any) -> str:
    """Float [N, 1] of a fitted sklearn MLPRegressor with ReLU and an identity output."""
    value = matrix
    layers = list(zip(estimator.coefs_, estimator.intercepts_, strict=True))
    for number, (weights, bias) in enumerate(layers, start=1):
        value = graph.node("MatMul", value, graph.constant(weights.astype(np.float32)))
        value = graph.node("Add", value, graph.constant(bias.astype(np.float32)[None, :]))
        if number < len(layers):
            value = graph.node("Relu", value)
    return value
