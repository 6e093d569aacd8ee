"""`bikecast models`, `rollback` and `rescore`: the registered versions, and scoring by any."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bikecast.core.errors import InvalidInput
from pipelines.cli.model_option import ModelOption
from pipelines.cli.output import local_time, rows_table, say, show, stdout_console

if TYPE_CHECKING:
    from bikecast.core.spec import ModelSpec
    from pipelines.cli.progress import Progress
    from pipelines.environments import Resources
    from pipelines.installation import Installation
    from pipelines.settings import Settings


models = typer.Typer()


@models.callback(invoke_without_command=True)
def list_models(context: typer.Context, model: ModelOption = None) -> None:
    """List the registered model versions, newest first, with scores and the live one marked.

    All models are shown, or the one of `--model`.
    """
    if context.invoked_subcommand is not None:
        return
    from pipelines.environments import resources_for
    from pipelines.home import full_disk_explained, open_home
    from pipelines.model_files import load_models
    from pipelines.models import chosen_model
    from pipelines.settings import load_settings

    settings, there = load_settings(), load_models()
    shown = there if model is None and there else (chosen_model(there, model),)
    with full_disk_explained(open_home(settings)):
        resources = resources_for(settings, there)
        for each in shown:
            _print_models(resources, each.spec)


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
    first: Annotated[str, typer.Option("--from", help="First day (2013-01-01).")],
    last: Annotated[str, typer.Option("--to", help="Last day, included.")],
    version: Annotated[
        int | None,
        typer.Option(help="Model version. Default: the live one.", show_default=False),
    ] = None,
    model: ModelOption = None,
) -> None:
    """Score a range of days again, with the live model or any other version, in one run.

    The result is in the table of predictions by day, such as `dbo.predicted_rentals_by_day`. Days
    come from the forecast file, or from earlier ones.

    Example: `bikecast rescore --from 2013-01-01 --to 2013-01-10 --version 1`
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
    show(
        f"Scored {scored['dagster/partition_row_count']} rows of {first} to {last} with version "
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


def _print_models(here: Resources, spec: ModelSpec) -> None:
    """Print all versions; the live one is what the pool's procedure uses.

    A paused pool is not resumed for this: the registry's alias tells the version then.
    """
    from assets.live_model.live_model import ALIAS
    from bikecast.core.jobs import JobState
    from resources.sql_pool.model_table import audit_trail, live_model

    versions = here.registry.versions(spec.model_name)
    if not versions:
        say(
            f"{spec.name}: no model is registered yet. Start with: bikecast run --model {spec.name}"
        )
        return
    live = {version.version for version in versions if ALIAS in version.aliases}
    reasons: dict[int, str] = {}
    power = here.sql_pool_power.status()
    if power.state is JobState.COMPLETED:
        published = live_model(here.sql_pool, spec)
        live = {published.version} if published else set()
        for entry in audit_trail(here.sql_pool, spec):
            reasons.setdefault(entry.candidate, f"{entry.action}: {entry.reason}")
    else:
        say(f"The SQL pool is {power.progress['status']}: the live version is the registry's.")
    rows = [
        (
            version.version,
            "live" if version.version in live else "",
            local_time(version.created_at),
            version.scores.get("time_ordered_spearman"),
            version.scores.get("holdout_spearman"),
            version.scores.get("cv_spearman"),
            version.scores.get("holdout_rmse"),
            version.digest[:12],
            version.tags.get("data_version", "")[:12],
            version.job_id,
        )
        for version in versions
    ]
    scores = ("time-ordered", "holdout", "cv", "RMSE")
    names = ("version", "", "created", *scores, "digest", "data", "job")
    stdout_console().print(rows_table(names, rows, title=spec.model_name))
    for version in versions:
        if version.version in reasons:
            show(f"version {version.version}: {reasons[version.version]}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return "unknown"
