"""The role table: who needs which role where, whether it is there, and giving what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bikecast.core.errors import BikecastError
from resources.workspace import arm_roles, synapse_roles
from resources.workspace.azure_place import AzurePlace
from resources.workspace.principals import (
    AZURE_ML,
    ORCHESTRATOR,
    SPARK_COMPUTE,
    SYNAPSE,
    SYNAPSE_LINK,
    Holding,
    Principal,
)

#: What the identity needs inside the SQL pool: the tables of the schema, COPY INTO, and EXECUTE on
#: the whole database, without which there is no PREDICT.
GRANTS = (
    "CREATE USER [NAME] FROM EXTERNAL PROVIDER",
    "GRANT CREATE TABLE, CREATE PROCEDURE, ADMINISTER DATABASE BULK OPERATIONS TO [NAME]",
    "GRANT EXECUTE TO [NAME]",
    "GRANT ALTER, INSERT, SELECT, UPDATE, DELETE ON SCHEMA::dbo TO [NAME]",
)

#: Azure RBAC, or the access control of the Synapse workspace.
System = Literal["azure", "synapse"]
State = Literal["present", "missing", "unknown", "not needed yet"]


@dataclass(frozen=True)
class Need:
    """One line of the role table."""

    who: str
    role: str
    system: System
    scope: str
    why: str
    optional: bool = False
    """Whether the principal may not be there at all."""


@dataclass(frozen=True)
class RoleState:
    """What is known of one line; `command` mends it, `detail` says what is known."""

    need: Need
    principal: Principal
    state: State
    detail: str = ""
    command: str = ""


def role_table(place: AzurePlace, *, as_in_the_lab: bool = False) -> list[Need]:
    """What the product needs; `as_in_the_lab` adds what only the lab gives.

    Rights inside the SQL pool are T-SQL, not roles: see GRANTS.
    """
    ml, account, synapse = place.ml_workspace_id, place.account_id, place.synapse_id
    files = "Storage Blob Data Contributor"
    workspace = f"workspaces/{place.synapse_workspace}"
    spark = f"{workspace}/bigDataPools/{place.spark_pool}"
    needs = [
        Need(SYNAPSE, "Contributor", "azure", ml, "the link AzureML reads models with it"),
        Need(SYNAPSE, files, "azure", account, "COPY INTO and Spark"),
        Need(ORCHESTRATOR, files, "azure", account, "the files of the lake"),
        Need(ORCHESTRATOR, "AzureML Data Scientist", "azure", ml, "jobs and models"),
        Need(ORCHESTRATOR, "Contributor", "azure", place.sql_pool_id, "pause and resume"),
        Need(ORCHESTRATOR, "Reader", "azure", synapse, "the workspace and its pools"),
        Need(ORCHESTRATOR, "Synapse Compute Operator", "synapse", spark, "Livy batches"),
        Need(SPARK_COMPUTE, "Synapse Administrator", "synapse", spark, "its sessions", True),
        Need(
            SYNAPSE_LINK,
            "Apache Spark Administrator",
            "synapse",
            workspace,
            "sessions of SDK v1",
            True,
        ),
    ]
    if as_in_the_lab:
        needs += [
            Need(AZURE_ML, "Contributor", "azure", account, "datastores of the account"),
            Need(AZURE_ML, files, "azure", account, "data assets of the account"),
        ]
    return needs


def check(
    place: AzurePlace, principals: Mapping[str, Principal], *, as_in_the_lab: bool = False
) -> list[RoleState]:
    """The state of every line; one that cannot be seen never hides the others."""
    needs = role_table(place, as_in_the_lab=as_in_the_lab)
    return [_checked(place, need, principals[need.who]) for need in needs]


def grant(place: AzurePlace, state: RoleState) -> None:
    """Give one missing role. A role that somebody gave meanwhile is no error.

    Raises BikecastError where the caller may not, with the command for somebody who may.
    """
    need, principal = state.need, state.principal
    try:
        if need.system == "azure":
            arm_roles.assign(place.subscription_id, need.role, principal, need.scope)
        else:
            synapse_roles.assign(place.synapse_endpoint, need.role, principal, need.scope)
    except BikecastError as error:
        who = "Owner, User Access Administrator or Role Based Access Control Administrator there"
        if need.system == "synapse":
            who = "Synapse Administrator of the workspace"
        raise BikecastError(f"{error}\nThis needs {who}, who can run: {state.command}") from error


def missing(states: Sequence[RoleState]) -> list[RoleState]:
    """The lines that `grant` can mend."""
    return [each for each in states if each.state == "missing"]


def _checked(place: AzurePlace, need: Need, principal: Principal) -> RoleState:
    if not principal.id:
        state: State = "not needed yet" if need.optional else "unknown"
        return RoleState(need, principal, state, principal.problem)
    command = _command(place, need, principal)
    try:
        if need.system == "azure":
            held = arm_roles.holding(place.subscription_id, need.role, principal, need.scope)
        else:
            held = synapse_roles.holding(place.synapse_endpoint, need.role, principal, need.scope)
    except BikecastError as error:
        return RoleState(need, principal, "unknown", str(error), command)
    if held is None:
        return RoleState(need, principal, "missing", command=command)
    if held.group and need.system == "synapse":
        detail = (
            f"the group {held.group} has {held.role}; whether that counts: az ad group member "
            f"check --group {held.group} --member-id {principal.id}"
        )
        return RoleState(need, principal, "unknown", detail, command)
    return RoleState(need, principal, "present", _how(held, need))


def _how(held: Holding, need: Need) -> str:
    """How somebody came to a role, where it is not by the line of the table itself."""
    role = f"by {held.role}" if held.role != need.role else ""
    group = f"through the group {held.group}" if held.group else ""
    # The rest of a scope is long and known.
    parts = held.scope.rstrip("/").split("/")[-2:]
    above = f"from {'/'.join(parts) or '/'}" if held.scope.lower() != need.scope.lower() else ""
    return ", ".join(part for part in (role, above, group) if part)


def _command(place: AzurePlace, need: Need, principal: Principal) -> str:
    """The `az` command that gives the role."""
    who = f"--assignee-object-id {principal.id} --assignee-principal-type {principal.kind}"
    if need.system == "azure":
        return f'az role assignment create {who} --role "{need.role}" --scope {need.scope}'
    _, _, item = need.scope.partition("/bigDataPools/")
    there = f" --item-type bigDataPools --item {item}" if item else ""
    return (
        f"az synapse role assignment create --workspace-name {place.synapse_workspace} "
        f'--role "{need.role}" {who}{there}'
    )
