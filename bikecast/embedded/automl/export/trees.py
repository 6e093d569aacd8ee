"""Tree models as one TreeEnsembleRegressor node each.

ONNX-ML 1 keeps thresholds as float32, while LightGBM and scikit-learn learn float64 ones. Inputs
are float32, so a threshold is rounded down: for a float32 x, x <= t holds exactly when
x <= (the greatest float32 that is not above t). Rounding to the nearest could send rows that
lie on a split the other way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bikecast.embedded.automl.export.graph import GraphBuilder


@dataclass
class _Ensemble:
    """The nodes of a TreeEnsembleRegressor, filled tree by tree."""

    nodes: list[tuple[int, int, str, int, float, int, int]] = field(default_factory=list)
    """Tree, node, mode, feature, threshold, and the nodes to go on to."""
    leaves: list[tuple[int, int, float]] = field(default_factory=list)
    """Tree, node, value."""

    def split(
        self, tree: int, node: int, feature: int, threshold: float, yes: int, no: int
    ) -> None:
        """Go to `yes` where feature <= threshold, else to `no`."""
        self.nodes.append((tree, node, "BRANCH_LEQ", feature, round_down(threshold), yes, no))

    def leaf(self, tree: int, node: int, value: float) -> None:
        """Add `value` to the prediction."""
        self.nodes.append((tree, node, "LEAF", 0, 0.0, 0, 0))
        self.leaves.append((tree, node, value))

    def add_to(self, graph: GraphBuilder, matrix: str, base: float) -> str:
        """The node; the sum of the reached leaves plus `base`."""
        trees, nodes, modes, features, thresholds, yes, no = zip(*self.nodes, strict=True)
        leaf_trees, leaf_nodes, values = zip(*self.leaves, strict=True)
        return graph.ml_node(
            "TreeEnsembleRegressor",
            matrix,
            n_targets=1,
            base_values=[base],
            nodes_treeids=trees,
            nodes_nodeids=nodes,
            nodes_featureids=features,
            nodes_values=thresholds,
            nodes_modes=modes,
            nodes_truenodeids=yes,
            nodes_falsenodeids=no,
            target_treeids=leaf_trees,
            target_nodeids=leaf_nodes,
            target_ids=[0] * len(values),
            target_weights=values,
        )


def round_down(threshold: float) -> float:
    """The greatest float32 that is not above `threshold`."""
    nearest = np.float32(threshold)
    if float(nearest) > threshold:
        nearest = np.nextafter(nearest, np.float32(-np.inf))
    return float(nearest)


def _around_zero(threshold: float) -> float:
    """The threshold with which values that LightGBM reads as zero go where its zero goes.

    These are the values of at most 1e-35 (kZeroThreshold of its source), either sign.
    """
    zero = np.float32(1e-35)
    if -float(zero) <= threshold < 0:
        return float(np.nextafter(-zero, np.float32(-np.inf)))
    return float(zero) if 0 <= threshold < float(zero) else threshold


def add_lightgbm(graph: GraphBuilder, matrix: str, estimator: Any) -> str:
    """Float [N, 1] of a fitted LightGbm. Inputs have no NaN, so default directions play no part."""
    ensemble = _Ensemble()
    for number, tree in enumerate(estimator.booster.dump_model()["tree_info"]):
        for node, content in enumerate(_flatten(tree["tree_structure"])):
            if "leaf_value" in content:
                ensemble.leaf(number, node, float(content["leaf_value"]))
            else:
                ensemble.split(
                    number,
                    node,
                    int(content["split_feature"]),
                    _around_zero(float(content["threshold"])),
                    content["yes"],
                    content["no"],
                )
    return ensemble.add_to(graph, matrix, 0.0)


def add_forest(graph: GraphBuilder, matrix: str, estimator: Any) -> str:
    """Float [N, 1] of a fitted sklearn ExtraTreesRegressor or RandomForestRegressor."""
    ensemble = _Ensemble()
    trees = [member.tree_ for member in estimator.estimators_]
    for number, tree in enumerate(trees):
        _add_sklearn_tree(ensemble, number, tree, 1.0 / len(trees))
    return ensemble.add_to(graph, matrix, 0.0)


def add_gradient_boosting(graph: GraphBuilder, matrix: str, estimator: Any) -> str:
    """Float [N, 1] of a fitted sklearn GradientBoostingRegressor with a constant start."""
    ensemble = _Ensemble()
    for number, (member,) in enumerate(estimator.estimators_):
        _add_sklearn_tree(ensemble, number, member.tree_, float(estimator.learning_rate))
    return ensemble.add_to(graph, matrix, float(np.ravel(estimator.init_.constant_)[0]))


def _add_sklearn_tree(ensemble: _Ensemble, number: int, tree: Any, factor: float) -> None:
    left, right = tree.children_left.tolist(), tree.children_right.tolist()
    feature, threshold = tree.feature.tolist(), tree.threshold.tolist()
    value = (tree.value.ravel() * factor).tolist()
    for node in range(tree.node_count):
        if left[node] == -1:
            ensemble.leaf(number, node, value[node])
        else:
            ensemble.split(number, node, feature[node], threshold[node], left[node], right[node])


def _flatten(root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a LightGBM tree, numbered in order; each split with its children's numbers.

    Raises ValueError for a categorical split, which the portfolio never asks for.
    """
    nodes = [root]
    for node in nodes:  # the list grows as it is read
        if "leaf_value" in node:
            yield node
            continue
        if node["decision_type"] != "<=":
            raise ValueError(f"split by {node['decision_type']!r} cannot be exported")
        count = len(nodes)
        nodes += [node["left_child"], node["right_child"]]
        yield {**node, "yes": count, "no": count + 1}
