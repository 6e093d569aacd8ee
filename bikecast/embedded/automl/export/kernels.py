"""Kernel methods: a support vector machine, and a Gaussian process as one.

The mean of a Gaussian process with a fixed RBF kernel is sum_i alpha_i exp(-|x - x_i|^2 / 2 l^2)
(Rasmussen and Williams 2006, eq. 2.27), which is the form of an SVM's decision function.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bikecast.embedded.automl.export.graph import GraphBuilder


def add_svr(graph: GraphBuilder, matrix: str, estimator: Any) -> str:
    """Float [N, 1] of a fitted sklearn SVR with an RBF kernel."""
    return _rbf(
        graph,
        matrix,
        vectors=estimator.support_vectors_,
        coefficients=np.ravel(estimator.dual_coef_),
        gamma=float(estimator._gamma),
        offset=float(estimator.intercept_[0]),
    )


def add_gaussian_process(graph: GraphBuilder, matrix: str, estimator: Any) -> str:
    """Float [N, 1] of a fitted sklearn GaussianProcessRegressor with one fixed RBF kernel."""
    return _rbf(
        graph,
        matrix,
        vectors=estimator.X_train_,
        coefficients=np.ravel(estimator.alpha_),
        gamma=0.5 / float(estimator.kernel_.length_scale) ** 2,
        offset=0.0,
    )


def _rbf(
    graph: GraphBuilder,
    matrix: str,
    *,
    vectors: np.ndarray,
    coefficients: np.ndarray,
    gamma: float,
    offset: float,
) -> str:
    return graph.ml_node(
        "SVMRegressor",
        matrix,
        kernel_type="RBF",
        kernel_params=[gamma, 0.0, 3.0],
        support_vectors=np.asarray(vectors, dtype=np.float32).ravel().tolist(),
        coefficients=np.asarray(coefficients, dtype=np.float32).tolist(),
        n_supports=len(vectors),
        rho=[offset],
    )
