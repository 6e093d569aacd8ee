"""Checks of the azure environment: who we are, and what each service answers."""

from __future__ import annotations

import datetime as dt
import importlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from logging.handlers import BufferingHandler
from typing import Any

from bikecast.core.jobs import JobState
from bikecast.core.spec import ModelSpec
from pipelines.doctor.checks import Check, Diagnosis, State
from pipelines.environments import Resources, place_of
from pipelines.settings import AzureSettings
from resources.azure.credentials import (
    MANAGEMENT_SCOPE,
    TIMEOUTS,
    azure_credential,
    claims_of,
    credential_options,
)
from resources.registry.port import Registry
from resources.sql_pool.port import SqlPool
from resources.sql_pool.synapse import FIREWALL, REMEDIES
from resources.workspace.azure_place import AzurePlace
from resources.workspace.roles import GRANTS

AREA = "azure"
SDKS = (
    "azure.ai.ml",
    "azure.mgmt.authorization",
    "azure.mgmt.synapse",
    "azure.storage.filedatalake",
    "azure.synapse.accesscontrol",
    "azure.synapse.spark",
    "azureml.core",
)
#: The last day of Microsoft's support of each Synapse runtime, as known on RUNTIMES_AS_OF:
#: https://learn.microsoft.com/azure/synapse-analytics/spark/apache-spark-version-support
RUNTIMES: dict[str, dt.date | None] = {
    "3.5": None,
    "3.4": dt.date(2026, 3, 31),
    "3.3": dt.date(2025, 3, 31),
    "3.2": dt.date(2024, 7, 8),
    "3.1": dt.date(2024, 1, 26),
    "2.4": dt.date(2023, 9, 29),
}
RUNTIMES_AS_OF = dt.date(2026, 11, 22)
CURRENT_RUNTIME = "3.5"
#: What the chain of credentials logs before the name of the one that gave the token.
_ACQUIRED = "DefaultAzureCredential acquired a token from "


def azure_checks(
    azure: AzureSettings, resources: Resources, specs: Sequence[ModelSpec]
) -> list[Check]:
    """The checks of all services, with the models of these specs.

    The SDKs are imported here, before any thread is started.
    """
    for name in SDKS:
        importlib.import_module(name)
    place = place_of(azure)
    return [
        Check(AREA, "credential", credential),
        Check(AREA, "data lake", lambda: data_lake(azure, place)),
        Check(AREA, "Azure ML", lambda: azure_ml(azure, place, resources.registry, specs)),
        Check(AREA, "Spark pool", lambda: spark_pool(place)),
        Check(AREA, "Livy", lambda: livy(place)),
        Check(AREA, "SQL pool", lambda: sql_pool(resources, place, specs)),
        Check(AREA, "roles", lambda: roles(place)),
    ]


def credential() -> list[Diagnosis]:
    """Which identity of DefaultAzureCredential gives a token, and whose it is."""
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential

    fresh = DefaultAzureCredential(**credential_options(), **TIMEOUTS)
    chosen = os.environ.get("AZURE_TOKEN_CREDENTIALS", "")
    with _identity_log() as records:
        try:
            claims = claims_of(fresh.get_token(MANAGEMENT_SCOPE).token)
        except AzureError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            remedy = (
                "az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; "
                "AZURE_TOKEN_CREDENTIALS says which is tried, such as AzureCliCredential"
            )
            return [Diagnosis(AREA, "credential", "failed", "; ".join(lines[:6]), remedy)]
    texts = [record.getMessage() for record in records]
    winners = [text.rpartition(" ")[2] for text in texts if _ACQUIRED in text]
    who = claims.get("upn") or claims.get("unique_name") or claims.get("appid") or "unknown"
    won = winners[-1] if winners else ""
    detail = f"{won or 'a credential'} won: {who}, object id {claims.get('oid')}"
    detail += f", tenant {claims.get('tid')}"
    if chosen:
        detail += f" (AZURE_TOKEN_CREDENTIALS={chosen})"
        return [Diagnosis(AREA, "credential", "ok", detail)]
    remedy = f"Set AZURE_TOKEN_CREDENTIALS={won or 'AzureCliCredential'} to keep to it"
    detail += "; AZURE_TOKEN_CREDENTIALS is not set, so elsewhere another one may win"
    return [Diagnosis(AREA, "credential", "warning", detail, remedy)]


@contextmanager
def _identity_log() -> Iterator[list[logging.LogRecord]]:
    """The log records of azure.identity; one of them names the credential that gave the token."""
    logger, handler = logging.getLogger("azure.identity"), BufferingHandler(capacity=10_000)
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield handler.buffer
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
        logger.setLevel(level)


