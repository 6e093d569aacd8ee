"""The contract of the links between an Azure ML workspace and a Synapse workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from bikecast.core.errors import BikecastError

#: Which SDK makes a link: azure-ai-ml, or azureml-core, whose support ended on 2026-06-30.
Sdk = Literal["v2", "v1"]


class LinkRefused(BikecastError):
    """Azure does not allow this link: a role is missing, or the service no longer offers it."""


@dataclass(frozen=True)
class LinkedService:
    """One workspace as another one knows it."""

    name: str
    target: str
    """Resource id of the workspace that is linked."""
    identity: str = ""
    """Object id of the link's system-assigned managed identity; empty where it has none."""
    portal: str = ""
    """Where people see it."""


@dataclass(frozen=True)
class AttachedPool:
    """A Synapse Spark pool as compute of an Azure ML workspace."""

    name: str
    pool: str
    """Resource id of the Spark pool."""
    state: str
    """The service's provisioning state, such as Succeeded."""
    identity: str = ""
    spark_version: str = ""
    portal: str = ""


class WorkspaceLinks(Protocol):
    """Makes, finds and removes the links; every call converges when it is repeated.

    All methods raise LinkRefused where Azure does not allow the link, and BikecastError for
    other failures.
    """

    def link_azureml(self) -> LinkedService:
        """Link the Azure ML workspace in the Synapse workspace, as the lab's step does."""

    def azureml_link(self) -> LinkedService | None:
        """The link of `link_azureml`, where it is there."""

    def azureml_link_problem(self) -> str:
        """What keeps Synapse from using that link; empty where it can."""

    def unlink_azureml(self) -> bool:
        """Remove the link of `link_azureml`; False where there was none."""

    def link_synapse(self) -> LinkedService:
        """Register the Synapse workspace in Azure ML, or take the link that is there."""

    def synapse_links(self) -> list[LinkedService]:
        """The Synapse workspaces that are registered in Azure ML."""

    def unlink_synapse(self) -> bool:
        """Unregister what `link_synapse` registered; False where there was none."""

    def attach_pool(self, sdk: Sdk = "v2") -> AttachedPool:
        """Attach the Spark pool as compute, or take the compute that has it."""

    def attached_pools(self, sdk: Sdk = "v2") -> list[AttachedPool]:
        """The Spark pools among the compute targets of the Azure ML workspace."""

    def detach_pool(self, sdk: Sdk = "v2") -> bool:
        """Detach the Spark pool, which itself stays; False where it was not attached."""
