"""`bikecast automl`: the embedded AutoML on any tabular CSV, with a live leaderboard."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.live import Live
from rich.markup import escape

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.jobs import JobState, JobStatus
from pipelines.cli.console import stderr_console, stdout_console
from pipelines.cli.tables import rows_table
from pipelines.home import open_home
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from rich.table import Table

    from bikecast.core.training import TrainingResult
    from bikecast.embedded.automl import Jobs, Tabular

POLL_SECONDS = 0.2
SHOWN = 12
_LIVE = ("trial", "score", "rmse", "seconds", "status")
_FINAL = ("trial", "score", "score_sd", "rmse", "r2", "ensemble_weight", "rows_per_second")
_FILES = ("model.onnx", "leaderboard.csv", "model-card.md", "scores.json")


@dataclass(frozen=True)
class Options:
    """What the command was asked for."""

    csv: Path
    target: str
    features: tuple[str, ...]
    metric: str
    budget: float
    output: Path | None
    seed: int
    allowed: tuple[str, ...]
    blocked: tuple[str, ...]
    prefer_simple: bool


def automl_command(options: Options) -> None:
    """Train on the CSV and leave model, leaderboard, model card and plots in the folder.

    Raises InvalidInput for a bad file, column or setting, BikecastError where the job fails.
    """
    from bikecast.core.files import file_digest
    from bikecast.embedded.automl import Jobs, read_csv, tabular_data, train_table

    console = stderr_console()
    training = _settings(options)
    folder = options.output or Path(f"automl-{options.csv.stem}")
    inferred = tabular_data(
        read_csv(options.csv),
        target=options.target,
        features=options.features,
        name=options.csv.name,
        training=training,
    )
    for note in inferred.notes:
        console.print(f"[cyan]note[/] {escape(note)}", highlight=False)
    root = open_home(load_settings()).root / "automl"
    jobs = Jobs(root / "jobs")
    status = train_table(
        jobs,
        inferred,
        lake_root=root,
        data_version=file_digest(options.csv),
        budget_seconds=options.budget,
    )
    try:
        status = _watch(jobs, status)
    except KeyboardInterrupt:
        jobs.cancel(status.job_id)
        console.print("Stopped. The same command goes on from the trials that are done.")
        raise
    if status.state is not JobState.COMPLETED:
        kind = InvalidInput if "Nothing was trained" in status.error else BikecastError
        raise kind(f"{status.error}\n{folder} is unchanged.")
    result = jobs.result(status.job_id)
    _leave(result, folder)
    _print(result, inferred, folder)


def _settings(options: Options):  # type: ignore[no-untyped-def]  # TrainingSettings
    from bikecast.core.spec import TrainingSettings

    if options.budget <= 0:
        raise InvalidInput(f"--budget is {options.budget:g}; it must be above 0 seconds.")
    try:
        return TrainingSettings(
            experiment=options.csv.stem or "automl",
            primary_metric=options.metric,
            max_training_hours=options.budget / 3600,
            seed=options.seed,
            allowed_algorithms=options.allowed,
            blocked_algorithms=options.blocked,
            prefer_simple=options.prefer_simple,
        )
    except ValueError as error:
        raise InvalidInput(f"{error}. Nothing was trained.") from error


def _watch(jobs: Jobs, status: JobStatus) -> JobStatus:
    """Poll the job to its end; a live table on a terminal, else a line for each better score."""
    console = stderr_console()
    if not console.is_terminal:
        best: object = None
        while not status.state.is_terminal:
            time.sleep(POLL_SECONDS)
            status = jobs.status(status.job_id)
            told = status.progress
            if told.get("best_score") not in (None, best):
                best = told["best_score"]
                console.print(_headline(told), highlight=False, markup=False)
        return status
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not status.state.is_terminal:
            live.update(_live_table(status.progress), refresh=True)
            time.sleep(POLL_SECONDS)
            status = jobs.status(status.job_id)
    return status


def _headline(told: Mapping[str, object]) -> str:
    done, total = told.get("trials_done") or 0, told.get("trials_total") or "?"
    text = f"{told.get('phase', 'queued')}, {done}/{total} trials"
    if told.get("best_score") is not None:
        text += f", best {told['best_score']} by {told.get('best_trial')}"
    left = told.get("seconds_left")
    return text + (f", {left:.0f} s of the budget left" if isinstance(left, (int, float)) else "")


def _live_table(told: Mapping[str, object]) -> Table:
    found = told.get("leaderboard")
    rows = found if isinstance(found, list) else []
    cells = [["" if row[name] is None else row[name] for name in _LIVE] for row in rows[:SHOWN]]
    return rows_table(_LIVE, cells, title=_headline(told))


def _leave(result: TrainingResult, folder: Path) -> None:
    """Copy the files; each is replaced in one step."""
    from bikecast.core.files import replaced_file

    source = result.model_path.parent
    names = [*_FILES, *(path.name for path in result.plots.values())]
    for name in names:
        with replaced_file(folder / name) as path:
            shutil.copyfile(source / name, path)


def _print(result: TrainingResult, inferred: Tabular, folder: Path) -> None:
    out = stdout_console()
    leaders = result.leaders(SHOWN)
    cells = [["" if row[name] is None else row[name] for name in _FINAL] for row in leaders]
    metric = inferred.spec.training.primary_metric
    out.print(rows_table(_FINAL, cells, title=f"Leaderboard ({metric}; more is better)"))
    for title, key in (
        ("Honest scores", "honest_scores"),
        ("Permutation importance, holdout", "permutation_importance"),
    ):
        table = result.diagnostics.get(key)
        if isinstance(table, list) and table:
            _print_rows(title, table)
    for warning in result.warnings:
        stderr_console().print(f"[yellow]warning[/] {escape(warning)}", highlight=False)
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    out.print(f"{folder}: {', '.join(names)}", highlight=False, markup=False)


def _print_rows(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    names = list(rows[0])
    cells = [[row[name] for name in names] for row in rows[:SHOWN]]
    stdout_console().print(rows_table(names, cells, title=title))
