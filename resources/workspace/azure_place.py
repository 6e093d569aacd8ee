"""Where the linked workspaces are, by the resource ids and addresses that follow from names."""

from __future__ import annotations

from pydantic import BaseModel, Field

#: The lab's name of the link in Synapse.
AZUREML_LINK = "AzureML"


class AzurePlace(BaseModel, frozen=True):
    """The names of one environment; nothing is contacted."""

    subscription_id: str
    resource_group: str
    ml_workspace: str
    synapse_workspace: str
    spark_pool: str
    sql_pool: str
    account: str
    synapse_link: str = Field("synapse", description="Synapse's name in Azure ML (SDK v1)")
    spark_compute: str = Field("synapsespark", description="The Spark pool's name in Azure ML")

    @property
    def group_id(self) -> str:
        """Resource id of the resource group."""
        return f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"

    @property
    def ml_workspace_id(self) -> str:
        """Resource id of the Azure ML workspace."""
        provider = "Microsoft.MachineLearningServices/workspaces"
        return f"{self.group_id}/providers/{provider}/{self.ml_workspace}"

    @property
    def synapse_id(self) -> str:
        """Resource id of the Synapse workspace."""
        return f"{self.group_id}/providers/Microsoft.Synapse/workspaces/{self.synapse_workspace}"

    @property
    def spark_pool_id(self) -> str:
        """Resource id of the Spark pool."""
        return f"{self.synapse_id}/bigDataPools/{self.spark_pool}"

    @property
    def sql_pool_id(self) -> str:
        """Resource id of the dedicated SQL pool."""
        return f"{self.synapse_id}/sqlPools/{self.sql_pool}"

    @property
    def account_id(self) -> str:
        """Resource id of the data lake account, where it is in the same resource group."""
        return f"{self.group_id}/providers/Microsoft.Storage/storageAccounts/{self.account}"

    @property
    def synapse_endpoint(self) -> str:
        """Address of the Synapse workspace's data plane."""
        return f"https://{self.synapse_workspace}.dev.azuresynapse.net"

    @property
    def synapse_portal(self) -> str:
        """The linked services in Synapse Studio."""
        return "https://web.azuresynapse.net/management/linkedservices?workspace=" + self.synapse_id

    @property
    def ml_portal(self) -> str:
        """The attached computes in Azure ML studio."""
        return f"https://ml.azure.com/compute/list/attachedComputes?wsid={self.ml_workspace_id}"
