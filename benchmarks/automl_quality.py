"""Quality of the embedded AutoML against named peers, on the splits of automl_data.py.

    python benchmarks/automl_quality.py [--sets "lab;diabetes"] [--all] [--peers autogluon.json]
                                        [--real] [--splits 5] [--json out.json | --report out.json]

Each split is searched by the functions that a training job calls, with its own budget, and the
recipe is scored on the rows held out; "best blend" is chosen from the same trials without the
preference for simple models. The peers learn from the same rows: LightGBM with its defaults, ridge
on one-hot columns, and what automl_autogluon.py wrote, if given. Without the lab's file its sets
use the simulated sample. By default only the lab's sets run; --all runs every one, --real the eight
real tables, judged by their ratio to LightGBM's defaults.

A budget is wall-clock time on two processes. The tables say what of it was processor time, and how
much of the machine other processes had: on a busy machine the same budget buys fewer trials.
--report prints the tables of a file that --json wrote, without a new run.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import automl_data
import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
from automl_data import LAB_CSV, REAL, SETS, BenchmarkSet, Fold
from machine_use import MachineUse
from rich.console import Console
from rich.table import Table

from bikecast.core.spec import ModelSpec, TrainingSettings
from bikecast.embedded.automl.budget import Clock
from bikecast.embedded.automl.data import Dataset, dataset_from_arrow
from bikecast.embedded.automl.memory import TrialMemory
from bikecast.embedded.automl.process import ONE_THREAD
from bikecast.embedded.automl.scores import scores
from bikecast.embedded.automl.search import SearchResult, refit, search
from bikecast.embedded.automl.tabular import tabular_data
from bikecast.embedded.automl.workers import WorkerPool, start_server
from pipelines.bike_rentals import BIKE_RENTALS

FLOOR, TARGET, MAX_RMSE, BY_YEAR = 0.90, 0.913, 310, 0.91
WORKERS = 2
OURS, BEST = "bikecast AutoML", "bikecast, best blend"
LIGHTGBM, RIDGE = "LightGBM defaults", "ridge, one-hot"
MEDIUM, AUTOGLUON = "AutoGluon medium", "AutoGluon best"
#: What a split costs beside our budget: the peers, and the second choice.
PEER_SECONDS = 4
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
) -> dict[str, dict[str, float]]:
    """Search on the fold's first rows, score the recipes on its second; what ours used, too."""
    use = MachineUse()
    clock = Clock(time.monotonic() + budget, workers=WORKERS, refits=1)
    with tempfile.TemporaryDirectory() as folder:
        memory = TrialMemory.open(Path(folder), data)
        searched = search(data, fold[0], pool, settings, clock=clock, memory=memory)
        result = {OURS: {**score_recipe(data, fold, pool, searched), **use.facts()}}
        # The same trials, recalled: only the choice is another one.
        later = replace(clock, deadline=time.monotonic() + budget)
        best = replace(settings, prefer_simple=False)
        searched = search(data, fold[0], pool, best, clock=later, memory=memory)
        result[BEST] = score_recipe(data, fold, pool, searched)
    return result


