"""An empty subscription for `bikecast azure`, whose parts come to life as they are deployed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bikecast.embedded.sql_pool import SqlError
from tests.azure.cloud.cloud import Cloud
from tests.azure.workspace import PLACE

SUFFIX = "abc1234"
SUBSCRIPTION = PLACE["subscription_id"]
GROUP = f"bikecast-{SUFFIX}"
NAMES = {
    "subscription_id": SUBSCRIPTION,
    "resource_group": GROUP,
    "ml_workspace": f"aml{SUFFIX}",
    "synapse_workspace": f"synapse{SUFFIX}",
    "account": f"datalake{SUFFIX}",
}
TAGS = {"bikecast": SUFFIX}


def come_to_life(cloud: Cloud) -> None:
    """Let what a deployment makes be there for the other services, and what is deleted be gone."""
    cloud.sql_pools.name, cloud.synapse.pool = f"sql{SUFFIX}", f"spark{SUFFIX}"
    cloud.machine_learning.exists = False
    cloud.resources.made = lambda resource: _made(cloud, resource)
    cloud.resources.gone = lambda group: _gone(cloud)
    cloud.deletions.gone = lambda id_: cloud.resources.resources.pop(id_, None)


def _made(cloud: Cloud, resource: Mapping[str, Any]) -> None:
    kind = resource["type"]
    if kind.endswith("/sqlPools"):
        cloud.sql_pools.status = "Online"
    elif kind == "Microsoft.MachineLearningServices/workspaces":
        cloud.machine_learning.exists = True
    elif kind == "Microsoft.Authorization/roleAssignments":
        asked = resource["properties"]
        scope = resource["id"].partition("/providers/Microsoft.Authorization/")[0]
        role = asked["roleDefinitionId"].rpartition("/")[2]
        cloud.authorization.grant(role, asked["principalId"], scope, asked["principalType"])


def _gone(cloud: Cloud) -> None:
    cloud.availability.delete_vault(f"vault{SUFFIX}", TAGS)


class Security:
    """T-SQL about users, which the embedded pool does not have: kept, and answered with nothing."""

    def __init__(self, cloud: Cloud) -> None:
        self.statements: list[str] = []
        self.users: set[str] = set()
        original = cloud.sql_pool.engine_session
        cloud.sql_pool.engine_session = lambda: _Listening(original(), self)


class _Listening:
    def __init__(self, opened: Any, security: Security) -> None:
        self._opened, self._security = opened, security

    def __enter__(self) -> Any:
        session = self._opened.__enter__()
        run = session.run

        def hear(batch: str, variables: Any) -> Any:
            if not batch.startswith(("CREATE USER", "GRANT")):
                return run(batch, variables)
            if batch.startswith("CREATE USER") and batch in self._security.users:
                raise SqlError(15023, "User, group, or role already exists in the database.")
            self._security.users.add(batch)
            self._security.statements.append(batch)
            return run("DECLARE @nothing int", variables)

        session.run = hear
        return session

    def __exit__(self, *error: Any) -> Any:
        return self._opened.__exit__(*error)
