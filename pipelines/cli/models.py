"""`bikecast models`, `rollback` and `rescore`: the registered versions, and scoring by any."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bikecast.core.errors import InvalidInput
from pipelines.cli.model_option import ModelOption
from pipelines.cli.output import (
    Wide,
    local_time,
    print_facts,
    print_json,
    print_rows,
    print_table,
    say,
    show,
)

if TYPE_CHECKING:
    from bikecast.core.spec import ModelSpec
    from pipelines.cli.progress import Progress
    from pipelines.environments import Resources
    from pipelines.installation import Installation
    from pipelines.reports.versions import VersionReport
    from pipelines.settings import Settings

#: Scores of the table of versions, by what its columns are named.
_SHOWN_SCORES = {
    "time_ordered_spearman": "time-ordered",
    "holdout_spearman": "holdout",
    "cv_spearman": "cv",
    "holdout_rmse": "RMSE",
}

models = typer.Typer()


@models.callback(invoke_without_command=True)
def list_models(
    context: typer.Context,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
    wide: Wide = False,
) -> None:
    """List the registered model versions, newest first, with scores and the live one marked.

    All models are shown, or the one of `--model`.
    """
    if context.invoked_subcommand is not None:
        return
    from pipelines.installation import open_view
    from pipelines.reports.versions import version_reports
    from pipelines.settings import load_settings

    with open_view(load_settings()) as here:
        shown = here.models if model is None and here.models else (here.model(model),)
        found = [(each.spec, *version_reports(here.resources, each.spec)) for each in shown]
    if as_json:
        print_json([asdict(report) for _, reports, _ in found for report in reports])
        return
    for spec, reports, note in found:
        if note:
            say(note)
        _print_models(spec, reports, wide=wide)


@models.command("show")
def show_model(
    version: Annotated[int, typer.Argument(help="A version that `bikecast models` lists.")],
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    wide: Wide = False,
) -> None:
    """Show one version: all scores, what it was trained from, and what was decided about it."""
    from pipelines.cli.report import by_kind, print_scores
    from pipelines.reports.versions import version_report

    with _registered(model) as (resources, spec):
        report = version_report(resources, spec, version)
    if as_json:
        print_json(asdict(report))
        return
    facts = asdict(report)
    scores, decisions = facts.pop("scores"), facts.pop("decisions")
    print_facts(
        f"Version {version} of {facts.pop('model')}",
        {name.replace("_", " "): value for name, value in facts.items() if value != ""},
    )
    print_scores(by_kind(scores), "Scores", wide=wide)
    print_rows("What was decided about it", decisions, wide=wide)


@models.command("compare")
def compare_models(
    old: Annotated[int, typer.Argument(metavar="A", help="A version.")],
    new: Annotated[int, typer.Argument(metavar="B", help="Another one, measured against A.")],
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    wide: Wide = False,
) -> None:
    """Compare two versions on the latest rows of the training table, as a promotion does.

    Both are scored again on the same rows; nothing is changed.
    """
    from pipelines.reports.versions import compared

    with _registered(model) as (resources, spec):
        comparison = compared(resources, spec, old, new)
    if as_json:
        print_json(comparison)
    else:
        _print_comparison(spec, comparison, wide=wide)


@contextmanager
def _registered(model: str | None) -> Iterator[tuple[Resources, ModelSpec]]:
    """The resources and the chosen model, for a look at its versions."""
    from pipelines.installation import open_view
    from pipelines.settings import load_settings

    settings = load_settings(model=model)
    with open_view(settings) as here:
        yield here.resources, here.model(settings.model).spec


@models.command("export")
def export_model(
    what: Annotated[
        str, typer.Argument(metavar="NAME[@VERSION]", help="Model, and version if not the live one")
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File.  [default: NAME-VERSION.zip]"),
    ] = None,
) -> None:
    """Write a registered version to one file, for another installation.

    It holds model.onnx, the model card, scores, data version and digest.
    """
    from pipelines.environments import resources_for
    from pipelines.home import full_disk_explained, open_home
    from pipelines.model_files import load_models
    from pipelines.models import chosen_model
    from pipelines.portable import export_version, exported
    from pipelines.settings import load_settings

    name, _, number = what.partition("@")
    if "@" in what and not number.isdigit():
        raise InvalidInput(f"{what!r} is not NAME or NAME@VERSION. Nothing was written.")
    settings, there = load_settings(), load_models()
    spec = chosen_model(there, name).spec
    with full_disk_explained(open_home(settings)):
        resources = resources_for(settings, there)
        version = int(number) if number else None
        entry = exported(resources, spec, version)
        path = output or Path(f"{name}-{entry.version}.zip")
        export_version(resources, spec, entry, path)
    show(f"Wrote {path}: version {entry.version} of {spec.model_name}.")
    say(f"In the other installation: bikecast models import {path} --model {name}")


@models.command("import")
def import_model(
    file: Annotated[Path, typer.Argument(help="A file of `bikecast models export`.")],
    model: ModelOption = None,
) -> None:
    """Register a version from a file, a candidate like any other. The live one stays.

    The same file twice is one version.
    """
    from pipelines.installation import open_installation
    from pipelines.portable import import_version
    from pipelines.settings import load_settings

    settings = load_settings(model=model)
    with open_installation(settings) as here:
        spec = here.model(settings.model).spec
        version, is_new = import_version(here.instance, here.resources, spec, file)
    done = "Registered" if is_new else "Registered before"
    show(
        f"{done}: version {version} of {spec.model_name}. The live version is unchanged.\n"
        f"Next: materialize {spec.model_table}_table, which compares it with the live one;\n"
        f"      bikecast rollback {version} --model {spec.name}   makes it live as it is"
    )


def rollback(
    version: Annotated[
        int | None,
        typer.Argument(
            help="Version to make live. Default: the one that was live before.", show_default=False
        ),
    ] = None,
    model: ModelOption = None,
) -> None:
    """Make an earlier model version live again, in one step, with an audit row.

    The next scoring uses it. It stays live until a newer version wins, or until
    `bikecast rollback VERSION` names another one. `bikecast models` lists the versions.
    """
    from pipelines.in_process.main_job import run_rollback
    from pipelines.model_files import load_models
    from pipelines.models import chosen_model
    from pipelines.settings import load_settings

    settings = load_settings(model=model)
    spec = chosen_model(load_models(), settings.model).spec
    note = f"rollback of {spec.name}: version {version or 'before the live one'}"
    with _online(settings, spec, note) as (here, progress):
        change = run_rollback(here, spec, progress, version=version, actor=_user())
    show(
        f"Live: version {change['version']} of {spec.model_name} ({change['reason']}).\n"
        "The stored predictions are still those of the other version. "
        f"Next: bikecast run --model {spec.name}, or the job `{spec.named('score')}`."
    )


def rescore(
    first: Annotated[
        str, typer.Option("--from", help="First day (2013-01-01), or number of a row.")
    ],
    last: Annotated[str, typer.Option("--to", help="Last day or row, included.")],
    version: Annotated[
        int | None,
        typer.Option(help="Model version. Default: the live one.", show_default=False),
    ] = None,
    model: ModelOption = None,
) -> None:
    """Score a range of days again, with the live model or any other version, in one run.

    The result is in the table of predictions by day, such as `dbo.predicted_rentals_by_day`. Days
    come from the forecast file, or from earlier ones. Rows of a model without days go by their
    numbers, into a table that holds the last range, such as `dbo.predicted_coffee_rescored`.

    Examples: `bikecast rescore --from 2013-01-01 --to 2013-01-10 --version 1`,
    `bikecast rescore --model coffee --from 1 --to 10`
    """
    from pipelines.in_process.rescoring import check_range, run_rescoring
    from pipelines.model_files import load_models
    from pipelines.models import chosen_model
    from pipelines.settings import load_settings

    settings = load_settings(model=model, daily_partitions=True)
    spec = chosen_model(load_models(), settings.model).spec
    check_range(spec, first, last)
    note = f"rescore of {spec.name}: {first} to {last}, version {version or 'live'}"
    with _online(settings, spec, note) as (here, progress):
        scored = run_rescoring(here, spec, progress, first=first, last=last, version=version)
    rows = scored.get("dagster/partition_row_count", scored.get("dagster/row_count"))
    show(
        f"Scored {rows} rows of {first} to {last} with version "
        f"{scored['model_version']}: {scored['dagster/table_name']}."
    )


@contextmanager
def _online(
    settings: Settings, spec: ModelSpec, note: str
) -> Iterator[tuple[Installation, Progress]]:
    """The installation with its pool online, and the progress of its runs; the log has the note."""
    from pipelines.cli.online import online_pool
    from pipelines.cli.progress import Progress
    from pipelines.installation import open_installation
    from pipelines.logs import open_log

    with Progress(spec) as progress, open_installation(settings) as here:
        open_log(here.home).info(note)
        with online_pool(here.resources.sql_pool_power, here.instance):
            yield here, progress


def _print_models(spec: ModelSpec, reports: Sequence[VersionReport], *, wide: bool) -> None:
    """Print all versions as a table, and why the last decision about each was made.

    It fits into 80 columns; `models show` and --json have the rest.
    """
    if not reports:
        say(
            f"{spec.name}: no model is registered yet. Start with: bikecast run --model {spec.name}"
        )
        return
    rows = [
        (
            each.version,
            "live" if each.live else "",
            local_time(each.created_at),
            *(each.scores.get(name) for name in _SHOWN_SCORES),
            each.data_version[:7],
        )
        for each in reports
    ]
    names = ("version", "", "created", *_SHOWN_SCORES.values(), "data")
    title = f"{spec.model_name}: Spearman by kind of score, RMSE of the holdout"
    print_table(names, rows, title, wide=wide)
    for each in reports:
        if each.decisions:
            last = each.decisions[0]
            show(f"version {each.version}: {last['action']}: {last['why']}")


def _print_comparison(spec: ModelSpec, compared: Mapping[str, Any], *, wide: bool) -> None:
    """Print RMSE, the interval of the gain and the segments."""
    old, new = compared["versions"]
    rows = [
        [f"version {old}", compared["champion_rmse"]],
        [f"version {new}", compared["challenger_rmse"]],
        [f"gain of version {new}", compared["gain"]],
    ]
    title = f"{spec.model_name}: RMSE on the latest {compared['rows']:,} rows"
    print_table(["", f"RMSE of {spec.target.name}"], rows, title, wide=wide)
    show(f"95% interval of the gain: {compared['low']:.5g} to {compared['high']:.5g}")
    if compared["segments"]:
        names = ["feature", "value", "rows", f"version {old}", f"version {new}"]
        keys = ["feature", "value", "rows", "champion_rmse", "challenger_rmse"]
        cells = [[segment[key] for key in keys] for segment in compared["segments"]]
        print_table(names, cells, "RMSE by segment", wide=wide)
    verdict = "no better and no worse, beyond noise, than"
    if compared["is_better"] or compared["is_worse"]:
        verdict = "better than" if compared["is_better"] else "worse than"
    show(f"Version {new} is {verdict} version {old}.")
    if compared["is_flattered"]:
        show("One has seen some of these rows, and its error on rows held back is not known.")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return "unknown"
