"""Taking an installation away: only what has our tag, and all of it, soft-deleted parts too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bikecast.core.errors import InvalidInput
from resources.provisioning import clients
from resources.provisioning.clients import lock_client, resource_client, vault_client
from resources.provisioning.deployment import find_group
from resources.provisioning.names import TAG, Names
from resources.provisioning.readiness import deleted_vault, is_ours
from resources.provisioning.refusals import arm_errors

_ML = "microsoft.machinelearningservices/workspaces"
#: The type and the names of the image registry that Azure ML itself makes for a workspace.
_REGISTRY, _REGISTRY_NAME = "microsoft.containerregistry/registries", re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Part:
    """One resource of the group."""

    id: str
    kind: str
    name: str
    state: str
    is_ours: bool


@dataclass(frozen=True)
class Removal:
    """What `remove` would take away."""

    names: Names
    group_is_there: bool
    parts: tuple[Part, ...]
    vault_is_deleted: bool
    """Whether our vault is among the soft-deleted ones, to be purged."""

    @property
    def ids(self) -> set[str]:
        """The resources that it is about."""
        return {part.id for part in self.parts}


def parts_of(names: Names) -> list[Part]:
    """The resources of the group, with whose they are.

    Ours are those with our tag, and what Azure made beside them by itself.
    """
    resources = resource_client(names.subscription_id).resources
    with arm_errors(f"cannot list the resources of {names.group}", "Nothing was changed."):
        listed = list(resources.list_by_resource_group(names.group, expand="provisioningState"))
    parts = [
        Part(
            str(each.id),
            str(each.type),
            str(each.name),
            str(each.provisioning_state or ""),
            is_ours(each.tags, names.suffix) or _is_by_product(each, names),
        )
        for each in listed
    ]
    registry = _registry_of_machine_learning(names, parts)
    return [replace(each, is_ours=each.is_ours or each.id.lower() == registry) for each in parts]


def _registry_of_machine_learning(names: Names, parts: Sequence[Part]) -> str | None:
    """Id in lower case of the registry that Azure ML made when it first built an image.

    It has no tag of ours. It is the one that our workspace names as its own and whose name is 32
    hexadecimal digits, as Azure ML gives it; one of another name was put there by somebody.
    """
    from resources.azure.ml_client import workspace_client

    candidates = [
        each.id.lower()
        for each in parts
        if each.kind.lower() == _REGISTRY and _REGISTRY_NAME.fullmatch(each.name)
    ]
    workspaces = [part.name for part in parts if part.kind.lower() == _ML and part.is_ours]
    for workspace in workspaces if candidates else ():
        client = workspace_client(names.subscription_id, names.group, workspace)
        with arm_errors(f"cannot ask for the workspace {workspace}", "Nothing was changed."):
            registry = str(client.workspaces.get(workspace).container_registry or "").lower()
        if registry in candidates:
            return registry
    return None


def left_suffixes(subscription_id: str) -> list[str]:
    """The suffixes of our soft-deleted vaults: a deletion broke off before it purged them."""
    with arm_errors("cannot list the deleted vaults", "Nothing was changed."):
        vaults = list(vault_client(subscription_id).vaults.list_deleted())
    suffixes = [(str(each.name), dict(each.properties.tags or {}).get(TAG)) for each in vaults]
    return sorted(suffix for name, suffix in suffixes if suffix and name == f"vault{suffix}")


def plan_removal(names: Names) -> Removal:
    """Look at what is there, and refuse what is not ours to delete.

    Raises InvalidInput for a group without our tag, with resources of others, or with locks.
    """
    group = find_group(names.subscription_id, names.group)
    deleted = deleted_vault(names)
    vault = deleted is not None and is_ours(deleted.properties.tags, names.suffix)
    if group is None:
        return Removal(names, False, (), vault)
    if not is_ours(group.tags, names.suffix):
        raise InvalidInput(
            f"The group {names.group} has no tag {TAG}={names.suffix}: `bikecast azure up` did "
            "not make it. Nothing was deleted."
        )
    parts = parts_of(names)
    others = [f"{each.kind}/{each.name}" for each in parts if not each.is_ours]
    if others:
        raise InvalidInput(
            f"In {names.group} are resources that `bikecast azure up` did not make. Nothing was "
            "deleted. Move them to another group, or delete them yourself, then run this again:\n  "
            + "\n  ".join(others)
        )
    locks = list(_locks(names))
    if locks:
        raise InvalidInput(
            f"Locks keep {names.group} from being deleted. Nothing was deleted. Ask who set them, "
            "then:\n  " + "\n  ".join(f"az lock delete --ids {lock}" for lock in locks)
        )
    return Removal(names, True, tuple(parts), vault)


def remove(removal: Removal, say: Callable[[str], None]) -> None:
    """Delete the group and purge what Azure keeps; raises BikecastError with what is left.

    Azure ML's workspace goes first, because only a deletion of its own is final.
    """
    names = removal.names
    left = f"What is left: az resource list -g {names.group} -o table. Run this again to go on."
    workspaces = [part for part in removal.parts if part.kind.lower() == _ML and part.is_ours]
    with arm_errors("The deletion failed", left):
        for part in workspaces:
            say(f"Deleting the Azure ML workspace {part.name} for good")
            _delete_workspace(names, part.name)
        if removal.group_is_there:
            say(f"Deleting the group {names.group}")
            _delete_group(names, say)
        deleted = deleted_vault(names)
        if deleted is not None and is_ours(deleted.properties.tags, names.suffix):
            say(f"Purging the vault {names.vault}")
            vault_client(names.subscription_id).vaults.begin_purge_deleted(
                names.vault, deleted.properties.location, polling_interval=clients.POLL_SECONDS
            ).result()


def _delete_workspace(names: Names, workspace: str) -> None:
    """Permanently: a soft-deleted workspace would keep its name and its storage in use."""
    from resources.azure.ml_client import workspace_client

    client = workspace_client(names.subscription_id, names.group, workspace)
    options: Any = {"polling_interval": clients.POLL_SECONDS}
    client.workspaces.begin_delete(
        workspace, delete_dependent_resources=False, permanently_delete=True, **options
    ).result()


def _delete_group(names: Names, say: Callable[[str], None]) -> None:
    client = resource_client(names.subscription_id)
    poller = client.resource_groups.begin_delete(names.group, polling_interval=clients.POLL_SECONDS)
    before: set[str] = set()
    while not poller.done():
        poller.wait(clients.POLL_SECONDS)
        there = set(_remaining(names))
        for gone in sorted(before - there):
            say(f"  deleted {gone}")
        before = there
    poller.result()


def _remaining(names: Names) -> Iterator[str]:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        for each in resource_client(names.subscription_id).resources.list_by_resource_group(
            names.group
        ):
            yield f"{each.type}/{each.name}"
    except ResourceNotFoundError:
        return


def _locks(names: Names) -> Iterator[str]:
    locks = lock_client(names.subscription_id).management_locks
    with arm_errors("cannot look for locks", "Nothing was deleted."):
        for each in locks.list_at_resource_group_level(names.group):
            yield str(each.id)


def _is_by_product(resource: Any, names: Names) -> bool:
    """Whether Azure itself put it beside our Application Insights."""
    kind, name = str(resource.type).lower(), str(resource.name).lower()
    return (kind, name) in (
        ("microsoft.insights/actiongroups", "application insights smart detection"),
        (
            "microsoft.alertsmanagement/smartdetectoralertrules",
            f"failure anomalies - {names.insights}",
        ),
    )
