"""Fitting one configuration: view, target transform, scaling and the family's estimator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bikecast.embedded.automl.data import Dataset, Values
from bikecast.embedded.automl.portfolio import Configuration
from bikecast.embedded.automl.views import View, fit_view

#: A forest's leaves are raised so that a tree has about this many at most.
MAX_FOREST_LEAVES = 2000


@dataclass(frozen=True)
class TargetTransform:
    """From the target to what the estimator learns, and back.

    The estimator's output is clipped to the range of the training rows, widened by a fifth, so
    that no inverse (an exponential above all) runs away.
    """

    name: str
    low: float
    high: float

    @classmethod
    def fit(cls, name: str, target: np.ndarray) -> TargetTransform:
        """The transform for these training targets."""
        inner = _forward(name, target)
        margin = 0.2 * (inner.max() - inner.min())
        return cls(name, float(inner.min() - margin), float(inner.max() + margin))

    def forward(self, target: np.ndarray) -> np.ndarray:
        """What the estimator learns."""
        return _forward(self.name, target)

    def inverse(self, inner: np.ndarray) -> np.ndarray:
        """Predictions in the target's unit."""
        clipped = np.clip(inner, self.low, self.high)
        if self.name == "log1p":
            return np.asarray(np.expm1(clipped))
        return np.asarray(np.maximum(clipped, 0) ** 2 if self.name == "sqrt" else clipped)


def _forward(name: str, target: np.ndarray) -> np.ndarray:
    if name == "log1p":
        return np.asarray(np.log1p(target))
    return np.asarray(np.sqrt(target) if name == "sqrt" else target, dtype=np.float64)


@dataclass(frozen=True)
class Scaling:
    """Standardization: inputs as (x - mean) / scale in float32, output as z * scale + mean."""

    mean: np.ndarray
    scale: np.ndarray
    output_mean: float
    output_scale: float

    @classmethod
    def fit(cls, matrix: np.ndarray, inner: np.ndarray) -> Scaling:
        """Mean and standard deviation of each column and of the transformed target."""
        spread = matrix.std(axis=0, dtype=np.float64)
        spread[spread < 1e-9] = 1.0
        return cls(
            matrix.mean(axis=0, dtype=np.float64).astype(np.float32),
            spread.astype(np.float32),
            float(inner.mean()),
            float(inner.std()) or 1.0,
        )

    def inputs(self, matrix: np.ndarray) -> np.ndarray:
        """The standardized matrix, float32."""
        scaled: np.ndarray = (matrix - self.mean) / self.scale
        return scaled


@dataclass(frozen=True)
class FittedModel:
    """A fitted configuration; `predict` is the native prediction that the graph must repeat."""

    configuration: Configuration
    view: View
    transform: TargetTransform
    scaling: Scaling | None
    estimator: Any

    def predict(self, values: Values, rows: np.ndarray) -> np.ndarray:
        """Predictions in the target's unit, float64 [rows]."""
        matrix = self.view.matrix(values, rows)
        if self.scaling is None:
            inner = self.estimator.predict(matrix)
        else:
            scaled = self.estimator.predict(self.scaling.inputs(matrix).astype(np.float64))
            inner = scaled * self.scaling.output_scale + self.scaling.output_mean
        return self.transform.inverse(np.asarray(inner, dtype=np.float64).ravel())


def fit_model(
    configuration: Configuration, data: Dataset, rows: np.ndarray, seed: int
) -> FittedModel:
    """Fit a configuration on `rows` (indices). Deterministic by seed; uses one thread."""
    target = data.target[rows]
    view = fit_view(configuration.view, data.columns, data.values, rows, target)
    matrix = view.matrix(data.values, rows)
    transform = TargetTransform.fit(configuration.transform, target)
    inner = transform.forward(target)
    build, scaled = FAMILIES[configuration.family]
    estimator = build(dict(configuration.parameters), matrix.shape, seed)
    if scaled:
        scaling = Scaling.fit(matrix, inner)
        inner = (inner - scaling.output_mean) / scaling.output_scale
        estimator.fit(scaling.inputs(matrix).astype(np.float64), inner)
        return FittedModel(configuration, view, transform, scaling, estimator)
    estimator.fit(matrix, inner)
    return FittedModel(configuration, view, transform, None, estimator)


