"""`bikecast plan`: what a run would do and cost, before it does."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.file_options import RECOGNISED, FileFormat, with_file_options
from pipelines.cli.model_option import ModelOption
from pipelines.cli.output import Wide, print_json, print_table, stdout_console

if TYPE_CHECKING:
    from pipelines.reports.plan import Plan


@with_file_options
def plan(
    csv: Annotated[str | None, typer.Option(help="As for `bikecast run`.")] = None,
    forecast: Annotated[str | None, typer.Option(help="As for `bikecast run`.")] = None,
    budget: Annotated[
        float | None, typer.Option(min=1, max=86_400, help="As for `bikecast run`.")
    ] = None,
    retrain: Annotated[bool, typer.Option("--retrain", help="As for `bikecast run`.")] = False,
    file_format: FileFormat = RECOGNISED,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    wide: Wide = False,
) -> None:
    """Show what a run would do and cost in the current state; nothing is started.

    The files are read as a run reads them: exit code 2 where it would refuse them, and 1 where it
    may cost more than BIKECAST_COST_LIMIT, as such a run is refused too.
    """
    from pipelines.build import trained_by
    from pipelines.installation import open_installation
    from pipelines.model_files import load_models
    from pipelines.models import chosen_model
    from pipelines.reports.plan import make_plan
    from pipelines.settings import load_settings

    settings = load_settings(model=model, csv=csv, forecast=forecast, budget=budget, **file_format)
    models = load_models()
    spec = trained_by(chosen_model(models, settings.model).spec, settings)
    with open_installation(settings, models=models) as here:
        planned = make_plan(
            here.instance,
            spec,
            here.resources,
            budget_seconds=spec.training.max_training_hours * 3600,
            retrain=retrain,
        )
    if as_json:
        sums = {"total": planned.total, "within_limit": planned.is_within_limit}
        print_json(asdict(planned) | sums)
    else:
        print_plan(planned, wide=wide)
    if not planned.is_within_limit:
        sys.exit(1)


def print_plan(plan: Plan, *, wide: bool = False) -> None:
    """Print the steps and the estimate."""
    out = stdout_console()
    rows = [[step.asset, step.action, step.why] for step in plan.steps]
    print_table(["asset", "would", "because"], rows, "A run would", wide=wide)
    if not plan.currency:
        out.print("Nothing of it costs anything: it runs on this machine.", highlight=False)
        return
    costs = [[item.name, item.minutes, round(item.cost, 2), item.basis] for item in plan.costs]
    names = ["part", "minutes", plan.currency, "how"]
    print_table(names, costs, "Estimated cost", wide=wide)
    limit = "" if plan.limit is None else f", of at most {plan.limit:g} (BIKECAST_COST_LIMIT)"
    out.print(f"Together {plan.total:.2f} {plan.currency}{limit}", highlight=False)
    if not plan.is_within_limit:
        out.print("Such a run is refused.", style="bold red", highlight=False)
    out.print("By the prices of BIKECAST_PRICES; the bill is Azure's.", highlight=False)
