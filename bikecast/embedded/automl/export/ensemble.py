"""The whole graph: members with their views and inverse transforms, then the weighted mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bikecast.core.onnx.versions import OnnxVersions
from bikecast.core.spec import Column
from bikecast.embedded.automl.export.features import Inputs, add_view
from bikecast.embedded.automl.export.graph import GraphBuilder
from bikecast.embedded.automl.export.kernels import add_gaussian_process, add_svr
from bikecast.embedded.automl.export.linear import add_mlp, add_ridge
from bikecast.embedded.automl.export.trees import add_forest, add_gradient_boosting, add_lightgbm
from bikecast.embedded.automl.models import FittedModel, TargetTransform

Exporter = Callable[[GraphBuilder, str, Any], str]

EXPORTERS: dict[str, Exporter] = {
    "ridge": add_ridge,
    "mlp": add_mlp,
    "svr": add_svr,
    "gaussian_process": add_gaussian_process,
    "lightgbm": add_lightgbm,
    "gradient_boosting": add_gradient_boosting,
    "extra_trees": add_forest,
    "random_forest": add_forest,
}


def export_model(
    members: Sequence[tuple[FittedModel, float]],
    columns: tuple[Column, ...],
    output: str,
    minimum: float | None = None,
    versions: OnnxVersions | None = None,
) -> bytes:
    """One ONNX model of the weighted members; the same members give the same bytes.

    Inputs are the columns, [None, 1] each; the output is float [None, 1], clipped at `minimum`.
    """
    graph = GraphBuilder(versions)
    inputs = Inputs(graph, columns)
    parts = []
    for model, weight in members:
        value = add_model(graph, inputs, model)
        parts.append(value if weight == 1 else graph.node("Mul", value, graph.number(weight)))
    total = parts[0]
    for part in parts[1:]:
        total = graph.node("Add", total, part)
    if minimum is not None:
        total = graph.node("Max", total, graph.number(minimum))
    return graph.bytes(total, output)


def add_model(graph: GraphBuilder, inputs: Inputs, model: FittedModel) -> str:
    """One member's prediction in the target's unit, float [N, 1]."""
    matrix = add_view(graph, inputs, model.view)
    if model.scaling is not None:
        centred = graph.node("Sub", matrix, graph.constant(model.scaling.mean[None, :]))
        matrix = graph.node("Div", centred, graph.constant(model.scaling.scale[None, :]))
    value = EXPORTERS[model.configuration.family](graph, matrix, model.estimator)
    if model.scaling is not None:
        value = graph.node("Mul", value, graph.number(model.scaling.output_scale))
        value = graph.node("Add", value, graph.number(model.scaling.output_mean))
    return _inverse(graph, value, model.transform)


def _inverse(graph: GraphBuilder, value: str, transform: TargetTransform) -> str:
    value = graph.node("Min", value, graph.number(transform.high))
    value = graph.node("Max", value, graph.number(transform.low))
    if transform.name == "log1p":
        return graph.node("Sub", graph.node("Exp", value), graph.number(1.0))
    if transform.name == "sqrt":
        root = graph.node("Max", value, graph.number(0.0))
        return graph.node("Mul", root, root)
    return value
