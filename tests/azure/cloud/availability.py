"""What may be had: names, sizes and quota; and the vaults that were deleted."""

from __future__ import annotations

from typing import Any

from tests.azure.cloud.http import Request, Response, answer, arm_error, checked, route

ARM = r"management\.azure\.com"
SUBSCRIPTION = r"/subscriptions/(?P<subscription>[^/]+)"
VAULTS, STORAGE, SYNAPSE = "2024-11-01", "2025-06-01", "2021-03-01"
SQL, USAGES = "2021-11-01", "2023-10-01"
DELETED = (
    SUBSCRIPTION
    + r"/providers/Microsoft\.KeyVault/locations/(?P<region>[^/]+)/deletedVaults/(?P<name>[^/]+)"
)


class Availability:
    """`taken` are names that somebody has; `deleted` are soft-deleted vaults by name."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.deleted: dict[str, dict[str, Any]] = {}
        self.purged: list[str] = []
        self.sql_size = "Available"
        """The state of the SQL pool's size in every region."""
        self.vcpus = 0
        """vCPUs of Azure ML in use, of a hundred."""

    @route(
        "POST", ARM, SUBSCRIPTION + r"/providers/Microsoft\.Storage/checkNameAvailability", STORAGE
    )
    def account(self, request: Request) -> Response:
        return self._named(request, "nameAvailable")

    @route(
        "POST", ARM, SUBSCRIPTION + r"/providers/Microsoft\.KeyVault/checkNameAvailability", VAULTS
    )
    def vault(self, request: Request) -> Response:
        return self._named(request, "nameAvailable")

    @route(
        "POST", ARM, SUBSCRIPTION + r"/providers/Microsoft\.Synapse/checkNameAvailability", SYNAPSE
    )
    def workspace(self, request: Request) -> Response:
        return self._named(request, "available")

    def _named(self, request: Request, field: str) -> Response:
        name = checked(request.json, {"name": str, "type": str})["name"]
        if name not in self.taken:
            return answer({field: True})
        message = f"The name {name} is already taken."
        return answer({field: False, "reason": "AlreadyExists", "message": message})

    @route("GET", ARM, SUBSCRIPTION + r"/providers/Microsoft\.KeyVault/deletedVaults", VAULTS)
    def deleted_vaults(self, request: Request) -> Response:
        return answer({"value": [*self.deleted.values()]})

    @route("POST", ARM, DELETED + "/purge", VAULTS)
    def purge(self, request: Request) -> Response:
        name = request.match["name"]
        if self.deleted.pop(name, None) is None:
            return arm_error(404, "DeletedVaultNotFound", f"The vault {name} is not there.")
        self.purged.append(name)
        return Response(200)

    def delete_vault(self, name: str, tags: dict[str, str], region: str = "westeurope") -> None:
        """Let a vault be soft-deleted, as the deletion of its group does."""
        base = "/subscriptions/55555555-5555-5555-5555-555555555555"
        self.deleted[name] = {
            "id": f"{base}/providers/Microsoft.KeyVault/locations/{region}/deletedVaults/{name}",
            "name": name,
            "type": "Microsoft.KeyVault/deletedVaults",
            "properties": {
                "vaultId": f"{base}/resourceGroups/g/providers/Microsoft.KeyVault/vaults/{name}",
                "location": region,
                "tags": tags,
                "deletionDate": "2026-01-02T03:04:05Z",
                "scheduledPurgeDate": "2026-01-09T03:04:05Z",
                "purgeProtectionEnabled": None,
            },
        }

    @route(
        "GET", ARM, SUBSCRIPTION + r"/providers/Microsoft\.Sql/locations/[^/]+/capabilities", SQL
    )
    def capabilities(self, request: Request) -> Response:
        level = {"name": "DW100c", "status": self.sql_size}
        edition = {
            "name": "DataWarehouse",
            "supportedServiceLevelObjectives": [level],
            "status": "Available",
        }
        version = {"name": "12.0", "supportedEditions": [edition], "status": "Default"}
        return answer(
            {"name": "West Europe", "supportedServerVersions": [version], "status": "Available"}
        )

    @route(
        "GET",
        ARM,
        SUBSCRIPTION + r"/providers/Microsoft\.MachineLearningServices/locations/[^/]+/usages",
        USAGES,
    )
    def usages(self, request: Request) -> Response:
        name = "Total Cluster Dedicated Regional vCPUs"
        row = {
            "id": f"{request.path}/TotalDedicatedCores",
            "type": "Microsoft.MachineLearningServices/usages",
            "name": {"value": name, "localizedValue": name},
            "currentValue": self.vcpus,
            "limit": 100,
            "unit": "Count",
        }
        return answer({"value": [row]})