def data_lake(azure: AzureSettings, place: AzurePlace) -> list[Diagnosis]:
    """The container can be listed."""
    from azure.storage.filedatalake import FileSystemClient

    def ask() -> str:
        url = f"https://{azure.account}.dfs.core.windows.net"
        client = FileSystemClient(url, azure.container, credential=azure_credential(), **TIMEOUTS)
        first = next(iter(client.get_paths(recursive=False, max_results=1)), None)
        return f"{azure.container} of {azure.account}: " + ("has files" if first else "empty")

    look = f"az storage account list -g {place.resource_group} -o table; the container: az storage "
    look += f"fs create -n {azure.container} --account-name {azure.account} --auth-mode login"
    return [_asked("data lake", ask, "Storage Blob Data Contributor", place.account_id, look)]


def azure_ml(
    azure: AzureSettings, place: AzurePlace, models: Registry, specs: Sequence[ModelSpec]
) -> list[Diagnosis]:
    """The workspace, its registry, the store of the training data and the compute answer."""
    from resources.automl.training_data import DATASTORE, has_credentials
    from resources.azure.ml_client import workspace_client

    client = workspace_client(place.subscription_id, place.resource_group, place.ml_workspace)

    def workspace() -> str:
        entity = client.workspaces.get(place.ml_workspace)
        return f"{place.ml_workspace} in {entity.location if entity else '?'}"

    def registry() -> str:
        names = [spec.model_name for spec in specs]
        counts = [f"{len(models.versions(name))} versions of {name}" for name in names]
        return ", ".join(counts) or "no model"

    def compute() -> str:
        if not azure.ml_compute:
            return "serverless"
        entity = client.compute.get(azure.ml_compute)
        return f"{entity.name}: {entity.type}, {_text(entity.provisioning_state)}"

    def store() -> str:
        entity: Any = client.datastores.get(DATASTORE)
        where = f"{DATASTORE} in {entity.account_name}"
        if has_credentials(entity):
            return f"{where}, with credentials"
        return (
            f"{where}, by identity: this process and the compute need Storage Blob Data Contributor"
        )

    role, scope = "AzureML Data Scientist", place.ml_workspace_id
    there = f"-g {place.resource_group} -o table"
    computes = f"az ml compute list -w {place.ml_workspace} {there}; then AZUREML_COMPUTE"
    return [
        _asked("Azure ML workspace", workspace, role, scope, f"az ml workspace list {there}"),
        _asked("Azure ML registry", registry, role, scope, ""),
        _asked("training data", store, role, scope, f"az ml datastore list {there}"),
        _asked("training compute", compute, role, scope, computes),
    ]


def spark_pool(place: AzurePlace) -> list[Diagnosis]:
    """The Spark pool's size and runtime, and the end of the runtime's support."""
    from azure.mgmt.synapse import SynapseManagementClient

    client = SynapseManagementClient(azure_credential(), place.subscription_id, **TIMEOUTS)
    pools: list[Any] = []

    def ask() -> str:
        pool = client.big_data_pools.get(
            place.resource_group, place.synapse_workspace, place.spark_pool
        )
        pools.append(pool)
        pause = pool.auto_pause
        idle = f"pauses after {pause.delay_in_minutes} minutes" if pause and pause.enabled else ""
        return f"{pool.node_count} nodes {pool.node_size}, {idle or 'never pauses by itself'}"

    there = f"--workspace-name {place.synapse_workspace} -g {place.resource_group}"
    look = f"az synapse spark pool list {there} -o table"
    size = _asked("Spark pool", ask, "Reader", place.synapse_id, look)
    today = dt.datetime.now(dt.UTC).date()
    return [size, *(runtime(str(pool.spark_version), place, today) for pool in pools)]


def runtime(version: str, place: AzurePlace, today: dt.date) -> Diagnosis:
    """Whether Microsoft still supports the pool's runtime."""
    remedy = (
        f"az synapse spark pool create --name NEW --workspace-name {place.synapse_workspace} "
        f"-g {place.resource_group} --spark-version {CURRENT_RUNTIME} --node-count 3 --node-size "
        "Small; then SYNAPSE_SPARK_POOL=NEW"
    )
    name, as_of = "Spark runtime", f"as known on {RUNTIMES_AS_OF}"
    if version not in RUNTIMES:
        detail = f"{version} is not known; tested with {CURRENT_RUNTIME}"
        return Diagnosis(AREA, name, "warning", detail, remedy)
    end = RUNTIMES[version]
    if end is None:
        return Diagnosis(AREA, name, "ok", f"{version}, no end of support announced ({as_of})")
    detail = f"{version}: support {'ended' if end < today else 'ends'} on {end} ({as_of})"
    state: State = "failed" if end < today else "warning"
    return Diagnosis(AREA, name, state, detail, remedy)


