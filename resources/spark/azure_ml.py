"""Spark as jobs of Azure ML; an adapter of the port Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import Field

from resources.spark.azure_ml_jobs import AzureMlJobs
from resources.spark.remote_jobs import RemoteJobs
from resources.spark.synapse import SynapseSpark

if TYPE_CHECKING:
    from resources.lake.adls import AdlsLake


class AzureMlSpark(SynapseSpark):
    """The same jobs, names and tables as on a Synapse pool, submitted to Azure ML.

    They run on the pool that is attached as `compute`, or without one on serverless Spark.
    """

    subscription_id: str
    resource_group: str
    ml_workspace: str
    compute: str = Field(default="", description="The attached pool; empty: serverless Spark.")
    instance_type: str = Field(
        default="standard_e4s_v3", description="A machine of serverless Spark."
    )

    @property
    def _jobs(self) -> RemoteJobs:
        return AzureMlJobs(
            lake=cast("AdlsLake", self.lake),  # an inherited field is any to mypy
            subscription_id=self.subscription_id,
            resource_group=self.resource_group,
            workspace=self.ml_workspace,
            compute=self.compute,
            instance_type=self.instance_type,
            executors=self.executors,
            cores=self.cores,
            memory=self.memory,
            limit_seconds=self.limit_seconds,
        )
