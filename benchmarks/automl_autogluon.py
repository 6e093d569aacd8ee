"""AutoGluon on the benchmark's data sets, run by the Python of an environment that has it.

    .cache/autogluon/bin/python benchmarks/automl_autogluon.py OUTPUT.json [--sets "lab;diabetes"]

For each split: medium quality (no time limit up to 20,000 rows) and best quality, within the set's
peer budget, with the log1p target where the set says so. OUTPUT.json holds what is done; a second
run does the rest. How long that takes is printed first.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor
from automl_data import SETS, BenchmarkSet, Fold
from scipy.stats import spearmanr

#: On more rows the budget holds for medium quality too.
LARGE_ROWS = 20_000
#: What medium quality, and all that is not training, takes on a small set; for the estimate.
OTHER_SECONDS = 12
PRESETS = {"AutoGluon medium": "medium_quality", "AutoGluon best": "best_quality"}


def score(data: BenchmarkSet, table: pd.DataFrame, fold: Fold, preset: str) -> dict[str, float]:
    """Spearman, RMSE, R2 and seconds of one fit."""
    start = time.monotonic()
    target = table.columns[-1]
    fit, held = table.iloc[fold[0]].copy(), table.iloc[fold[1]]
    if data.log_target:
        fit[target] = np.log1p(fit[target])
    with TemporaryDirectory() as folder:
        predictor = TabularPredictor(
            label=target, path=folder, problem_type="regression", verbosity=0
        )
        bounded = preset == "best_quality" or len(table) > LARGE_ROWS
        limit = data.peer_budget if bounded else None
        options = {"dynamic_stacking": False} if preset == "best_quality" else {}
        predictor.fit(fit, presets=preset, time_limit=limit, num_cpus=2, num_gpus=0, **options)
        predicted = predictor.predict(held.drop(columns=[target])).to_numpy(dtype=float)
    if data.log_target:
        predicted = np.expm1(predicted)
    actual = held[target].to_numpy(dtype=float)
    error = float(np.sqrt(np.mean((actual - predicted) ** 2)))
    return {
        "spearman": float(spearmanr(actual, predicted)[0]),
        "rmse": error,
        "r2": 1 - error**2 / float(np.var(actual)),
        "seconds": time.monotonic() - start,
    }


def main() -> None:
    """Score each preset on each split that OUTPUT.json lacks."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("output", type=Path)
    arguments.add_argument("--sets", default="", help="names, separated by semicolons")
    options = arguments.parse_args()
    logging.disable(logging.WARNING)
    wanted = [name for name in options.sets.split(";") if name]
    done = json.loads(options.output.read_text()) if options.output.exists() else {}
    chosen = [data for data in SETS if not wanted or data.name in wanted]
    seconds = 0.0
    for data in chosen:
        missing = data.splits - len(done.get(data.name, {}).get("AutoGluon best", []))
        seconds += missing * (data.peer_budget + OTHER_SECONDS)
        seconds += missing * data.peer_budget * (data.name == "large")
    print(f"about {seconds / 60:.0f} minutes", flush=True)
    for data in chosen:
        table = data.make()
        for peer, preset in PRESETS.items():
            scores = done.setdefault(data.name, {}).setdefault(peer, [])
            for fold in list(data.folds(table))[len(scores) :]:
                scores.append(score(data, table, fold, preset))
                options.output.write_text(json.dumps(done, indent=1))
                print(data.name, peer, scores[-1], flush=True)


if __name__ == "__main__":
    main()