def livy(place: AzurePlace) -> list[Diagnosis]:
    """The pool's batches can be listed."""
    from azure.synapse.spark import SparkClient

    def ask() -> str:
        client = SparkClient(
            azure_credential(), place.synapse_endpoint, place.spark_pool, **TIMEOUTS
        )
        page = client.spark_batch.get_spark_batch_jobs(size=1, detailed=True, **TIMEOUTS)
        return "has batches" if page.sessions else "no batches yet"

    role = "Synapse Compute Operator"
    return [_asked("Spark batches", ask, role, place.synapse_workspace, "")]


def sql_pool(
    resources: Resources, place: AzurePlace, specs: Sequence[ModelSpec]
) -> list[Diagnosis]:
    """The pool's state; where it is online, the login and PREDICT too."""
    states: list[JobState] = []

    def ask() -> str:
        status = resources.sql_pool_power.status()
        states.append(status.state)
        return f"{place.sql_pool}: {status.progress.get('status')}"

    there = f"--workspace-name {place.synapse_workspace} -g {place.resource_group}"
    look = f"az synapse sql pool list {there} -o table"
    diagnoses = [_asked("SQL pool", ask, "Contributor", place.sql_pool_id, look)]
    if states != [JobState.COMPLETED]:
        resume = f"az synapse sql pool resume --name {place.sql_pool} {there} (this is billed)"
        detail = "only an online pool can be asked; a run resumes it and pauses it again"
        names = ("SQL login", PREDICT)
        return diagnoses + [Diagnosis(AREA, name, "skipped", detail, resume) for name in names]
    pool = resources.sql_pool

    def login() -> str:
        with pool.session() as session:
            [rows] = session.run("SELECT USER_NAME() AS [user]")
        return f"as {rows.rows[0][0]}"

    grants = (
        f"In the pool: {'; '.join(GRANTS)}; and the client's address in the workspace's firewall"
    )
    logged_in = _asked("SQL login", login, "", "", grants, other=grants)
    if f"Msg {FIREWALL}" in logged_in.detail:
        logged_in = replace(logged_in, remedy=REMEDIES[FIREWALL])
    return [*diagnoses, logged_in, *(_predict(pool, spec) for spec in specs)]


PREDICT = "PREDICT"


def _predict(pool: SqlPool, spec: ModelSpec) -> Diagnosis:
    """Whether PREDICT scores a row with the live model."""
    from bikecast.core.sql import SqlError
    from resources.scoring.predict import predict_refusal

    try:
        refusal = predict_refusal(pool, spec)
    except SqlError as error:
        return Diagnosis(AREA, PREDICT, "skipped", f"cannot be tried yet: {error}")
    if refusal:
        detail, remedy = f"the pool refuses PREDICT: {refusal}", "BIKECAST_SCORING=spark or auto"
        if "EXECUTE" in refusal:
            remedy = "PREDICT needs EXECUTE on the database. In the pool: GRANT EXECUTE TO [NAME]"
        return Diagnosis(AREA, PREDICT, "warning", detail, remedy)
    return Diagnosis(AREA, PREDICT, "ok", f"scores with the live model of {spec.name}")


def roles(place: AzurePlace) -> list[Diagnosis]:
    """One diagnosis a line of the role table."""
    from resources.workspace.principals import find_principals
    from resources.workspace.roles import check

    states: dict[str, State] = {
        "present": "ok",
        "missing": "failed",
        "unknown": "warning",
        "not needed yet": "skipped",
    }
    return [
        Diagnosis(
            "roles",
            f"{state.need.who}: {state.need.role}",
            states[state.state],
            f"{state.state} on {'/'.join(state.need.scope.split('/')[-2:])} {state.detail}".strip(),
            f"{state.command}  (or: bikecast roles apply)" if state.state == "missing" else "",
        )
        for state in check(place, find_principals(place))
    ]


def _asked(
    name: str, ask: Callable[[], str], role: str, scope: str, look: str, *, other: str = ""
) -> Diagnosis:
    """Ask a service; `look` is the command that helps where the name is wrong."""
    from azure.core.exceptions import AzureError

    from bikecast.core.errors import BikecastError, first_line
    from resources.azure.refusals import remedy_of

    try:
        return Diagnosis(AREA, name, "ok", ask())
    except (AzureError, BikecastError) as error:
        cause = error if isinstance(error, AzureError) else error.__cause__
        if isinstance(cause, AzureError):
            missing = getattr(cause, "status_code", None) == 404
            remedy = look if missing else remedy_of(cause, role, scope)
            return Diagnosis(AREA, name, "failed", first_line(cause), remedy)
        return Diagnosis(AREA, name, "failed", str(error), other)


def _text(state: object) -> str:
    return str(getattr(state, "value", state))
