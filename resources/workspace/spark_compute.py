"""The Synapse Spark pool as compute of the Azure ML workspace, by azure-ai-ml (SDK v2)."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any

from bikecast.core.errors import BikecastError, InvalidInput, first_line
from resources.azure.ml_client import workspace_client
from resources.azure.refusals import azure_errors
from resources.workspace.azure_place import AzurePlace
from resources.workspace.port import AttachedPool, LinkRefused

if TYPE_CHECKING:
    from azure.ai.ml.operations import ComputeOperations

KIND = "synapsespark"
#: Seconds that Azure ML may take to attach or detach.
LONGEST = 600


def attach(place: AzurePlace) -> AttachedPool:
    """Attach the pool with a system-assigned identity; take the compute where it is attached.

    Raises InvalidInput where the name belongs to another compute, LinkRefused without the role.
    """
    from azure.ai.ml.entities import IdentityConfiguration, SynapseSparkCompute

    pool = find(place)
    if pool is not None:
        if pool.pool.lower() != place.spark_pool_id.lower():
            raise InvalidInput(
                f"the compute {place.spark_compute} of Azure ML is {pool.pool or 'another one'}, "
                f"not {place.spark_pool_id}. Nothing was changed. Choose another name in "
                "AZUREML_SPARK_COMPUTE, or detach it."
            )
        if pool.state == "Succeeded":
            return pool
    compute = SynapseSparkCompute(
        name=place.spark_compute,
        resource_id=place.spark_pool_id,
        identity=IdentityConfiguration(type="system_assigned"),
    )
    with _failing("attach", place):
        _computes(place).begin_create_or_update(compute).result(LONGEST)
    pool = find(place)
    if pool is None:
        raise BikecastError(f"Azure ML did not attach {place.spark_pool} in {LONGEST} seconds.")
    return pool


def find(place: AzurePlace) -> AttachedPool | None:
    """The compute of the configured name."""
    from azure.core.exceptions import ResourceNotFoundError

    with _failing("find", place), suppress(ResourceNotFoundError):
        return described(_computes(place).get(place.spark_compute), place)
    return None


def attached(place: AzurePlace) -> list[AttachedPool]:
    """All Spark pools that are attached."""
    with _failing("list", place):
        computes = list(_computes(place).list())
    return [described(each, place) for each in computes if str(each.type).lower() == KIND]


def detach(place: AzurePlace) -> bool:
    """Detach the pool; the pool itself stays."""
    if find(place) is None:
        return False
    with _failing("detach", place):
        _computes(place).begin_delete(place.spark_compute, action="Detach").result(LONGEST)
    return True


def described(compute: Any, place: AzurePlace) -> AttachedPool:
    """What azure-ai-ml says of a compute."""
    identity, state = getattr(compute, "identity", None), compute.provisioning_state
    return AttachedPool(
        name=str(compute.name),
        pool=str(compute.resource_id or ""),
        state=str(getattr(state, "value", state) or ""),
        identity=str(getattr(identity, "principal_id", None) or ""),
        spark_version=str(getattr(compute, "spark_version", None) or ""),
        portal=place.ml_portal,
    )


def _computes(place: AzurePlace) -> ComputeOperations:
    client = workspace_client(place.subscription_id, place.resource_group, place.ml_workspace)
    return client.compute


def _failing(what: str, place: AzurePlace) -> AbstractContextManager[None]:
    def reworded(error: Exception) -> BikecastError:
        text = f"cannot {what} the Spark pool as compute {place.spark_compute}: {first_line(error)}"
        if getattr(error, "status_code", None) in (401, 403):
            return LinkRefused(
                f"{text}\nAttaching needs Contributor or Owner on the Azure ML workspace. "
                "Nothing was changed."
            )
        return BikecastError(text)

    return azure_errors(reworded)
