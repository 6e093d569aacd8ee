"""Before anything is made: providers, region, sizes, quota, names and rights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bikecast.core.errors import BikecastError, InvalidInput
from resources.provisioning import clients
from resources.provisioning.clients import (
    resource_client,
    storage_client,
    subscription_client,
    synapse_client,
    vault_client,
)
from resources.provisioning.deployment import read_template
from resources.provisioning.names import TAG, Names
from resources.provisioning.refusals import arm_errors
from resources.workspace import arm_roles
from resources.workspace.principals import Principal

PROVIDERS = (
    "Microsoft.Compute",
    "Microsoft.ContainerRegistry",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.MachineLearningServices",
    "Microsoft.OperationalInsights",
    "Microsoft.Sql",
    "Microsoft.Storage",
    "Microsoft.Synapse",
)
#: Registering takes a minute or two as a rule.
LONGEST_REGISTRATION = 900.0
#: What two nodes of serverless compute need for a training.
TRAINING_VCPUS = 8
_UNCHANGED = "Nothing was made."
_SQL_CAPABILITIES = "2021-11-01"
_ML_USAGES = "2023-10-01"
_ALL_VCPUS = "Total Cluster Dedicated Regional vCPUs"


def sole_subscription() -> str:
    """The id of the one subscription of this identity; raises InvalidInput where it has others."""
    with arm_errors("cannot list the subscriptions", _UNCHANGED):
        found = [each for each in subscription_client().subscriptions.list() if each.state]
    usable = [each for each in found if str(each.state).rpartition(".")[2] in _USABLE]
    if len(usable) == 1:
        return str(usable[0].subscription_id)
    listed = "\n  ".join(f"{each.subscription_id}  {each.display_name}" for each in usable)
    raise InvalidInput(
        f"This identity has {len(usable)} subscriptions that can be used. {_UNCHANGED} "
        f"Name one in AZURE_SUBSCRIPTION_ID:\n  {listed or 'none: az login'}"
    )


_USABLE = ("Enabled", "ENABLED", "Warned", "WARNED")


def unregistered_providers(names: Names) -> list[str]:
    """The providers that the subscription does not use yet."""
    providers = resource_client(names.subscription_id).providers
    with arm_errors("cannot read the resource providers", _UNCHANGED):
        return [name for name in PROVIDERS if not _is_registered(providers.get(name))]


def register_providers(names: Names, waiting: Sequence[str], say: Callable[[str], None]) -> None:
    """Register these providers, and wait until Azure says that they are."""
    providers = resource_client(names.subscription_id).providers
    begun = time.monotonic()
    with arm_errors("cannot register the resource providers", _UNCHANGED):
        for name in waiting:
            say(f"Registering {name}")
            providers.register(name)
        while waiting := [name for name in waiting if not _is_registered(providers.get(name))]:
            if time.monotonic() - begun > LONGEST_REGISTRATION:
                raise BikecastError(
                    f"Azure still registers {', '.join(waiting)}. {_UNCHANGED} Try again later."
                )
            time.sleep(clients.POLL_SECONDS)


def problems(names: Names, *, group_is_there: bool, registered: bool = True) -> list[str]:
    """What would make the deployment fail, as far as Azure says it before; empty where nothing.

    Of sizes and quota only `registered` providers tell, and names in a group are our own.
    """
    with arm_errors("cannot check the subscription", _UNCHANGED):
        return [
            *_of_the_region(names),
            *(_of_the_sizes(names) if registered else ()),
            *(_of_the_quota(names) if registered else ()),
            *(() if group_is_there else _of_the_names(names)),
        ]


def doubts(names: Names, caller: Principal) -> list[str]:
    """What may fail: rights by built-in roles are missing; a custom role may have them."""
    scope = f"/subscriptions/{names.subscription_id}"

    def has(role: str) -> bool:
        return arm_roles.holding(names.subscription_id, role, caller, scope) is not None

    if has("Owner") or (has("Contributor") and any(map(has, arm_roles.ROLE_GIVERS))):
        return []
    return [
        "The identity has neither Owner of the subscription, nor Contributor with a role that "
        "may give roles. A custom role may do; Azure says so when it validates."
    ]


def _of_the_region(names: Names) -> Iterator[str]:
    providers = resource_client(names.subscription_id).providers
    everywhere: set[str] | None = None
    missing = []
    types = {str(each["type"]) for each in read_template()["resources"] if "location" in each}
    for namespace in sorted({kind.partition("/")[0] for kind in types}):
        offered = {
            str(each.resource_type).lower(): {_plain(place) for place in each.locations or ()}
            for each in providers.get(namespace).resource_types or ()
        }
        for kind in sorted(each for each in types if each.startswith(f"{namespace}/")):
            regions = offered.get(kind.partition("/")[2].lower())
            if not regions:
                continue
            everywhere = regions if everywhere is None else everywhere & regions
            if _plain(names.region) not in regions:
                missing.append(kind)
    if missing:
        others = ", ".join(sorted(everywhere or ())) or "none"
        yield (
            f"The region {names.region} has no {', '.join(missing)}. Regions that have all: "
            f"{others}: --region"
        )


def _of_the_sizes(names: Names) -> Iterator[str]:
    """Whether the region sells the SQL pool's size, as the lab's script asks too."""
    size = str(read_template()["parameters"]["sqlPoolSize"]["defaultValue"])
    place = f"/providers/Microsoft.Sql/locations/{names.region}/capabilities"
    told = _raw(names, place, _SQL_CAPABILITIES)
    states = {
        str(level.get("name")): str(level.get("status"))
        for version in told.get("supportedServerVersions") or ()
        for edition in version.get("supportedEditions") or ()
        for level in edition.get("supportedServiceLevelObjectives") or ()
    }
    state = states.get(size, "not offered")
    if told.get("status", "Available") not in ("Available", "Default"):
        yield f"The region {names.region} takes no new SQL: {told.get('reason')}. --region"
    elif state not in ("Available", "Default"):
        yield f"The SQL pool's size {size} is {state} in {names.region}: --region"


def _of_the_quota(names: Names) -> Iterator[str]:
    """Whether a training finds its nodes; Synapse tells of its vCores only when it refuses."""
    place = f"/providers/Microsoft.MachineLearningServices/locations/{names.region}/usages"
    for each in _raw(names, place, _ML_USAGES).get("value") or ():
        if (each.get("name") or {}).get("value") == _ALL_VCPUS:
            left = int(each["limit"]) - int(each["currentValue"])
            if left < TRAINING_VCPUS:
                yield (
                    f"Azure ML has {left} of the {TRAINING_VCPUS} vCPUs left that a training needs "
                    f"in {names.region}: ask for quota (Azure ML studio, Quota), or --region"
                )


def _of_the_names(names: Names) -> Iterator[str]:
    """Names that are taken all over Azure."""
    deleted = deleted_vault(names)
    if deleted is not None:
        yield (
            f"The vault {names.vault} was deleted and is kept for a while. `bikecast azure down "
            f"--name {names.suffix}` purges it if it is ours; or take another --name"
        )
    storage = storage_client(names.subscription_id).storage_accounts
    for name in (names.lake, names.store):
        asked: Any = {"name": name, "type": _ACCOUNT}
        account = storage.check_name_availability(asked)
        if not account.name_available:
            yield _taken(name, account.reason, account.message)
    workspace = synapse_client(names.subscription_id).operations.check_name_availability(
        _asked(names.synapse, "Microsoft.Synapse/workspaces")
    )
    if not workspace.available:
        yield _taken(names.synapse, workspace.reason, workspace.message)
    asked = {"name": names.vault, "type": "Microsoft.KeyVault/vaults"}
    vault = vault_client(names.subscription_id).vaults.check_name_availability(asked)
    if not vault.name_available and deleted is None:
        yield _taken(names.vault, vault.reason, vault.message)


_ACCOUNT = "Microsoft.Storage/storageAccounts"


def deleted_vault(names: Names) -> Any | None:
    """Our vault's name among the soft-deleted ones of the subscription, whoever deleted it."""
    vaults = vault_client(names.subscription_id).vaults
    with arm_errors("cannot list the deleted vaults", "Nothing was changed."):
        return next((each for each in vaults.list_deleted() if each.name == names.vault), None)


def is_ours(tags: Any, suffix: str) -> bool:
    """Whether something has our tag with this suffix."""
    return dict(tags or {}).get(TAG) == suffix


def _asked(name: str, kind: str) -> Any:
    from azure.mgmt.synapse.models import CheckNameAvailabilityRequest

    return CheckNameAvailabilityRequest(name=name, type=kind)


def _taken(name: str, reason: Any, message: Any) -> str:
    text = f"The name {name} cannot be had ({getattr(reason, 'value', reason)}): {message}"
    return f"{text.rstrip('.')}. Take another --name"


def _is_registered(provider: Any) -> bool:
    return str(provider.registration_state) == "Registered"


def _plain(region: str) -> str:
    """A region's name as ids have it: `West Europe` is westeurope."""
    return region.replace(" ", "").lower()


def _raw(names: Names, place: str, version: str) -> dict[str, Any]:
    """An answer of ARM as it is; the client's own models do not have its fields."""
    answer: Any = resource_client(names.subscription_id).resources.get_by_id(
        f"/subscriptions/{names.subscription_id}{place}",
        version,
        cls=lambda response, _body, _headers: response.http_response.json(),
    )
    found: dict[str, Any] = answer
    return found
