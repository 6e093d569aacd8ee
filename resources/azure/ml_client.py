"""The Azure ML workspace that AutoML, Spark jobs and the registry share, and its datastores."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from resources.azure.credentials import TIMEOUTS, azure_credential, client_options

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import AzureBlobDatastore
    from azure.storage.blob import ContainerClient


@cache
def workspace_client(subscription_id: str, resource_group: str, workspace: str) -> MLClient:
    """The process's client of a workspace; nothing is contacted here."""
    import logging

    from azure.ai.ml import MLClient

    # Each class that Microsoft calls experimental would be a warning, once a process.
    logging.getLogger("azure.ai.ml._utils._experimental").setLevel(logging.ERROR)
    return MLClient(
        azure_credential(),
        subscription_id,
        resource_group,
        workspace,
        enable_telemetry=False,
        show_progress=False,
        **client_options(),
    )


def blob_container(store: AzureBlobDatastore) -> ContainerClient:
    """The container of a datastore that was read with its secrets.

    By the datastore's own key or token, else by this process's credential.
    """
    from azure.storage.blob import ContainerClient

    own = store.credentials
    secret = getattr(own, "sas_token", None) or getattr(own, "account_key", None)
    return ContainerClient(
        f"{store.protocol}://{store.account_name}.blob.{store.endpoint}",
        store.container_name,
        credential=secret or azure_credential(),
        **TIMEOUTS,
    )
