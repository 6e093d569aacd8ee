"""The detached process of one training job: `python -m <this module> FOLDER FD START`.

FD is the job's lock, taken by the submitter and held here until the end. START is when the process
was started, in seconds since the epoch: the budget counts from there, in time awake. Only this
process writes progress and result.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.jobs import JobState
from bikecast.core.spec_json import spec_from_json
from bikecast.embedded.automl import awake
from bikecast.embedded.automl.job import JobRecord
from bikecast.embedded.automl.locks import exclusive, is_held

if TYPE_CHECKING:
    from collections.abc import Callable

    from bikecast.core.spec import ModelSpec
    from bikecast.embedded.automl.build import Built
    from bikecast.embedded.automl.data import Dataset
    from bikecast.embedded.automl.results import Draft
    from bikecast.embedded.automl.trials import Trial

log = logging.getLogger("bikecast.automl")

HEARTBEAT_SECONDS = 0.5
TRAINER_LOCK = ".trainer.lock"
#: Kept for logging the trials and the artifacts to MLflow.
TRACKING_SECONDS = 1.5


class Reporter:
    """Writes progress about twice a second from a thread of its own: that is the heartbeat.

    `started` is the value of `awake.now()` at which the process was started. Times are seconds
    awake: `elapsed_seconds` since the start, `quiet_seconds` since the last sign of progress.
    """

    def __init__(self, record: JobRecord, started: float, budget: float) -> None:
        self._record = record
        self._started = started
        self._budget = budget
        self._progressed = started
        self.first_trial: float | None = None
        """Seconds from the start to the beginning of the first trial that has ended."""
        self._facts: dict[str, object] = {
            "phase": "starting",
            "trials_done": 0,
            "trials_total": 0,
            "best_score": None,
            "best_trial": None,
            "leaderboard": [],
        }
        self._seconds: dict[str, float] = {}
        self._phase_started = started
        self._lock = threading.Lock()
        threading.Thread(target=self._beat, daemon=True).start()

    def phase(self, name: str) -> None:
        """A new phase begins."""
        now = awake.now()
        with self._lock:
            self._seconds[str(self._facts["phase"])] = now - self._phase_started
            self._phase_started = self._progressed = now
            self._facts["phase"] = name
        self.write()

    def seconds(self) -> dict[str, float]:
        """Seconds of each phase so far, of the running one too; their sum is "all"."""
        with self._lock:
            running = {str(self._facts["phase"]): awake.now() - self._phase_started}
            phases = {**self._seconds, **running}
        rounded = {name: round(seconds, 2) for name, seconds in phases.items()}
        return {**rounded, "all": round(sum(rounded.values()), 2)}

    def trials(self, trials: list[Trial]) -> None:
        """How far the search has come."""
        done = [trial for trial in trials if not trial.left_out]
        good = [trial for trial in trials if trial.status == "ok"]
        best = max(good, key=lambda trial: trial.mean, default=None)
        with self._lock:
            self._progressed = awake.now()
            if self.first_trial is None and done:
                longest = max(trial.seconds for trial in done)
                self.first_trial = round(self._progressed - longest - self._started, 2)
            self._facts["trials_done"] = len(done)
            self._facts["trials_total"] = len(trials)
            if best is not None:
                self._facts["best_score"] = round(best.mean, 4)
                self._facts["best_trial"] = best.configuration.name
            self._facts["leaderboard"] = [_live_row(t) for t in sorted(done, key=_live_order)]

    def write(self) -> None:
        """Replace the progress file now."""
        now = awake.now()
        elapsed = now - self._started
        with self._lock:
            self._facts["quiet_seconds"] = round(now - self._progressed, 2)
            self._facts["elapsed_seconds"] = round(elapsed, 2)
            self._facts["seconds_left"] = round(max(0.0, self._budget - elapsed), 2)
            self._record.write_progress(self._facts)

    def _beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            try:
                self.write()
            except OSError:
                if not self._record.folder.is_dir():
                    os._exit(1)  # the job was deleted; nobody wants its result


def _live_row(trial: Trial) -> dict[str, object]:
    """A trial while the search runs; what is not known yet is None."""
    scored = trial.mean == trial.mean
    return {
        "trial": trial.configuration.name,
        "score": round(trial.mean, 4) if scored else None,
        "rmse": round(trial.rmse, 4) if scored else None,
        "seconds": round(trial.seconds, 1),
        "status": trial.status,
    }


def _live_order(trial: Trial) -> tuple[float, str]:
    return (-trial.mean if trial.mean == trial.mean else float("inf"), trial.configuration.name)


def main() -> int:
    """Run the job. The exit code is 0 for a result, else 1; the record says why.

    One job of a folder trains at a time, whatever model it is for. Another one is queued until
    then; its budget begins with its turn. The lock's file names the job that has it.
    """
    os.set_inheritable(int(sys.argv[2]), False)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    record = JobRecord(Path(sys.argv[1]))
    launched = time.time()
    path = record.folder.absolute().parent / TRAINER_LOCK
    if is_held(path):
        record.write_progress({"phase": f"waits for {path.read_text() or 'another training'}"})
    with exclusive(path):
        path.write_text(record.job_id)
        waited = time.time() - launched
        return work(record, float(sys.argv[3]) + waited)


def work(record: JobRecord, started: float) -> int:
    """Run the job whose budget began at `started`; returns the exit code."""
    import psutil

    record.write_process(os.getpid(), psutil.Process().create_time(), started)
    try:
        run(record, record.request(), started)
    except BikecastError as error:
        log.error("%s", error)  # its text is for people
        kind = "InvalidInput" if isinstance(error, InvalidInput) else ""
        record.write_end(JobState.FAILED, str(error), kind=kind)
        return 1
    except OSError as error:
        log.exception("the job failed")
        record.write_end(
            JobState.FAILED,
            f"a file could not be read or written: {error}. There is no result. Free some space "
            "and submit again: the next attempt goes on from the recorded trials.",
        )
        return 1
    except Exception as error:
        log.exception("the job failed")
        record.write_end(JobState.FAILED, f"{type(error).__name__}: {error}; see {record.log_path}")
        return 1
    return 0


def run(record: JobRecord, request: dict[str, Any], started: float) -> None:
    """Train, export, log to MLflow and show the result; `started` is in seconds since the epoch."""
    budget = float(request["budget_seconds"])
    began = awake.now() - max(0.0, time.time() - started)
    reporter = Reporter(record, began, budget)
    spec = spec_from_json(request["spec"])
    tracking_uri = str(request.get("tracking_uri") or "")
    from bikecast.embedded.automl.workers import WorkerPool, start_server

    context = start_server()
    from bikecast.embedded.automl.budget import Clock
    from bikecast.embedded.automl.build import build
    from bikecast.embedded.automl.data import read_dataset
    from bikecast.embedded.automl.memory import TrialMemory
    from bikecast.embedded.automl.preparation import Preparation
    from bikecast.embedded.automl.results import Draft

    reporter.phase("reading data")
    data, read = read_dataset(spec, request["table"])
    preparation = Preparation(tracking_uri)

    def begin_phase(name: str) -> None:
        reporter.phase(name)
        if name != "searching":
            preparation.wait_for_exporters()

    clock = Clock(began + budget, TRACKING_SECONDS if tracking_uri else 0.0)
    memory = TrialMemory.open(record.trials_folder, data)
    with WorkerPool(data, spec.training.max_concurrent_trials, context) as pool:
        built = build(
            data, pool, clock, spec, phase=begin_phase, report=reporter.trials, memory=memory
        )
    reporter.phase("evaluating")
    draft = Draft.begin(record.result_folder)
    facts: dict[str, object] = {**read, "first_trial_seconds": reporter.first_trial}
    rows = write_result(draft, spec, data, built, facts, reporter.seconds, _lineage(request))
    if tracking_uri:
        reporter.phase("logging")
        preparation.wait_for_tracking()
        _log_training(draft, tracking_uri, request, spec, built, rows)
    reporter.phase("finishing")
    draft.write_seconds(reporter.seconds())
    draft.show()
    memory.forget()
    log.info("done in %.1f s", awake.now() - began)


def write_result(
    draft: Draft,
    spec: ModelSpec,
    data: Dataset,
    built: Built,
    facts: dict[str, object],
    seconds: Callable[[], dict[str, float]],
    lineage: dict[str, object],
) -> list[dict[str, object]]:
    """Write plots, model card and files of a build into the draft; returns the leaderboard.

    `seconds` gives those of each phase so far.
    """
    from bikecast.embedded.automl.card import model_card
    from bikecast.embedded.automl.data import sample_notes
    from bikecast.embedded.automl.diagnostics import holdout_rows, residual_groups, residual_table
    from bikecast.embedded.automl.evaluate import evaluate
    from bikecast.embedded.automl.leaderboard import leaderboard
    from bikecast.embedded.automl.plots import plot_importance, plot_predicted, plot_residuals

    actual, predicted = data.target[built.holdout], built.predicted["holdout"]
    by, groups = residual_groups(spec, data, built.holdout, predicted)
    evaluation = evaluate(spec, data, built)
    plot_predicted(draft.folder / "predicted.png", actual, predicted, spec.target.name)
    plot_residuals(draft.folder / "residuals.png", groups, spec.target.name, by)
    plot_importance(
        draft.folder / "importance.png",
        evaluation.permutation_importance,
        spec.training.primary_metric,
    )
    plots = {
        "Predicted against actual": "predicted.png",
        f"Residuals by {by}": "residuals.png",
        "Permutation importance": "importance.png",
    }
    rows = leaderboard(built.result, built.exported)
    facts = {**facts, "seconds": seconds()}
    card = model_card(spec, data, built, evaluation, {**lineage, **facts}, built.warnings)
    (draft.folder / "model-card.md").write_text(card, encoding="utf-8")
    diagnostics = {
        **facts,
        "members": {member.name: weight for member, weight in built.result.recipe.members},
        "parity": {
            "difference": built.parity.difference,
            "rank_correlation": built.parity.rank_correlation,
        },
        "holdout": holdout_rows(spec, data, built.holdout, predicted),
        "residuals": {"by": by, "groups": residual_table(groups)},
        **asdict(evaluation),
    }
    leakage = [str(entry["text"]) for entry in evaluation.leakage]
    findings = [*evaluation.baseline_findings, *leakage, *evaluation.column_findings]
    warnings = [*sample_notes(spec, facts), *built.warnings, *findings]
    draft.write(built.model, rows, built.scores, diagnostics, plots, warnings)
    return rows


def _lineage(request: dict[str, Any]) -> dict[str, object]:
    """What the model card says of the job."""
    names = ("job_id", "data_version", "budget_seconds")
    return {**{name: request[name] for name in names}, **request.get("tags", {})}


def _log_training(
    draft: Draft,
    tracking_uri: str,
    request: dict[str, Any],
    spec: ModelSpec,
    built: Built,
    rows: list[dict[str, object]],
) -> None:
    """Log to MLflow. A failure there is a warning: the model is good without it.

    It is not tried again later: the job's folder has all that MLflow would show.
    """
    from bikecast.embedded.mlflow import log_training

    metrics = {
        f"{kind}_{name}": value
        for kind, score in built.scores.items()
        for name, value in (score or {}).items()
    }
    try:
        log_training(
            tracking_uri=tracking_uri,
            experiment=spec.training.experiment,
            job_id=request["job_id"],
            parameters={
                "primary_metric": spec.training.primary_metric,
                "seed": spec.training.seed,
                "budget_seconds": request["budget_seconds"],
                "max_concurrent_trials": spec.training.max_concurrent_trials,
                "data_version": request["data_version"],
                "features": ",".join(spec.feature_names),
                "target": spec.target.name,
            },
            trials=rows,
            metrics=metrics,
            artifacts=draft.files(),
            tags={str(key): str(value) for key, value in request.get("tags", {}).items()},
        )
    except Exception as error:  # whatever the store says
        log.exception("MLflow could not be written")
        draft.add_warning(
            f"the job was not logged to MLflow: {error}. Its leaderboard, scores and plots are in "
            f"{draft.target}; nothing else is missing."
        )


if __name__ == "__main__":
    sys.exit(main())
