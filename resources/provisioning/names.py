"""The names of one installation in Azure: all follow from its suffix, as in the template."""

from __future__ import annotations

import secrets
import string

from pydantic import BaseModel, Field

#: The tag of the group and of everything in it that is ours; its value is the suffix.
TAG = "bikecast"
SUFFIX_PATTERN = r"^[a-z0-9]{3,10}$"
_LETTERS = string.ascii_lowercase + string.digits


def new_suffix() -> str:
    """Seven random letters and digits, as the lab's script takes."""
    return "".join(secrets.choice(_LETTERS) for _ in range(7))


class Names(BaseModel, frozen=True):
    """Where an installation is and what its parts are called; nothing is contacted."""

    subscription_id: str
    suffix: str = Field(pattern=SUFFIX_PATTERN)
    region: str

    @property
    def group(self) -> str:
        """The resource group."""
        return f"bikecast-{self.suffix}"

    @property
    def lake(self) -> str:
        """The data lake account."""
        return f"datalake{self.suffix}"

    @property
    def store(self) -> str:
        """The storage account of Azure ML."""
        return f"amlstore{self.suffix}"

    @property
    def synapse(self) -> str:
        """The Synapse workspace."""
        return f"synapse{self.suffix}"

    @property
    def sql_pool(self) -> str:
        """The dedicated SQL pool."""
        return f"sql{self.suffix}"

    @property
    def spark_pool(self) -> str:
        """The Spark pool."""
        return f"spark{self.suffix}"

    @property
    def machine_learning(self) -> str:
        """The Azure ML workspace."""
        return f"aml{self.suffix}"

    @property
    def vault(self) -> str:
        """The key vault of Azure ML."""
        return f"vault{self.suffix}"

    @property
    def insights(self) -> str:
        """Application Insights of Azure ML."""
        return f"insights{self.suffix}"

    @property
    def logs(self) -> str:
        """The Log Analytics workspace behind Application Insights."""
        return f"logs{self.suffix}"

    def resources(self) -> list[tuple[str, str]]:
        """Type and name of what the template makes, without roles and what is inside of others."""
        return [
            ("Microsoft.Storage/storageAccounts", self.lake),
            ("Microsoft.Synapse/workspaces", self.synapse),
            ("Microsoft.Synapse/workspaces/bigDataPools", self.spark_pool),
            ("Microsoft.Synapse/workspaces/sqlPools", self.sql_pool),
            ("Microsoft.Storage/storageAccounts", self.store),
            ("Microsoft.KeyVault/vaults", self.vault),
            ("Microsoft.OperationalInsights/workspaces", self.logs),
            ("Microsoft.Insights/components", self.insights),
            ("Microsoft.MachineLearningServices/workspaces", self.machine_learning),
        ]

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the azure environment, as `.env` has them."""
        return {
            "BIKECAST_ENV": "azure",
            "AZURE_SUBSCRIPTION_ID": self.subscription_id,
            "AZURE_RESOURCE_GROUP": self.group,
            "AZUREML_WORKSPACE_NAME": self.machine_learning,
            "SYNAPSE_WORKSPACE_NAME": self.synapse,
            "SYNAPSE_SPARK_POOL": self.spark_pool,
            "SYNAPSE_SQL_POOL": self.sql_pool,
            "DATALAKE_ACCOUNT": self.lake,
            "DATALAKE_CONTAINER": "files",
        }
