"""Quality of the embedded AutoML against named peers, on the splits of automl_data.py.

    python benchmarks/automl_quality.py [--sets "lab;diabetes"] [--peers autogluon.json] [--all]

Each split is searched by the functions that a training job calls, with its own budget, and the
recipe is scored on the rows held out. The peers learn from the same rows: LightGBM with its
defaults, ridge on one-hot columns, and what automl_autogluon.py wrote, if given. Without the lab's
file its sets use the simulated sample. By default only the lab's sets run; --all runs every one.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import automl_data
import numpy as np
import pandas as pd
import pyarrow as pa
from automl_data import LAB_CSV, SETS, BenchmarkSet, Fold
from rich.console import Console
from rich.table import Table

from pipelines.bike_rentals import BIKE_RENTALS
from resources.automl.local.budget import Clock
from resources.automl.local.data import Dataset, dataset_from_arrow
from resources.automl.local.process import ONE_THREAD
from resources.automl.local.scores import scores
from resources.automl.local.search import refit, search
from resources.automl.local.workers import WorkerPool, start_server
from resources.automl.tabular import tabular_data
from resources.spec import ModelSpec, TrainingSettings

FLOOR, TARGET = 0.90, 0.913
WORKERS = 2
OURS = "bikecast AutoML"
SETTINGS = TrainingSettings(experiment="benchmark", max_concurrent_trials=WORKERS)
Entries = list[dict[str, float]]


def dataset(table: pd.DataFrame) -> Dataset:
    """The dataset that a job would read: by the lab's spec, or by type inference."""
    if list(table.columns[:-1]) == list(BIKE_RENTALS.feature_names):
        spec: ModelSpec = BIKE_RENTALS
        days = pd.Series(pd.date_range("2011-01-01", periods=len(table)).date)
        content = pa.Table.from_pandas(table.assign(dteday=days), preserve_index=False)
        return dataset_from_arrow(spec, content)
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    inferred = tabular_data(arrow, target=str(table.columns[-1]), name="benchmark")
    return dataset_from_arrow(inferred.spec, inferred.table)


def our_scores(
    data: Dataset, fold: Fold, pool: WorkerPool, budget: float, settings: TrainingSettings
) -> dict[str, float]:
    """Search on the fold's first rows, score the recipe on its second; also `seconds`."""
    start = time.monotonic()
    clock = Clock(start + budget, workers=WORKERS, refits=1)
    found = search(data, fold[0], pool, settings, clock=clock)
    done = refit(found.recipe, {"fold": fold}, pool, seed=0)["fold"]
    predicted = found.recipe.blend({name: out.predictions[0] for name, out in done.items()})
    seconds = time.monotonic() - start
    facts = {
        "members": float(len(found.recipe.members)),
        "skipped": float(sum(trial.status == "skipped" for trial in found.trials)),
    }
    return {**scores(data.target[fold[1]], predicted), "seconds": seconds, **facts}


def peer_scores(table: pd.DataFrame, fold: Fold, peer: str) -> dict[str, float]:
    """The same for a peer on the table as it is."""
    import lightgbm
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    start = time.monotonic()
    texts = [name for name in table.columns[:-1] if table[name].dtype == object]
    features = table.iloc[:, :-1].astype(dict.fromkeys(texts, "category"))
    target = table.iloc[:, -1].to_numpy(dtype=float)
    model: Any
    if peer == "LightGBM defaults":
        model = lightgbm.LGBMRegressor(verbose=-1, n_jobs=2, random_state=0)
    else:
        few = [name for name in features if name in texts or features[name].nunique() <= 12]
        one_hot = ("codes", OneHotEncoder(handle_unknown="ignore"), few)
        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        model = make_pipeline(ColumnTransformer([one_hot], remainder=numbers), Ridge())
    model.fit(features.iloc[fold[0]], target[fold[0]])
    predicted = np.asarray(model.predict(features.iloc[fold[1]]))
    return {**scores(target[fold[1]], predicted), "seconds": time.monotonic() - start}


