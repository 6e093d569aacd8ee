"""`bikecast azure up`, step by step; each may be repeated and takes what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bikecast.core.errors import BikecastError, InvalidInput
from pipelines.models import Model
from pipelines.provisioning import steps
from pipelines.provisioning.env_file import write_env
from pipelines.provisioning.steps import Say
from pipelines.settings import PROJECT, AzureSettings, Settings
from resources.costs.port import CostItem, Costs
from resources.provisioning import deployment, readiness
from resources.provisioning.deployment import Change
from resources.provisioning.names import TAG, Names, new_suffix
from resources.provisioning.readiness import is_ours
from resources.workspace.principals import Principal, this_process

ENV_FILE = PROJECT / ".env"
REGION = "westeurope"
#: What is metered while everything is paused, beside what an hour of work costs.
IDLE = (
    "the files of both storage accounts, by GB and month",
    "what the paused SQL pool stores, by TB and month",
    "logs of Azure ML, by GB taken in",
    "operations on storage and vault, by ten thousand",
)
CALCULATOR = "https://azure.microsoft.com/pricing/calculator"


@dataclass(frozen=True)
class Wishes:
    """What the command line says."""

    name: str = ""
    region: str = ""
    address: str = ""
    users: tuple[str, ...] = ()
    env_file: Path = ENV_FILE


@dataclass(frozen=True)
class Target:
    """One installation, and what is there of it."""

    names: Names
    caller: Principal
    group_is_there: bool
    doubts: list[str] = field(default_factory=list)


def find_names(subscription_id: str, name: str, region: str) -> tuple[Names, bool]:
    """The installation of this suffix, and whether its group is there.

    Without a suffix the one that has our tag, or a new one. Raises InvalidInput where several
    have it, and where the group is in another region or was not made by us.
    """
    region = region.replace(" ", "").lower()
    groups = {
        dict(each.tags or {}).get(TAG, ""): each for each in deployment.our_groups(subscription_id)
    }
    if not name and len(groups) > 1:
        raise InvalidInput(
            f"There are several installations: {', '.join(sorted(groups))}. Nothing was changed. "
            "Say which one: --name"
        )
    suffix = name or next(iter(groups), "") or new_suffix()
    try:
        wanted = Names(subscription_id=subscription_id, suffix=suffix, region=region or REGION)
    except ValueError:
        raise InvalidInput(
            f"--name {suffix} is no suffix: 3 to 10 lower-case letters and digits. "
            "Nothing was changed."
        ) from None
    group = deployment.find_group(subscription_id, wanted.group)
    if group is None:
        return wanted, False
    if not is_ours(group.tags, suffix):
        raise InvalidInput(
            f"The group {wanted.group} is there and has no tag {TAG}={suffix}: it is not ours. "
            "Nothing was changed. Take another --name."
        )
    there = str(group.location).replace(" ", "").lower()
    if region and region != there:
        raise InvalidInput(
            f"The group {wanted.group} is in {there}, not in {region}. Nothing was changed. "
            "Leave out --region, or take another --name."
        )
    return wanted.model_copy(update={"region": there}), True


def prepare(subscription_id: str, wishes: Wishes, say: Say, *, only_look: bool = False) -> Target:
    """Find the installation, register providers, and check all that can be checked before.

    With `only_look` no provider is registered.

    Raises BikecastError with every problem in one message; nothing was made then.
    """
    subscription_id = subscription_id or readiness.sole_subscription()
    names, there = find_names(subscription_id, wishes.name, wishes.region)
    caller = this_process()
    say(f"Subscription {subscription_id}, region {names.region}, group {names.group}")
    waiting = readiness.unregistered_providers(names)
    if waiting and only_look:
        say(f"Would be registered first: {', '.join(waiting)}; of sizes and quota they tell then.")
    elif waiting:
        readiness.register_providers(names, waiting, say)
    known = not (waiting and only_look)
    problems = readiness.problems(names, group_is_there=there, registered=known)
    if problems:
        raise BikecastError("Azure would refuse it; nothing was made:\n  " + "\n  ".join(problems))
    return Target(names, caller, there, readiness.doubts(names, caller))


def forecast(target: Target, wishes: Wishes) -> list[Change]:
    """What would be made or changed: by Azure's what-if where the group is there."""
    names = target.names
    if not target.group_is_there:
        made = [f"{kind}/{name}" for kind, name in names.resources()]
        return [Change("Create", each) for each in (f"resource group {names.group}", *made)]
    return deployment.what_if(names, _parameters(target, wishes))


def _parameters(target: Target, wishes: Wishes) -> dict[str, Any]:
    # A vault that is deployed again loses the access that Azure ML gave itself.
    there = target.group_is_there and deployment.vault_is_there(target.names)
    return deployment.parameters_of(
        target.names, target.caller, wishes.address, make_vault=not there
    )


def hour_of_work(costs: Costs) -> list[CostItem]:
    """An hour in which everything runs: Spark, a training on two nodes, the SQL pool."""
    return [costs.spark(60), costs.training(60, 2, spent=True), costs.sql_pool(60)]


def make(
    target: Target,
    wishes: Wishes,
    settings: Settings,
    model: Model,
    say: Say,
    report: Callable[[str, str], None],
) -> None:
    """Make everything, and write `.env` as soon as it is true.

    Raises BikecastError with the step that failed; a repetition goes on from there.
    """
    names = target.names
    if not target.group_is_there:
        deployment.make_group(names)
    parameters = _parameters(target, wishes)
    deployment.validate(names, parameters)
    with steps.pausing(names, say):
        outputs = deployment.deploy(names, parameters, report)
        values = names.settings | outputs
        write_env(wishes.env_file, values)
        say(f"Settings written to {wishes.env_file}, which only you can read")
        azure = AzureSettings(**values)  # type: ignore[arg-type]  # by their aliases
        steps.give_roles(azure, say)
        steps.link(azure, say)
        # The attached pool has an identity of its own only now.
        steps.give_roles(azure, say)
        steps.upload(azure, settings, model, say)
        steps.prepare_sql(names, azure, model, wishes.users, say)
