"""Who needs roles: the identities of the workspaces, of the links, and of this process."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from bikecast.core.errors import BikecastError, first_line
from resources.azure.credentials import (
    MANAGEMENT_SCOPE,
    azure_credential,
    claims_of,
    client_options,
)
from resources.azure.ml_client import workspace_client
from resources.azure.refusals import azure_errors
from resources.workspace import azureml_v1, spark_compute
from resources.workspace.azure_place import AzurePlace


@dataclass(frozen=True)
class Principal:
    """One identity; without an `id` it is not there yet or cannot be seen, and `problem` says why.

    `kind` is ServicePrincipal (managed identities too), User, or empty.
    """

    id: str = ""
    kind: str = "ServicePrincipal"
    problem: str = ""


@dataclass(frozen=True)
class Holding:
    """A role that a principal has: its name, where it was given, and to which group, if to one."""

    role: str
    scope: str
    group: str = ""


def find_principals(
    place: AzurePlace, names: Collection[str] | None = None
) -> dict[str, Principal]:
    """Principals by their names in `PRINCIPALS`, all of them by default.

    One that fails never hides the others.
    """
    principals = {}
    for name in PRINCIPALS if names is None else names:
        try:
            principals[name] = PRINCIPALS[name](place)
        except (BikecastError, ValueError) as error:
            principals[name] = Principal(problem=str(error).splitlines()[0])
    return principals


def this_process() -> Principal:
    """The identity that is logged in here; raises BikecastError where there is none."""
    with _failing():
        claims = claims_of(azure_credential().get_token(MANAGEMENT_SCOPE).token)
    # Tokens of applications and managed identities have no user name in them.
    is_user = bool(claims.get("upn") or claims.get("unique_name") or claims.get("scp"))
    return Principal(str(claims["oid"]), "User" if is_user else "ServicePrincipal")


def _orchestrator(_: AzurePlace) -> Principal:
    return this_process()


def _synapse(place: AzurePlace) -> Principal:
    from azure.mgmt.synapse import SynapseManagementClient

    client = SynapseManagementClient(azure_credential(), place.subscription_id, **client_options())
    with _failing():
        workspace = client.workspaces.get(place.resource_group, place.synapse_workspace)
    return _managed(workspace.identity, "the Synapse workspace")


def _azure_ml(place: AzurePlace) -> Principal:
    client = workspace_client(place.subscription_id, place.resource_group, place.ml_workspace)
    with _failing():
        workspace = client.workspaces.get(place.ml_workspace)
    return _managed(workspace.identity if workspace else None, "the Azure ML workspace")


def _spark_compute(place: AzurePlace) -> Principal:
    compute = spark_compute.find(place)
    if compute is None:
        return Principal(problem="the Spark pool is not attached: bikecast link attach")
    if not compute.identity:
        return Principal(problem=f"the compute {compute.name} has no identity of its own")
    return Principal(compute.identity)


def _synapse_link(place: AzurePlace) -> Principal:
    for link in azureml_v1.linked(place):
        if link.target.lower() == place.synapse_id.lower():
            return Principal(link.identity)
    return Principal(problem="Synapse is not linked in Azure ML: bikecast link synapse (optional)")


def _failing() -> AbstractContextManager[None]:
    return azure_errors(lambda error: BikecastError(first_line(error)))


def _managed(identity: Any, whose: str) -> Principal:
    principal = getattr(identity, "principal_id", None)
    if not principal:
        return Principal(problem=f"{whose} has no system-assigned identity")
    return Principal(str(principal))


ORCHESTRATOR = "this process"
SYNAPSE = "Synapse workspace"
AZURE_ML = "Azure ML workspace"
SPARK_COMPUTE = "attached Spark pool"
SYNAPSE_LINK = "linked service of Synapse"
PRINCIPALS: dict[str, Callable[[AzurePlace], Principal]] = {
    ORCHESTRATOR: _orchestrator,
    SYNAPSE: _synapse,
    AZURE_ML: _azure_ml,
    SPARK_COMPUTE: _spark_compute,
    SYNAPSE_LINK: _synapse_link,
}
