"""`bikecast plan`: what a run would do and cost, before it does."""

from __future__ import annotations

import sys
from dataclasses import asdict

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.cli.console import stdout_console
from pipelines.cli.tables import rows_table
from pipelines.cli.values import print_json
from pipelines.installation import open_installation
from pipelines.reports.plan import Plan, make_plan
from pipelines.settings import Settings, load_settings
from resources.lake.sources import SAMPLE


def plan_command(
    *, csv: str | None, forecast: str | None, budget: float | None, retrain: bool, as_json: bool
) -> None:
    """Print the plan; exit code 1 where it is beyond the limit."""
    settings = load_settings(csv=csv, forecast=forecast, budget=budget)
    if settings.env == "local":
        settings = with_sources(settings)
    with open_installation(settings) as here:
        plan = make_plan(
            here.instance,
            BIKE_RENTALS,
            here.resources,
            budget_seconds=settings.budget,
            retrain=retrain,
        )
    if as_json:
        told = asdict(plan) | {"total": plan.total, "within_limit": is_within_limit(plan)}
        print_json(told)
    else:
        print_plan(plan)
    if not is_within_limit(plan):
        sys.exit(1)


def with_sources(settings: Settings) -> Settings:
    """The settings of a run from the command line: the sample where nothing else is said."""
    return settings.model_copy(
        update={"csv": settings.csv or SAMPLE, "forecast": settings.forecast or SAMPLE}
    )


def is_within_limit(plan: Plan) -> bool:
    """Whether a run may start."""
    return plan.limit is None or plan.total <= plan.limit


def print_plan(plan: Plan) -> None:
    """Print the steps and the estimate."""
    out = stdout_console()
    rows = [[step.asset, step.action, step.why] for step in plan.steps]
    out.print(rows_table(["asset", "would", "because"], rows, title="A run would"))
    if not plan.currency:
        out.print("Nothing of it costs anything: it runs on this machine.", highlight=False)
        return
    costs = [[item.name, item.minutes, round(item.cost, 2), item.basis] for item in plan.costs]
    names = ["part", "minutes", plan.currency, "how"]
    out.print(rows_table(names, costs, title="Estimated cost"))
    limit = "" if plan.limit is None else f", of at most {plan.limit:g} (BIKECAST_COST_LIMIT)"
    out.print(f"Together {plan.total:.2f} {plan.currency}{limit}", highlight=False)
    if not is_within_limit(plan):
        out.print("Such a run is refused.", style="bold red", highlight=False)
    out.print("By the prices of BIKECAST_PRICES; the bill is Azure's.", highlight=False)
