"""The links between the Synapse and the Azure ML workspace; only the azure environment has them."""

from collections.abc import Sequence
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from assets.failures import shown_to_people
from assets.metadata import link_or_path, stopwatch
from bikecast.core.code_version import code_version
from resources.workspace.port import LinkedService, LinkRefused, WorkspaceLinks

GROUP = "workspace_link"
AZUREML, SYNAPSE, SPARK_POOL = (
    "azureml_linked_service",
    "synapse_linked_service",
    "attached_spark_pool",
)
REGISTERED = "is_registered"


class AttachConfig(dg.Config):
    """How the Spark pool is attached."""

    sdk: Literal["v2", "v1"] = Field(
        "v2", description="v1 attaches through the linked service; its support has ended."
    )


def workspace_link_assets(owners: Sequence[str]) -> list[dg.AssetsDefinition]:
    """The lab's link in Synapse, the link in Azure ML, and the Spark pool attached to Azure ML."""
    common: dict[str, Any] = {
        "group_name": GROUP,
        "owners": list(owners),
        "code_version": code_version("assets/workspace.py", "resources/workspace"),
    }

    @dg.asset(
        name=AZUREML,
        **common,
        kinds={"azureml"},
        description="The Azure ML workspace as linked service `AzureML` of the Synapse workspace.",
    )
    def azureml_linked_service(
        workspace_links: dg.ResourceParam[WorkspaceLinks],
    ) -> dg.MaterializeResult:
        seconds = stopwatch()
        with shown_to_people():
            link = workspace_links.link_azureml()
        return dg.MaterializeResult(metadata={**_service(link), "seconds": seconds()})

    @dg.asset(
        name=SYNAPSE,
        **common,
        kinds={"azureml"},
        check_specs=[
            dg.AssetCheckSpec(
                REGISTERED,
                asset=SYNAPSE,
                description="Azure ML has the link. Without it the Spark pool is attached all the "
                "same, by SDK v2.",
            )
        ],
        description="The Synapse workspace as linked service of Azure ML (SDK v1).",
    )
    def synapse_linked_service(
        context: dg.AssetExecutionContext, workspace_links: dg.ResourceParam[WorkspaceLinks]
    ) -> dg.MaterializeResult:
        seconds = stopwatch()
        with shown_to_people():
            try:
                link = workspace_links.link_synapse()
            except LinkRefused as error:
                context.log.warning(str(error))
                refused = dg.AssetCheckResult(
                    check_name=REGISTERED,
                    passed=False,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={"reason": str(error)},
                )
                return dg.MaterializeResult(
                    metadata={"state": "refused", "reason": str(error), "seconds": seconds()},
                    check_results=[refused],
                )
        return dg.MaterializeResult(
            metadata={**_service(link), "seconds": seconds()},
            check_results=[dg.AssetCheckResult(check_name=REGISTERED, passed=True)],
        )

    @dg.asset(
        name=SPARK_POOL,
        deps=[SYNAPSE],
        **common,
        kinds={"azureml", "spark"},
        description="The Synapse Spark pool as compute of the Azure ML workspace.",
    )
    def attached_spark_pool(
        config: AttachConfig, workspace_links: dg.ResourceParam[WorkspaceLinks]
    ) -> dg.MaterializeResult:
        seconds = stopwatch()
        with shown_to_people():
            pool = workspace_links.attach_pool(config.sdk)
        return dg.MaterializeResult(
            metadata={
                "state": pool.state,
                "compute": pool.name,
                "spark_pool": pool.pool,
                "identity": pool.identity,
                "spark_version": pool.spark_version,
                "portal": link_or_path(pool.portal),
                "sdk": config.sdk,
                "seconds": seconds(),
            }
        )

    return [azureml_linked_service, synapse_linked_service, attached_spark_pool]


def _service(link: LinkedService) -> dict[str, dg.MetadataValue | str]:
    return {
        "state": "linked",
        "name": link.name,
        "workspace": link.target,
        "identity": link.identity or "the workspace's own",
        "portal": link_or_path(link.portal),
    }
