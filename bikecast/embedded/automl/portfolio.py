"""The portfolio: strong configurations that are always tried first, in this order.

Chosen for diversity: each family with the view and the target transform that suit it. The order is
by gain a second of processor time, so that a budget that ends the search leaves the best; on large
tables boosted trees come first.
Measurements behind it are in docs/automl-measured.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import TrainingSettings
from bikecast.embedded.automl.folds import LARGE_ROWS

#: Family -> its name in the settings. In this order a model is simpler and scores faster.
ALGORITHMS = {
    "ridge": "Ridge",
    "mlp": "MLP",
    "lightgbm": "LightGBM",
    "gradient_boosting": "GradientBoosting",
    "random_forest": "RandomForest",
    "extra_trees": "ExtremeRandomTrees",
    "svr": "SVR",
    "gaussian_process": "GaussianProcess",
}


@dataclass(frozen=True)
class Configuration:
    """One trial: a family with its view of the features, target transform and parameters."""

    name: str
    family: str
    view: str
    transform: str
    parameters: Mapping[str, float | int | str | bool] = field(default_factory=dict)
    max_rows: int | None = None
    """Kernel methods need memory and time by the square of the rows or more."""
    min_rows: int = 0
    """Larger models pay only on larger tables."""


_KERNEL_ROWS = 2500
#: Exact split finding takes minutes on more rows.
_EXACT_ROWS = 8_000
#: Targets that are less skewed to the right are learned as they are.
MIN_SKEWNESS = 0.5
_BOOST = {"learning_rate": 0.04, "min_data_in_leaf": 10, "feature_fraction": 0.7, "lambda_l2": 1.0}
#: What LightGBM does when nothing is said, without a sample of the rows.
_DEFAULT_BOOST = {"num_leaves": 31, "learning_rate": 0.1, "rounds": 100, "bagging_freq": 0}
_LARGE_BOOST = {
    "stopping": 40,
    "num_leaves": 63,
    "max_bin": 127,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.8,
    "lambda_l2": 1.0,
}
_GRADIENT = {
    "n_estimators": 200,
    "learning_rate": 0.05,
    "max_depth": 4,
    "subsample": 0.6,
    "min_samples_leaf": 8,
}
_FOREST = {"n_estimators": 60, "min_samples_leaf": 2, "max_features": 0.8}

PORTFOLIO: tuple[Configuration, ...] = (
    Configuration(
        "lightgbm-defaults", "lightgbm", "raw", "none", _DEFAULT_BOOST, min_rows=LARGE_ROWS
    ),
    Configuration(
        "lightgbm-large",
        "lightgbm",
        "raw",
        "none",
        {**_LARGE_BOOST, "learning_rate": 0.1, "rounds": 400},
        min_rows=LARGE_ROWS,
    ),
    Configuration(
        "lightgbm-large-log",
        "lightgbm",
        "raw",
        "log1p",
        {**_LARGE_BOOST, "learning_rate": 0.08, "rounds": 500},
        min_rows=LARGE_ROWS,
    ),
    Configuration(
        "lightgbm-larger",
        "lightgbm",
        "raw",
        "none",
        {**_LARGE_BOOST, "learning_rate": 0.05, "rounds": 800},
        min_rows=LARGE_ROWS,
    ),
    Configuration("ridge", "ridge", "one_hot_products", "log1p", {"alpha": 3.0}),
    Configuration("svr", "svr", "cyclic", "log1p", {"C": 2.0, "epsilon": 0.1}, _KERNEL_ROWS),
    Configuration(
        "gaussian-process", "gaussian_process", "cyclic", "sqrt", {"noise": 0.15}, _KERNEL_ROWS
    ),
    Configuration(
        "lightgbm", "lightgbm", "raw", "log1p", {**_BOOST, "num_leaves": 15, "rounds": 250}
    ),
    Configuration("mlp", "mlp", "cyclic", "log1p", {"hidden": 12, "alpha": 3.0, "max_iter": 150}),
    Configuration(
        "lightgbm-products",
        "lightgbm",
        "products",
        "sqrt",
        {**_BOOST, "num_leaves": 8, "rounds": 300, "learning_rate": 0.03, "feature_fraction": 0.5},
    ),
    Configuration(
        "svr-identity", "svr", "cyclic", "none", {"C": 2.0, "epsilon": 0.1}, _KERNEL_ROWS
    ),
    Configuration(
        "lightgbm-random",
        "lightgbm",
        "raw",
        "sqrt",
        {**_BOOST, "num_leaves": 31, "rounds": 200, "extra_trees": True},
    ),
    Configuration(
        "gaussian-process-one-hot",
        "gaussian_process",
        "one_hot",
        "log1p",
        {"noise": 0.15},
        _KERNEL_ROWS,
    ),
    Configuration("extra-trees", "extra_trees", "products", "log1p", _FOREST),
    Configuration("extra-trees-raw", "extra_trees", "raw", "sqrt", _FOREST, _EXACT_ROWS),
    Configuration(
        "random-forest",
        "random_forest",
        "raw",
        "log1p",
        {"n_estimators": 60, "min_samples_leaf": 3, "max_features": 0.5},
        _EXACT_ROWS,
    ),
    Configuration(
        "gradient-boosting-products",
        "gradient_boosting",
        "products",
        "log1p",
        {**_GRADIENT, "max_features": 0.4},
        _EXACT_ROWS,
    ),
    Configuration(
        "gradient-boosting",
        "gradient_boosting",
        "raw",
        "sqrt",
        {**_GRADIENT, "max_features": 0.5},
        _EXACT_ROWS,
    ),
)


def portfolio_for(
    target: np.ndarray, rows: int, settings: TrainingSettings
) -> tuple[Configuration, ...]:
    """The configurations that suit this target.

    log1p and sqrt are for targets that are never negative and skewed to the right. Where a
    transform does not apply it becomes "none", and a configuration that is then like an earlier
    one is left out. The settings' allowed and blocked algorithms and most trials are kept to.
    Raises InvalidInput where they leave none for so many rows.
    """
    skewed = target.min() >= 0 and _skewness(target) >= MIN_SKEWNESS
    chosen: list[Configuration] = []
    distinct = set()
    for configuration in PORTFOLIO:
        limit = configuration.max_rows
        if rows < configuration.min_rows or (limit is not None and rows > limit):
            continue
        if not _allowed(configuration, settings):
            continue
        transform = configuration.transform if skewed else "none"
        parameters = tuple(sorted(configuration.parameters.items()))
        key = (configuration.family, configuration.view, transform, parameters)
        if key in distinct:
            continue
        distinct.add(key)
        chosen.append(replace(configuration, transform=transform))
    if not chosen:
        raise InvalidInput(
            f"no allowed algorithm suits {rows} rows; kernel methods take at most {_KERNEL_ROWS}. "
            "Nothing was trained. Allow LightGBM or Ridge."
        )
    return tuple(chosen[: settings.max_trials or None])


def _skewness(target: np.ndarray) -> float:
    centred = target - target.mean()
    return float(np.mean(centred**3) / max(np.mean(centred**2) ** 1.5, 1e-300))


def _allowed(configuration: Configuration, settings: TrainingSettings) -> bool:
    name = ALGORITHMS[configuration.family]
    allowed = settings.allowed_algorithms
    return (not allowed or name in allowed) and name not in settings.blocked_algorithms