class LightGbm:
    """LightGBM's own training loop, deterministic and single-threaded.

    With the parameter `stopping` the number of rounds is where the error of a tenth of the rows
    has not become smaller for so many rounds; the booster is then trained on all rows.
    """

    def __init__(self, parameters: dict[str, Any], seed: int) -> None:
        self.rounds = int(parameters.pop("rounds"))
        self.stopping = int(parameters.pop("stopping", 0))
        fixed = {"verbose": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True}
        bagging = {"bagging_fraction": 0.7, "bagging_freq": 1}
        self.parameters = {**bagging, **parameters, **fixed, "seed": seed}
        self.booster: Any = None

    def fit(self, matrix: np.ndarray, inner: np.ndarray) -> LightGbm:
        """Train the booster."""
        import lightgbm

        # What bins the data must be known before the training's own parameters are.
        binning = {name: self.parameters[name] for name in ("max_bin",) if name in self.parameters}
        binning["verbose"] = -1
        rounds = self.rounds
        if self.stopping:
            order = np.random.default_rng(self.parameters["seed"]).permutation(len(inner))
            held, rest = order[: len(inner) // 10], order[len(inner) // 10 :]
            data = lightgbm.Dataset(matrix[rest], inner[rest], params=binning)
            stopped = lightgbm.train(
                {**self.parameters, "metric": "l2"},
                data,
                rounds,
                valid_sets=[data.create_valid(matrix[held], inner[held])],
                callbacks=[lightgbm.early_stopping(self.stopping, verbose=False)],
            )
            rounds = stopped.best_iteration or rounds
        data = lightgbm.Dataset(matrix, inner, params=binning)
        self.booster = lightgbm.train(self.parameters, data, rounds)
        return self

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """The booster's prediction."""
        result: np.ndarray = self.booster.predict(matrix, num_threads=1)
        return result


def _ridge(parameters: dict[str, Any], shape: tuple[int, int], seed: int) -> Any:  # noqa: ARG001
    from sklearn.linear_model import Ridge

    return Ridge(**parameters)


def _lightgbm(parameters: dict[str, Any], shape: tuple[int, int], seed: int) -> Any:  # noqa: ARG001
    return LightGbm(parameters, seed)


def _gradient_boosting(parameters: dict[str, Any], shape: tuple[int, int], seed: int) -> Any:  # noqa: ARG001
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(**parameters, random_state=seed)


def _extra_trees(parameters: dict[str, Any], shape: tuple[int, int], seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(**_leaves(parameters, shape), random_state=seed, n_jobs=1)


def _leaves(parameters: dict[str, Any], shape: tuple[int, int]) -> dict[str, Any]:
    """Larger leaves on larger tables: a forest's size in the graph stays bounded."""
    least = max(parameters.get("min_samples_leaf", 1), shape[0] // MAX_FOREST_LEAVES)
    return {**parameters, "min_samples_leaf": least}


def _random_forest(parameters: dict[str, Any], shape: tuple[int, int], seed: int) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(**_leaves(parameters, shape), random_state=seed, n_jobs=1)


def _svr(parameters: dict[str, Any], shape: tuple[int, int], seed: int) -> Any:  # noqa: ARG001
    from sklearn.svm import SVR

    return SVR(**parameters, gamma=0.6 / shape[1], cache_size=100)


def _gaussian_process(parameters: dict[str, Any], shape: tuple[int, int], seed: int) -> Any:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF

    kernel = RBF(1.25 * np.sqrt(shape[1]), length_scale_bounds="fixed")
    return GaussianProcessRegressor(
        kernel, alpha=parameters["noise"], optimizer=None, random_state=seed
    )


def _mlp(parameters: dict[str, Any], shape: tuple[int, int], seed: int) -> Any:  # noqa: ARG001
    from sklearn.neural_network import MLPRegressor

    return MLPRegressor(
        hidden_layer_sizes=(parameters["hidden"],),
        alpha=parameters["alpha"],
        max_iter=parameters["max_iter"],
        solver="lbfgs",
        random_state=seed,
    )


_Builder = Callable[[dict[str, Any], tuple[int, int], int], Any]
#: Family -> (estimator of parameters, matrix shape and seed; whether inputs are standardized).
FAMILIES: dict[str, tuple[_Builder, bool]] = {
    "ridge": (_ridge, True),
    "lightgbm": (_lightgbm, False),
    "gradient_boosting": (_gradient_boosting, False),
    "extra_trees": (_extra_trees, False),
    "random_forest": (_random_forest, False),
    "svr": (_svr, True),
    "gaussian_process": (_gaussian_process, True),
    "mlp": (_mlp, True),
}
