"""Synapse as linked service of Azure ML, and its Spark pool as compute, by azureml-core (SDK v1).

Microsoft ended the support of this SDK on 2026-06-30; links that exist go on working.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bikecast.core.errors import BikecastError
from resources.azure.credentials import azure_credential
from resources.workspace.azure_place import AzurePlace
from resources.workspace.port import AttachedPool, LinkedService, LinkRefused

if TYPE_CHECKING:
    from azureml.core import Workspace

#: What Azure ML calls a Synapse Spark pool.
SPARK = "SynapseSpark"
ARM_AUDIENCE = "https://management.core.windows.net/"
ARM_SCOPE = "https://management.azure.com/.default"

_CODE = re.compile(r"Response Code: (\d{3})")
_MESSAGE = re.compile(r'"message"\s*:\s*"([^"]+)"')

NOT_OWNER = (
    "Registering needs Owner on the Synapse workspace; a Contributor can only use a link that is "
    "there. Ask an Owner to run `bikecast link synapse`, or attach the Spark pool without a link: "
    "bikecast link attach"
)
ENDED = (
    "Azure ML no longer registers Synapse workspaces that were not linked before (the support of "
    "this SDK ended on 2026-06-30). The Spark pool can be attached without a link: "
    "bikecast link attach"
)


def linked(place: AzurePlace) -> list[LinkedService]:
    """The linked services of Azure ML."""
    from azureml.core import LinkedService as Service

    with _sdk_errors("list the linked services"):
        return [_described(each, place) for each in Service.list(_workspace(place))]


def link(place: AzurePlace) -> LinkedService:
    """Take the link to the Synapse workspace, or register it.

    Raises LinkRefused where the caller is no Owner of the Synapse workspace, and where the
    service no longer registers it.
    """
    from azureml.core import LinkedService as Service
    from azureml.core import SynapseWorkspaceLinkedServiceConfiguration

    service = _service(place)
    if service is not None:
        return _described(service, place)
    what = f"register the Synapse workspace {place.synapse_workspace}"
    with _sdk_errors(what, refusal=True):
        service = Service.register(
            _workspace(place),
            name=place.synapse_link,
            linked_service_config=SynapseWorkspaceLinkedServiceConfiguration(
                subscription_id=place.subscription_id,
                resource_group=place.resource_group,
                name=place.synapse_workspace,
            ),
        )
    return _described(service, place)


def unlink(place: AzurePlace) -> bool:
    """Unregister the link of the configured name; False where there is none."""
    service = _service(place)
    if service is None:
        return False
    with _sdk_errors(f"unregister {place.synapse_link}"):
        service.unregister()
    return True


def attach(place: AzurePlace) -> AttachedPool:
    """Attach the Spark pool through the link; take the compute that has it.

    Raises BikecastError without a link, and where Azure ML refuses.
    """
    from azureml.core.compute import ComputeTarget, SynapseCompute

    for pool in attached(place):
        if pool.name == place.spark_compute:
            return pool
    service = _service(place)
    if service is None:
        raise BikecastError(
            f"Azure ML has no linked service {place.synapse_link}, through which this SDK "
            "attaches. Nothing was changed. First: bikecast link synapse"
        )
    with _sdk_errors(f"attach the Spark pool {place.spark_pool}"):
        configuration = SynapseCompute.attach_configuration(
            linked_service=service, type=SPARK, pool_name=place.spark_pool
        )
        compute = ComputeTarget.attach(_workspace(place), place.spark_compute, configuration)
        _wait(compute)
    [pool] = [each for each in attached(place) if each.name == place.spark_compute]
    return pool


def attached(place: AzurePlace) -> list[AttachedPool]:
    """The Spark pools among the compute targets of the workspace."""
    from azureml.core.compute import ComputeTarget

    with _sdk_errors("list the compute targets"):
        targets = ComputeTarget.list(_workspace(place))
    return [_compute(each, place) for each in targets if each.type == SPARK]


def detach(place: AzurePlace) -> bool:
    """Detach the pool; False where it is not attached."""
    from azureml.core.compute import ComputeTarget

    with _sdk_errors(f"detach {place.spark_compute}"):
        for target in ComputeTarget.list(_workspace(place)):
            if target.type == SPARK and target.name == place.spark_compute:
                target.detach()
                _wait(target, is_delete_operation=True)
                return True
    return False


def _workspace(place: AzurePlace) -> Workspace:
    """The workspace from a config.json of the settings, with the credential of all clients."""
    from azureml.core import Workspace
    from azureml.core.authentication import TokenAuthentication

    config = {
        "subscription_id": place.subscription_id,
        "resource_group": place.resource_group,
        "workspace_name": place.ml_workspace,
    }
    with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        authentication = TokenAuthentication(_token, cloud="AzureCloud")
        return Workspace.from_config(str(path), auth=authentication)


def _token(audience: str) -> str:
    scope = ARM_SCOPE if audience == ARM_AUDIENCE else f"{audience}/.default"
    return azure_credential().get_token(scope).token


def _service(place: AzurePlace) -> Any | None:
    """The linked service of the configured name, else one that leads to the same workspace."""
    from azureml.core import LinkedService as Service

    with _sdk_errors("list the linked services"):
        workspace = _workspace(place)
        services = Service.list(workspace)
        named = [each for each in services if each.name == place.synapse_link]
        same = [
            each
            for each in services
            if str(each.linked_service_resource_id).lower() == place.synapse_id.lower()
        ]
        chosen = (named or same or [None])[0]
        return Service.get(workspace, chosen.name) if chosen is not None else None


def _described(service: Any, place: AzurePlace) -> LinkedService:
    return LinkedService(
        name=str(service.name),
        target=str(service.linked_service_resource_id),
        identity=str(service.system_assigned_identity_principal_id or ""),
        portal=place.ml_portal,
    )


def _compute(target: Any, place: AzurePlace) -> AttachedPool:
    return AttachedPool(
        name=str(target.name),
        pool=str(target.cluster_resource_id or ""),
        state=str(target.provisioning_state or ""),
        spark_version=str(target.spark_version or ""),
        portal=place.ml_portal,
    )


@contextlib.contextmanager
def _sdk_errors(what: str, *, refusal: bool = False) -> Iterator[None]:
    """Turn the SDK's errors into ours.

    With `refusal`, an answer that is no lack of a role means that the service refuses the link.
    """
    # Each use of a class that Microsoft calls experimental would be a warning.
    logging.getLogger("azureml._base_sdk_common._docstring_wrapper").setLevel(logging.ERROR)
    try:
        yield
    except BikecastError:
        raise
    except Exception as error:  # azureml-core raises errors of four libraries
        status = _status(error)
        text = f"cannot {what} in Azure ML: {_reason(error)}"
        if refusal and status in (401, 403):
            raise LinkRefused(f"{text}\n{NOT_OWNER}") from error
        if refusal and 400 <= status < 500 and status not in (408, 429):
            raise LinkRefused(f"{text}\n{ENDED}") from error
        raise BikecastError(text) from error


def _wait(compute: Any, **arguments: bool) -> None:
    """Wait for the end of an operation; what the SDK prints goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        compute.wait_for_completion(**arguments)


def _status(error: Exception) -> int:
    """The HTTP status behind an error of the SDK; 0 where there is none."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is None and (match := _CODE.search(str(error))):
        status = match[1]
    return int(status or 0)


def _reason(error: Exception) -> str:
    """The service's own message, else the first line of the error."""
    text = str(getattr(error, "message", None) or error)
    if match := _MESSAGE.search(text):
        return match[1]
    return (text.strip().splitlines() or [type(error).__name__])[0]
