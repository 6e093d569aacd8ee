"""Azure's refusals in words for people: what it refused, why, and the command that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from urllib.parse import urlsplit

from bikecast.core.errors import BikecastError, first_line
from resources.azure.credentials import MANAGEMENT_SCOPE, azure_credential, claims_of

#: Roles of Synapse's own access control, which `az role` does not know.
SYNAPSE_ROLES = ("Synapse Compute Operator", "Synapse Administrator")


@contextmanager
def azure_errors(reworded: Callable[[Exception], BikecastError]) -> Iterator[None]:
    """Raise what `reworded` makes of any error of an Azure client inside."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise reworded(error) from error


def azure_failures(what: str) -> AbstractContextManager[None]:
    """Raise BikecastError, `what` and the reason, for any error of an Azure client inside."""
    return azure_errors(lambda error: BikecastError(f"{what}: {first_line(error)}"))


def refused_by_azure(
    what: str, *, role: str, scope: str, unchanged: str = ""
) -> AbstractContextManager[None]:
    """Raise BikecastError for any error of an Azure client inside.

    `what` says what was tried, `role` the role that it needs on `scope` (a resource id, or the
    name of a Synapse workspace for Synapse's own roles), `unchanged` what is as it was.
    """
    return azure_errors(
        lambda error: refusal(error, what, role=role, scope=scope, unchanged=unchanged)
    )


def refusal(
    error: Exception, what: str, *, role: str, scope: str, unchanged: str = ""
) -> BikecastError:
    """An error of an Azure client in words, with its remedy; see `refused_by_azure`."""
    problem = f"{what}: {first_line(error)}"
    parts = (problem.rstrip("."), unchanged.rstrip("."), remedy_of(error, role, scope))
    return BikecastError(". ".join(part for part in parts if part))


def role_command(role: str, scope: str) -> str:
    """The command that gives the identity of this process a role."""
    if role in SYNAPSE_ROLES:
        return (
            f'az synapse role assignment create --workspace-name {scope} --role "{role}" '
            f"--assignee {_identity()}"
        )
    return f'az role assignment create --assignee {_identity()} --role "{role}" --scope {scope}'


def account_id(name: str) -> str:
    """A storage account's resource id as a shell substitutes it: its group may be any."""
    return f"$(az storage account show --name {name} --query id -o tsv)"


def remedy_of(error: Exception, role: str, scope: str) -> str:
    """What to do about an error of an Azure client; empty where nothing general helps."""
    from azure.core.exceptions import (
        ClientAuthenticationError,
        HttpResponseError,
        ServiceRequestError,
        ServiceResponseError,
    )

    status = error.status_code if isinstance(error, HttpResponseError) else None
    if status == 403:
        remedy = f'The identity needs the role "{role}": {role_command(role, scope)}'
        return f"{remedy}. {_firewall(error)}".removesuffix(". ")
    if status == 401 or isinstance(error, ClientAuthenticationError):
        return (
            "The login was refused or has expired: `az login`, or correct AZURE_CLIENT_ID, "
            "AZURE_CLIENT_SECRET and AZURE_TENANT_ID; AZURE_TOKEN_CREDENTIALS says which of them "
            "is used. Look at this machine's clock too"
        )
    if status == 429 or (status is not None and status >= 500):
        return "That was tried several times; the service is busy or ill, so run again later"
    if isinstance(error, (ServiceRequestError, ServiceResponseError)):
        return "There was no answer, after several attempts: look at the network, then run again"
    return ""


def _firewall(error: Exception) -> str:
    """What else a storage account's AuthorizationFailure means: its firewall; else empty.

    A missing role can have the same code; AuthorizationPermissionMismatch is always the role.
    """
    response = getattr(error, "response", None)
    url = str(getattr(getattr(response, "request", None), "url", ""))
    host = urlsplit(url).hostname or ""
    code = getattr(response, "headers", {}).get("x-ms-error-code", "")
    if not host.endswith(".core.windows.net") or code != "AuthorizationFailure":
        return ""
    account = host.partition(".")[0]
    return (
        f"Or the firewall of {account} keeps this machine out: az storage account show --name "
        f"{account} --query networkRuleSet; then az storage account network-rule add "
        f"--account-name {account} --ip-address ADDRESS"
    )


def _identity() -> str:
    """The object id of the identity that is logged in, for commands; a mark where unknown."""
    with suppress(Exception):
        return str(claims_of(azure_credential().get_token(MANAGEMENT_SCOPE).token)["oid"])
    return "OBJECT_ID"
