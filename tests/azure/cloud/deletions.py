"""The deletion of an Azure ML workspace, which is final only where it is asked for."""

from __future__ import annotations

from collections.abc import Callable

from tests.azure.cloud.http import Request, Response, answer, route
from tests.azure.cloud.machine_learning import ARM, REGION, WORKSPACE

VERSION = "2024-10-01-preview"
OPERATION = (
    r"/subscriptions/[^/]+/providers/Microsoft\.MachineLearningServices/locations/[^/]+"
    r"/workspaceOperationsStatus/[^/]+"
)


class Deletions:
    """`purged` are workspaces that are gone for good, `kept` those that Azure keeps for a while."""

    def __init__(self) -> None:
        self.purged: list[str] = []
        self.kept: list[str] = []
        self.gone: Callable[[str], None] = lambda _: None

    @route("DELETE", ARM, WORKSPACE, VERSION)
    def workspace(self, request: Request) -> Response:
        id_ = request.match["workspace"]
        for_good = request.query.get("forceToPurge") == "true"
        (self.purged if for_good else self.kept).append(id_.rpartition("/")[2])
        self.gone(id_)
        address = (
            f"https://management.azure.com/subscriptions/{id_.split('/')[2]}/providers/"
            f"Microsoft.MachineLearningServices/locations/{REGION}/workspaceOperationsStatus/1"
            f"?api-version={request.api_version}"
        )
        headers = {
            "Azure-AsyncOperation": f"{address}&type=async",
            "Location": f"{address}&type=location",
        }
        return Response(202, b"", headers)

    @route("GET", ARM, OPERATION, VERSION)
    def operation(self, request: Request) -> Response:
        return answer({"status": "Succeeded"})
