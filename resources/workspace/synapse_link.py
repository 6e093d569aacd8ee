"""The Azure ML workspace as linked service `AzureML` of the Synapse workspace."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from bikecast.core.errors import BikecastError, first_line
from resources.azure.credentials import azure_credential, client_options
from resources.azure.refusals import azure_errors
from resources.workspace.azure_place import AZUREML_LINK, AzurePlace
from resources.workspace.port import LinkedService, LinkRefused

if TYPE_CHECKING:
    from azure.synapse.artifacts import ArtifactsClient

#: The lab's text.
DESCRIPTION = "Azure Machine Learning service"
RUNTIME = "AutoResolveIntegrationRuntime"
#: Seconds that Synapse may take to create or delete a link.
LONGEST = 300


def link(place: AzurePlace) -> LinkedService:
    """Create the link, or set it right where it leads elsewhere; it is read back afterwards.

    Authentication is the Synapse workspace's system-assigned identity: a definition without
    "authentication": "MSI" fails later with error 9512.
    Raises LinkRefused without the Synapse role, BikecastError where it was not created.
    """
    from azure.synapse.artifacts.models import (
        AzureMLServiceLinkedService,
        IntegrationRuntimeReference,
    )

    existing = _read(place)
    if existing is not None and _is_ours(existing, place):
        return _described(place)
    # The SDK calls them JSON objects; plain texts are JSON too, and what Synapse Studio writes.
    names: dict[str, Any] = {
        "subscription_id": place.subscription_id,
        "resource_group_name": place.resource_group,
        "ml_workspace_name": place.ml_workspace,
        "authentication": "MSI",
    }
    properties = AzureMLServiceLinkedService(
        **names,
        description=DESCRIPTION,
        connect_via=IntegrationRuntimeReference(
            type="IntegrationRuntimeReference", reference_name=RUNTIME
        ),
    )
    with _failing("create"):
        client(place.synapse_endpoint).linked_service.begin_create_or_update_linked_service(
            AZUREML_LINK, properties
        ).result(LONGEST)
    # Synapse also accepts definitions that it then drops without an error.
    created = _read(place)
    if created is None or not _is_ours(created, place):
        raise BikecastError(
            f"Synapse accepted the linked service {AZUREML_LINK}, but does not show it. "
            "Look at it in Synapse Studio (Manage, Linked services), and run this again."
        )
    return _described(place)


def connection_problem(place: AzurePlace) -> str:
    """What keeps Synapse from using the link; empty where it can.

    Synapse Studio's own test is no public API, so this looks at what it needs: the link, the Azure
    ML workspace that it leads to, and the role of Synapse's identity there.
    Raises BikecastError where Azure refuses to say.
    """
    from resources.workspace import arm_roles
    from resources.workspace.principals import AZURE_ML, SYNAPSE, find_principals

    if find(place) is None:
        return f"there is no linked service {AZUREML_LINK}: bikecast link azureml"
    principals = find_principals(place, (AZURE_ML, SYNAPSE))
    for name in (AZURE_ML, SYNAPSE):
        if principals[name].problem:
            return f"{name}: {principals[name].problem}"
    role, scope = "Contributor", place.ml_workspace_id
    if arm_roles.holding(place.subscription_id, role, principals[SYNAPSE], scope) is None:
        return f"the Synapse workspace is no {role} of {place.ml_workspace}: bikecast roles apply"
    return ""


def find(place: AzurePlace) -> LinkedService | None:
    """The link, where it is there and leads to this Azure ML workspace."""
    existing = _read(place)
    return _described(place) if existing is not None and _is_ours(existing, place) else None


def unlink(place: AzurePlace) -> bool:
    """Delete the link; False where there was none."""
    if _read(place) is None:
        return False
    with _failing("delete"):
        client(place.synapse_endpoint).linked_service.begin_delete_linked_service(
            AZUREML_LINK
        ).result(LONGEST)
    return True


@cache
def client(endpoint: str) -> ArtifactsClient:
    """The client of a workspace's artifacts, one a process. Nothing is contacted here."""
    from azure.synapse.artifacts import ArtifactsClient

    return ArtifactsClient(azure_credential(), endpoint, **client_options())


def _read(place: AzurePlace) -> Any | None:
    from azure.core.exceptions import ResourceNotFoundError

    with _failing("read"), suppress(ResourceNotFoundError):
        service = client(place.synapse_endpoint).linked_service.get_linked_service(AZUREML_LINK)
        return service.properties if service is not None else None
    return None


def _is_ours(properties: Any, place: AzurePlace) -> bool:
    names = [
        getattr(properties, name, "")
        for name in ("subscription_id", "resource_group_name", "ml_workspace_name")
    ]
    wanted = [place.subscription_id, place.resource_group, place.ml_workspace]
    same = [str(text).lower() for text in names] == [text.lower() for text in wanted]
    return same and getattr(properties, "authentication", None) == "MSI"


def _described(place: AzurePlace) -> LinkedService:
    return LinkedService(AZUREML_LINK, place.ml_workspace_id, portal=place.synapse_portal)


def _failing(what: str) -> AbstractContextManager[None]:
    def reworded(error: Exception) -> BikecastError:
        text = f"cannot {what} the linked service {AZUREML_LINK} in Synapse: {first_line(error)}"
        if getattr(error, "status_code", None) in (401, 403):
            return LinkRefused(
                f"{text}\nThis needs a Synapse role: Synapse Administrator, or Synapse Contributor "
                "with Synapse Linked Data Manager. Nothing was changed."
            )
        return BikecastError(text)

    return azure_errors(reworded)