def report(console: Console, title: str, by_peer: dict[str, Entries]) -> None:
    """One row a peer: means over the splits, standard errors, the paired difference to ours."""
    table = Table(title=title)
    headings = ("model", "Spearman", "s.e.", "RMSE", "R2", "seconds", "ours minus it", "s.e.")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "model" else "right")
    ours = np.array([entry["spearman"] for entry in by_peer[OURS]])
    for peer, entries in by_peer.items():
        ranks = np.array([entry["spearman"] for entry in entries])
        mean = {name: np.mean([entry[name] for entry in entries]) for name in entries[0]}
        lead = ours[: len(ranks)] - ranks
        table.add_row(
            peer,
            f"{mean['spearman']:.4f}",
            _error(ranks),
            f"{mean['rmse']:.4g}",
            f"{mean['r2']:.3f}",
            f"{mean['seconds']:.1f}",
            "" if peer == OURS else f"{lead.mean():+.4f}",
            "" if peer == OURS else _error(lead),
        )
    console.print(table)


def _error(values: np.ndarray) -> str:
    return f"{values.std(ddof=1) / np.sqrt(len(values)):.4f}" if len(values) > 1 else ""


def compare(
    data: BenchmarkSet, autogluon: dict[str, Entries], context: Any, settings: TrainingSettings
) -> dict[str, Entries]:
    """Scores of ours and of each peer, one entry a split."""
    table = data.make()
    folds = list(data.folds(table))
    rows = dataset(table)
    with WorkerPool(rows, WORKERS, context) as pool:
        result = {OURS: [our_scores(rows, fold, pool, data.budget, settings) for fold in folds]}
    for peer in ("LightGBM defaults", "ridge, one-hot"):
        result[peer] = [peer_scores(table, fold, peer) for fold in folds]
    return result | {peer: entries for peer, entries in autogluon.items() if entries}


def main() -> int:
    """Print the tables; the exit code is 1 where the lab's mean Spearman is under the floor."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--sets", default="", help="names, separated by semicolons")
    arguments.add_argument("--all", action="store_true", help="every set, not only the lab's")
    arguments.add_argument("--peers", type=Path, help="what automl_autogluon.py wrote")
    arguments.add_argument(
        "--factor", type=float, default=1.0, help="multiplies our budgets, for a busy machine"
    )
    arguments.add_argument(
        "--best", action="store_true", help="take the best blend, not the simplest that is as good"
    )
    arguments.add_argument("--json", type=Path, help="also write all scores there")
    options = arguments.parse_args()
    os.environ.update(ONE_THREAD)
    chosen = [name for name in options.sets.split(";") if name]
    wanted = [
        s for s in SETS if s.name in chosen or (not chosen and (options.all or "lab" in s.name))
    ]
    peers = json.loads(options.peers.read_text()) if options.peers else {}
    if not LAB_CSV.exists():
        automl_data.use_sample()
    context = start_server()
    console = Console(width=120)
    everything: dict[str, dict[str, Entries]] = {}
    for data in wanted:
        data = replace(data, budget=data.budget * options.factor)
        settings = replace(SETTINGS, prefer_simple=not options.best)
        found = compare(data, peers.get(data.name, {}), context, settings)
        everything[data.name] = found
        report(console, f"{data.name}: {len(found[OURS])} splits, {data.budget:g} s each", found)
        if options.json:
            options.json.write_text(json.dumps(everything, indent=1))
    if "lab" not in everything:
        return 0
    mean = np.mean([entry["spearman"] for entry in everything["lab"][OURS]])
    console.print(f"lab: mean Spearman {mean:.4f}; floor {FLOOR:.2f}, target {TARGET}")
    return 0 if mean >= FLOOR else 1


if __name__ == "__main__":
    raise SystemExit(main())
