"""`bikecast automl`: the embedded AutoML on any tabular CSV, with a live leaderboard."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import replaced_file
from bikecast.core.jobs import JobState, JobStatus
from pipelines.cli.output import Wide, print_table, rows_table, say, show, stderr_console

if TYPE_CHECKING:
    from rich.table import Table

    from bikecast.core.training import TrainingResult
    from bikecast.embedded.automl import Jobs, Tabular

POLL_SECONDS = 0.2
SHOWN = 12
_LIVE = ("trial", "score", "rmse", "seconds", "status")
_FINAL = ("trial", "score", "score_sd", "rmse", "r2", "ensemble_weight", "rows_per_second")
#: How the columns of a file become the model's inputs.
COLUMNS = "columns.json"
_FILES = ("model.onnx", "leaderboard.csv", "model-card.md", "scores.json")


def automl(
    csv: Annotated[Path, typer.Option(help="Any CSV with a header.", show_default=False)],
    target: Annotated[str, typer.Option(help="The number to predict.", show_default=False)],
    features: Annotated[
        str | None,
        typer.Option(help="Columns, separated by commas. Default: all.", show_default=False),
    ] = None,
    metric: Annotated[
        str, typer.Option(help="spearman_correlation, r2_score or a normalized error.")
    ] = "spearman_correlation",
    budget: Annotated[
        float,
        typer.Option(help="Seconds for the training at most; it ends when all is tried."),
    ] = 120.0,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for the results. Default: automl-NAME."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    allow: Annotated[str, typer.Option(help="Only these algorithms, such as LightGBM,Ridge.")] = "",
    block: Annotated[str, typer.Option(help="Not these algorithms.")] = "",
    max_trials: Annotated[
        int, typer.Option(min=0, help="Models that are tried at most; 0 for all.")
    ] = 0,
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="NAME=TYPE",
            help="Read a column as number, date, yes/no, text or ignore; number:, has a decimal "
            "comma, date:dmy begins with the day. May be repeated.",
            show_default=False,
        ),
    ] = None,
    best: Annotated[
        bool, typer.Option("--best", help="Take the best, not the simplest that is as good.")
    ] = False,
    wide: Wide = False,
) -> None:
    """Train the best model for one column of any CSV, with honest scores.

    What each column is read as is shown first; --type overrules it. Leaves model.onnx,
    leaderboard.csv, model-card.md, scores.json, columns.json and plots; `bikecast predict` scores
    other files with them. The same command on the same file trains nothing again; after Ctrl-C it
    goes on from the trials that are done.

    Examples: `bikecast automl --csv houses.csv --target price`,
    `bikecast automl --csv sales.csv --target units --features price,day --type shop=text`
    """
    from rich.markup import escape

    from bikecast.core.files import file_digest
    from bikecast.core.spec import TrainingSettings
    from bikecast.embedded.automl import Jobs, read_csv, tabular_data, train_table
    from pipelines.home import open_home
    from pipelines.settings import load_settings

    names = tuple(filter(None, (features or "").split(",")))
    if budget <= 0:
        raise InvalidInput(f"--budget is {budget:g}; it must be above 0 seconds.")
    try:
        training = TrainingSettings(
            experiment=csv.stem or "automl",
            primary_metric=metric,
            max_training_hours=budget / 3600,
            max_trials=max_trials,
            seed=seed,
            allowed_algorithms=tuple(filter(None, allow.split(","))),
            blocked_algorithms=tuple(filter(None, block.split(","))),
            prefer_simple=not best,
        )
    except ValueError as error:
        raise InvalidInput(f"{error}. Nothing was trained.") from error
    folder = output or Path(f"automl-{csv.stem}")
    settings = load_settings()
    texts = read_csv(csv, settings.max_table_mb << 20)
    inferred = tabular_data(
        texts.table,
        target=target,
        features=names,
        name=csv.name,
        training=training,
        types=_types(types or []),
    )
    columns = list(inferred.inferences[0])
    cells = [list(row.values()) for row in inferred.inferences]
    console = stderr_console()
    print_table(columns, cells, f"How {csv.name} is read", wide=wide, console=console)
    for note in (*texts.notes, *inferred.notes):
        stderr_console().print(f"[cyan]note[/] {escape(note)}", highlight=False)
    root = open_home(settings).root / "automl"
    jobs = Jobs(root / "jobs")
    status = train_table(
        jobs, inferred, lake_root=root, data_version=file_digest(csv), budget_seconds=budget
    )
    try:
        status = _watch(jobs, status)
    except KeyboardInterrupt:
        jobs.cancel(status.job_id)
        say("Stopped. The same command goes on from the trials that are done.")
        raise
    if status.state is not JobState.COMPLETED:
        text = f"{status.error}\n{folder} is unchanged."
        raise InvalidInput(text) if "Nothing was trained" in status.error else BikecastError(text)
    result = jobs.result(status.job_id)
    _leave(result, folder)
    with replaced_file(folder / COLUMNS) as path:
        path.write_text(json.dumps(inferred.columns_json(), indent=1), encoding="utf-8")
    _print(result, inferred, folder, wide=wide)


def _types(given: list[str]) -> dict[str, str]:
    """The types by column name, of `NAME=TYPE` each; a name may have an equals sign."""
    types = {}
    for text in given:
        name, mark, kind = text.rpartition("=")
        if not (mark and name and kind):
            raise InvalidInput(f"--type {text}: give NAME=TYPE. Nothing was trained.")
        types[name] = kind
    return types


def _watch(jobs: Jobs, status: JobStatus) -> JobStatus:
    """Poll the job to its end; a live table on a terminal, else a line for each better score."""
    from rich.live import Live

    console = stderr_console()
    if not console.is_terminal:
        best: object = None
        while not status.state.is_terminal:
            time.sleep(POLL_SECONDS)
            status = jobs.status(status.job_id)
            score = status.progress.get("best_score")
            if score not in (None, best):
                best = score
                say(_headline(status.progress))
        return status
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not status.state.is_terminal:
            live.update(_live_table(status.progress), refresh=True)
            time.sleep(POLL_SECONDS)
            status = jobs.status(status.job_id)
    return status


def _headline(progress: Mapping[str, object]) -> str:
    done, total = progress.get("trials_done") or 0, progress.get("trials_total") or "?"
    text = f"{progress.get('phase', 'queued')}, {done}/{total} trials"
    if progress.get("best_score") is not None:
        text += f", best {progress['best_score']} by {progress.get('best_trial')}"
    left = progress.get("seconds_left")
    return text + (f", {left:.0f} s of the budget left" if isinstance(left, (int, float)) else "")


def _live_table(progress: Mapping[str, object]) -> Table:
    leaderboard = progress.get("leaderboard")
    rows = leaderboard if isinstance(leaderboard, list) else []
    cells = [["" if row[name] is None else row[name] for name in _LIVE] for row in rows[:SHOWN]]
    return rows_table(_LIVE, cells, title=_headline(progress))


def _leave(result: TrainingResult, folder: Path) -> None:
    """Copy the files; each is replaced in one step."""
    source = result.model_path.parent
    names = [*_FILES, *(path.name for path in result.plots.values())]
    for name in names:
        with replaced_file(folder / name) as path:
            shutil.copyfile(source / name, path)


def _print(result: TrainingResult, inferred: Tabular, folder: Path, *, wide: bool) -> None:
    from rich.markup import escape

    leaders = result.leaders(SHOWN)
    cells = [["" if row[name] is None else row[name] for name in _FINAL] for row in leaders]
    metric = inferred.spec.training.primary_metric
    print_table(_FINAL, cells, f"Leaderboard ({metric}; more is better)", wide=wide)
    for title, key in (
        ("Honest scores", "honest_scores"),
        ("Permutation importance, holdout", "permutation_importance"),
    ):
        table = result.diagnostics.get(key)
        if isinstance(table, list) and table:
            names = list(table[0])
            cells = [[row[name] for name in names] for row in table[:SHOWN]]
            print_table(names, cells, title, wide=wide)
    for warning in result.warnings:
        stderr_console().print(f"[yellow]warning[/] {escape(warning)}", highlight=False)
    files = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    show(f"{folder}: {', '.join(files)}")
