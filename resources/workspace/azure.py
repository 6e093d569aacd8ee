"""The links of the azure environment; an adapter of `resources.workspace.port.WorkspaceLinks`."""

from __future__ import annotations

from dagster import ConfigurableResource

from resources.workspace import azureml_v1, spark_compute, synapse_link
from resources.workspace.azure_place import AzurePlace
from resources.workspace.port import AttachedPool, LinkedService, Sdk


class AzureWorkspaceLinks(ConfigurableResource):
    """Links by azure-synapse-artifacts, azure-ai-ml and azureml-core."""

    place: dict[str, str]
    """Fields of `AzurePlace`."""

    @property
    def _place(self) -> AzurePlace:
        return AzurePlace(**self.place)

    def link_azureml(self) -> LinkedService:
        """Create the linked service `AzureML` in Synapse."""
        return synapse_link.link(self._place)

    def azureml_link(self) -> LinkedService | None:
        """That linked service, where it is there."""
        return synapse_link.find(self._place)

    def azureml_link_problem(self) -> str:
        """What keeps Synapse from using it; empty where it can."""
        return synapse_link.connection_problem(self._place)

    def unlink_azureml(self) -> bool:
        """Delete it; False where there was none."""
        return synapse_link.unlink(self._place)

    def link_synapse(self) -> LinkedService:
        """Register Synapse in Azure ML, or take the link that is there."""
        return azureml_v1.link(self._place)

    def synapse_links(self) -> list[LinkedService]:
        """The linked services of Azure ML."""
        return azureml_v1.linked(self._place)

    def unlink_synapse(self) -> bool:
        """Unregister it; False where there was none."""
        return azureml_v1.unlink(self._place)

    def attach_pool(self, sdk: Sdk = "v2") -> AttachedPool:
        """Attach the Spark pool as compute of Azure ML."""
        attach = spark_compute.attach if sdk == "v2" else azureml_v1.attach
        return attach(self._place)

    def attached_pools(self, sdk: Sdk = "v2") -> list[AttachedPool]:
        """The Spark pools among the computes of Azure ML."""
        attached = spark_compute.attached if sdk == "v2" else azureml_v1.attached
        return attached(self._place)

    def detach_pool(self, sdk: Sdk = "v2") -> bool:
        """Detach the Spark pool."""
        detach = spark_compute.detach if sdk == "v2" else azureml_v1.detach
        return detach(self._place)