def score_recipe(
    data: Dataset, fold: Fold, pool: WorkerPool, searched: SearchResult
) -> dict[str, float]:
    """Fit the recipe on the fold's first rows and score it on its second."""
    done = refit(searched.recipe, {"fold": fold}, pool, seed=0)["fold"]
    predicted = searched.recipe.blend({name: out.predictions[0] for name, out in done.items()})
    return {
        **scores(data.target[fold[1]], predicted),
        "members": float(len(searched.recipe.members)),
        "skipped": float(sum(trial.status == "skipped" for trial in searched.trials)),
    }


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
    if peer == LIGHTGBM:
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
    headings = ("model", "Spearman", "s.e.", "RMSE", "R2", "seconds", "processor s")
    headings += ("others %", "ours minus it", "s.e.", "RMSE ours / it", "s.e.")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "model" else "right")
    ours = np.array([entry["spearman"] for entry in by_peer[OURS]])
    for peer, entries in by_peer.items():
        ranks = np.array([entry["spearman"] for entry in entries])
        mean = {name: np.mean([entry[name] for entry in entries]) for name in entries[0]}
        lead = ours[: len(ranks)] - ranks
        ratio = np.array([entry["rmse"] for entry in by_peer[OURS]])[: len(ranks)]
        ratio = ratio / np.array([entry["rmse"] for entry in entries])
        table.add_row(
            peer,
            f"{mean['spearman']:.4f}",
            _error(ranks),
            f"{mean['rmse']:.4g}",
            f"{mean['r2']:.3f}",
            f"{mean['seconds']:.1f}" if "seconds" in mean else "",
            f"{mean['processor_seconds']:.1f}" if "processor_seconds" in mean else "",
            f"{100 * mean['others']:.0f}" if "others" in mean else "",
            "" if peer == OURS else f"{lead.mean():+.4f}",
            "" if peer == OURS else _error(lead),
            "" if peer == OURS else f"{ratio.mean():.3f}",
            "" if peer == OURS else _error(ratio),
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
        ours = [our_scores(rows, fold, pool, data.budget, settings) for fold in folds]
    result = {name: [entry[name] for entry in ours] for name in (OURS, BEST)}
    for peer in (LIGHTGBM, RIDGE):
        result[peer] = [peer_scores(table, fold, peer) for fold in folds]
    return result | {peer: entries for peer, entries in autogluon.items() if entries}


def verdicts(by_set: dict[str, dict[str, Entries]]) -> list[tuple[bool, str]]:
    """Whether each target holds, for those that the results can tell."""
    lines = []
    for name, by_peer in by_set.items():
        ours = np.array([entry["spearman"] for entry in by_peer[OURS]])
        rmse = float(np.mean([entry["rmse"] for entry in by_peer[OURS]]))
        error = ours.std(ddof=1) / np.sqrt(len(ours)) if len(ours) > 1 else 0.0
        if name == "lab":
            lines.append((ours.mean() + error >= TARGET, f"{name}: {ours.mean():.4f} for {TARGET}"))
            lines.append((rmse <= MAX_RMSE, f"{name}: RMSE {rmse:.0f}, at most {MAX_RMSE}"))
        if name == "lab, 2011 to 2012":
            lines.append((ours.mean() >= BY_YEAR, f"{name}: {ours.mean():.4f} for {BY_YEAR}"))
        peer = AUTOGLUON if "lab" in name else LIGHTGBM
        if peer in by_peer:
            lead = ours - np.array([entry["spearman"] for entry in by_peer[peer]])[: len(ours)]
            noise = lead.std(ddof=1) / np.sqrt(len(lead)) if len(lead) > 1 else 0.0
            lines.append((lead.mean() >= -noise, f"{name}: {lead.mean():+.4f} to {peer}"))
        if LIGHTGBM in by_peer and name in {each.name for each in REAL}:
            ratio = np.array([entry["rmse"] for entry in by_peer[OURS]])
            ratio = ratio / np.array([entry["rmse"] for entry in by_peer[LIGHTGBM]])
            noise = ratio.std(ddof=1) / np.sqrt(len(ratio)) if len(ratio) > 1 else 0.0
            text = f"{name}: RMSE {ratio.mean():.3f} of LightGBM's"
            lines.append((ratio.mean() - noise <= 1, text))
    other = [by_peer for name, by_peer in by_set.items() if "lab" not in name]
    if other and all(AUTOGLUON in by_peer and MEDIUM in by_peer for by_peer in other):
        means = {
            peer: np.mean([np.mean([e["spearman"] for e in by_peer[peer]]) for by_peer in other])
            for peer in (OURS, MEDIUM, AUTOGLUON)
        }
        text = ", ".join(f"{peer} {mean:.4f}" for peer, mean in means.items())
        lines.append((means[OURS] >= means[MEDIUM], f"mean over {len(other)} other sets: {text}"))
    return lines


def main() -> int:
    """Print the tables; the exit code is 1 where the lab's mean Spearman is under the floor."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--sets", default="", help="names, separated by semicolons")
    arguments.add_argument("--real", action="store_true", help="the eight real tables")
    arguments.add_argument("--splits", type=int, default=5, help="of each set at most")
    arguments.add_argument("--all", action="store_true", help="every set, not only the lab's")
    arguments.add_argument("--peers", type=Path, help="what automl_autogluon.py wrote")
    arguments.add_argument(
        "--factor", type=float, default=1.0, help="multiplies our budgets, for a busy machine"
    )
    arguments.add_argument("--json", type=Path, help="also write all scores there")
    arguments.add_argument("--report", type=Path, help="print what --json wrote, run nothing")
    options = arguments.parse_args()
    console = Console(width=150)
    peers = json.loads(options.peers.read_text()) if options.peers else {}
    if options.report:
        everything = json.loads(options.report.read_text())
        everything = {
            name: {**by_peer, **peers.get(name, {})} for name, by_peer in everything.items()
        }
        for name, by_peer in everything.items():
            report(console, name, by_peer)
    else:
        everything = run(console, options, peers)
    for holds, text in verdicts(everything):
        console.print(f"{'holds' if holds else 'MISSED':7} {text}", highlight=False)
    if "lab" not in everything:
        return 0
    mean = np.mean([entry["spearman"] for entry in everything["lab"][OURS]])
    return 0 if mean >= FLOOR else 1


def run(
    console: Console, options: argparse.Namespace, peers: dict[str, dict[str, Entries]]
) -> dict[str, dict[str, Entries]]:
    """Scores of every wanted set; tables as they come, and the longest time that it takes first."""
    os.environ.update(ONE_THREAD)
    chosen = [name for name in options.sets.split(";") if name]
    wanted = [
        replace(s, budget=s.budget * options.factor, splits=min(s.splits, options.splits))
        for s in (REAL if options.real else SETS)
        if s.name in chosen or (not chosen and (options.all or options.real or "lab" in s.name))
    ]
    seconds = sum(s.splits * (s.budget + PEER_SECONDS) for s in wanted)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    console.print(
        f"{sum(s.splits for s in wanted)} splits, at most {seconds / 60:.0f} minutes; "
        f"load {load} on {psutil.cpu_count()} processors",
        highlight=False,
    )
    if not LAB_CSV.exists():
        automl_data.use_sample()
    context = start_server()
    everything: dict[str, dict[str, Entries]] = {}
    for data in wanted:
        by_peer = compare(data, peers.get(data.name, {}), context, SETTINGS)
        everything[data.name] = by_peer
        report(
            console, f"{data.name}: {len(by_peer[OURS])} splits, {data.budget:g} s each", by_peer
        )
        if options.json:
            options.json.write_text(json.dumps(everything, indent=1))
    return everything


if __name__ == "__main__":
    raise SystemExit(main())
