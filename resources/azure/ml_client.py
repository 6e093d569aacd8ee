"""The Azure ML workspace that AutoML and the registry share."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from resources.azure.credentials import azure_credential, client_options

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


@cache
def workspace_client(subscription_id: str, resource_group: str, workspace: str) -> MLClient:
    """The process's client of a workspace; nothing is contacted here."""
    from azure.ai.ml import MLClient

    return MLClient(
        azure_credential(),
        subscription_id,
        resource_group,
        workspace,
        enable_telemetry=False,
        show_progress=False,
        **client_options(),
    )
