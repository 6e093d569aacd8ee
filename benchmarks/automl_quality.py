"""Quality of the embedded AutoML against named peers, on repeated outer holdouts.

    python benchmarks/automl_quality.py [CSV] [--budget 20]

Each of five random splits (ShuffleSplit, 20% held out, random_state 0) is searched by the same
functions that a training job calls, with its own budget, and its recipe is scored on the rows held
out. The peers are fitted on the same rows: LightGBM with its defaults, and ridge on one-hot
columns. Then the same for training on the first year and scoring the second.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from rich.table import Table

from pipelines.bike_rentals import BIKE_RENTALS
from resources.automl.local.build import Clock
from resources.automl.local.data import Dataset, dataset_from_arrow
from resources.automl.local.scores import scores
from resources.automl.local.search import refit, search
from resources.automl.local.workers import WorkerPool, start_server
from resources.lake.csv_file import read_training_csv

LAB_CSV = Path(__file__).parents[1] / ".." / "shared" / "data" / "bike-rentals-training.csv"
FLOOR, TARGET = 0.90, 0.913
WORKERS = 2
Fold = tuple[np.ndarray, np.ndarray]
Scores = dict[str, list[dict[str, float]]]


def load(path: Path) -> Dataset:
    """The training file as the dataset that a job reads."""
    content = read_training_csv(path, BIKE_RENTALS, source_name=path.name)
    return dataset_from_arrow(BIKE_RENTALS, content.table)


def sample(folder: Path) -> Path:
    """The simulated sample, for checkouts without the lab's files."""
    from pipelines.simulator import write_training_csv

    path = folder / "bike-rentals-sample.csv"
    write_training_csv(path)
    return path


def our_scores(data: Dataset, fold: Fold, pool: WorkerPool, budget: float) -> dict[str, float]:
    """Search on the fold's first rows, score the recipe on its second; also `seconds`."""
    start = time.monotonic()
    clock = Clock(start + budget)
    found = search(
        data,
        np.sort(fold[0]),
        pool,
        metric="spearman_correlation",
        seed=0,
        deadline=lambda trials: clock.search_deadline(trials, WORKERS),
    )
    done = refit(found.recipe, {"fold": (np.sort(fold[0]), fold[1])}, pool, seed=0)["fold"]
    predicted = found.recipe.blend({name: out.predictions[0] for name, out in done.items()})
    return scores(data.target[fold[1]], predicted) | {"seconds": time.monotonic() - start}


def peer_scores(data: Dataset, fold: Fold, peer: str) -> dict[str, float]:
    """The same for a peer."""
    import lightgbm
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    start = time.monotonic()
    matrix = np.column_stack([data.values[column.name] for column in data.columns])
    if peer == "LightGBM defaults":
        model = lightgbm.LGBMRegressor(verbose=-1, n_jobs=1, random_state=0)
    else:
        coded = [i for i, column in enumerate(data.columns) if column.codes]
        one_hot = ("codes", OneHotEncoder(handle_unknown="ignore"), coded)
        model = make_pipeline(ColumnTransformer([one_hot], remainder="passthrough"), Ridge())
    model.fit(matrix[fold[0]], data.target[fold[0]])
    predicted = np.asarray(model.predict(matrix[fold[1]]))
    return scores(data.target[fold[1]], predicted) | {"seconds": time.monotonic() - start}


def report(console: Console, title: str, by_peer: Scores) -> None:
    """One row a peer: means over the folds, and Spearman's standard error."""
    table = Table(title=title)
    for heading in ("model", "Spearman", "s.e.", "RMSE", "R2", "seconds", "difference to ours"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    first = next(iter(by_peer.values()))
    ours = np.array([entry["spearman"] for entry in first])
    for peer, entries in by_peer.items():
        mean = {name: np.mean([entry[name] for entry in entries]) for name in entries[0]}
        ranks = np.array([entry["spearman"] for entry in entries])
        error = ranks.std(ddof=1) / np.sqrt(len(ranks)) if len(ranks) > 1 else float("nan")
        table.add_row(
            peer,
            f"{mean['spearman']:.4f}",
            f"{error:.4f}",
            f"{mean['rmse']:.1f}",
            f"{mean['r2']:.3f}",
            f"{mean['seconds']:.1f}",
            "" if entries is first else f"{(ranks - ours).mean():+.4f}",
        )
    console.print(table)


def compare(data: Dataset, folds: list[Fold], pool: WorkerPool, budget: float) -> Scores:
    """Scores a fold of ours and of each peer."""
    result = {"bikecast AutoML": [our_scores(data, fold, pool, budget) for fold in folds]}
    for peer in ("LightGBM defaults", "ridge, one-hot"):
        result[peer] = [peer_scores(data, fold, peer) for fold in folds]
    return result


def main() -> int:
    """Print the tables; the exit code is 1 where the mean Spearman is under the floor."""
    from sklearn.model_selection import ShuffleSplit

    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("csv", nargs="?", type=Path)
    arguments.add_argument("--budget", type=float, default=20.0, help="seconds a split")
    options = arguments.parse_args()
    context = start_server()
    console = Console()
    with TemporaryDirectory() as folder:
        path = options.csv or (LAB_CSV if LAB_CSV.exists() else sample(Path(folder)))
        data = load(path)
    random = list(ShuffleSplit(5, test_size=0.2, random_state=0).split(data.target))
    with WorkerPool(data, WORKERS, context) as pool:
        shuffled = compare(data, random, pool, options.budget)
        report(console, f"{path.name}: 5 random splits, budget {options.budget:g} s", shuffled)
        years = np.array([int(label[:4]) for label in data.time_labels or ()])
        early, late = np.flatnonzero(years == years.min()), np.flatnonzero(years > years.min())
        if len(late):
            ordered = compare(data, [(early, late)], pool, options.budget)
            report(console, f"trained on {years.min()}, scored on what follows", ordered)
    mean = np.mean([entry["spearman"] for entry in shuffled["bikecast AutoML"]])
    console.print(f"mean Spearman {mean:.4f}; floor {FLOOR:.2f}, target {TARGET}")
    return 0 if mean >= FLOOR else 1


if __name__ == "__main__":
    raise SystemExit(main())
