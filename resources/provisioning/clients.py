"""The clients of Azure Resource Manager; nothing is contacted here."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from resources.azure.credentials import azure_credential, client_options

if TYPE_CHECKING:
    from azure.mgmt.keyvault import KeyVaultManagementClient
    from azure.mgmt.resource import ManagementLockClient, ResourceManagementClient
    from azure.mgmt.resource.subscriptions import SubscriptionClient
    from azure.mgmt.storage import StorageManagementClient
    from azure.mgmt.synapse import SynapseManagementClient

#: Seconds between two looks at a long operation of Azure.
POLL_SECONDS = 5.0


@cache
def resource_client(subscription_id: str) -> ResourceManagementClient:
    """Groups, deployments, providers."""
    from azure.mgmt.resource import ResourceManagementClient

    return ResourceManagementClient(azure_credential(), subscription_id, **client_options())


@cache
def lock_client(subscription_id: str) -> ManagementLockClient:
    """Locks."""
    from azure.mgmt.resource import ManagementLockClient

    return ManagementLockClient(azure_credential(), subscription_id, **client_options())


@cache
def subscription_client() -> SubscriptionClient:
    """Subscriptions."""
    from azure.mgmt.resource.subscriptions import SubscriptionClient

    return SubscriptionClient(azure_credential(), **client_options())


@cache
def storage_client(subscription_id: str) -> StorageManagementClient:
    """Storage accounts."""
    from azure.mgmt.storage import StorageManagementClient

    return StorageManagementClient(azure_credential(), subscription_id, **client_options())


@cache
def vault_client(subscription_id: str) -> KeyVaultManagementClient:
    """Key vaults, deleted ones included."""
    from azure.mgmt.keyvault import KeyVaultManagementClient

    return KeyVaultManagementClient(azure_credential(), subscription_id, **client_options())


@cache
def synapse_client(subscription_id: str) -> SynapseManagementClient:
    """Synapse workspaces, pools and firewall rules."""
    from azure.mgmt.synapse import SynapseManagementClient

    return SynapseManagementClient(azure_credential(), subscription_id, **client_options())
