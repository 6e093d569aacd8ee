"""Environment name -> resources, chosen once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bikecast.core.jobs import Awaited
from pipelines.home import Home
from pipelines.models import Model, chosen_model, source_folders, source_paths
from pipelines.settings import AzureSettings, Settings
from resources.automl.embedded import LocalAutoML
from resources.automl.port import AutoML
from resources.costs.port import Costs
from resources.costs.prices import NoCosts, PricedCosts, read_prices
from resources.lake.csv_format import csv_format
from resources.lake.local import LocalLake
from resources.lake.port import CsvFormat, Lake
from resources.lake.sources import Sources
from resources.registry.mlflow_registry import MlflowRegistry
from resources.registry.port import Registry
from resources.scoring.choice import ChosenScoring
from resources.scoring.port import Scoring
from resources.scoring.predict import PredictScoring
from resources.scoring.spark import SparkScoring
from resources.spark.connect import ConnectSpark
from resources.spark.port import LakeSession, Spark
from resources.sql_pool.embedded import AlwaysOnline, EmbeddedSqlPool
from resources.sql_pool.port import SqlPool, SqlPoolPower
from resources.workspace.port import WorkspaceLinks

if TYPE_CHECKING:
    from bikecast.core.spec import ModelSpec
    from resources.lake.adls import AdlsLake
    from resources.spark.livy_session import LivySession
    from resources.workspace.azure_place import AzurePlace


@dataclass(frozen=True)
class Resources:
    """One environment's adapters, by their ports; the names are Dagster's resource keys."""

    lake: Lake
    sources: Sources
    spark: Spark
    automl: AutoML
    registry: Registry
    sql_pool: SqlPool
    scoring: Scoring
    sql_pool_power: SqlPoolPower = field(default_factory=AlwaysOnline)
    costs: Costs = field(default_factory=NoCosts)
    workspace_links: WorkspaceLinks | None = None
    """Only the azure environment has workspaces to link."""

    @property
    def awaited(self) -> tuple[Awaited, ...]:
        """What assets may have to wait for beside trainings; nothing is slow in `local`."""
        waits = {
            Awaited.SPARK: not isinstance(self.spark, ConnectSpark),
            Awaited.SQL_POOL: not isinstance(self.sql_pool_power, AlwaysOnline),
        }
        return tuple(kind for kind, does in waits.items() if does)

    def by_name(self) -> dict[str, object]:
        """The resources that this environment has."""
        return {name: value for name, value in vars(self).items() if value is not None}


def sql_pool_for(home: Home, database: str = "pool") -> EmbeddedSqlPool:
    """The pool alone, for commands that need nothing else."""
    return EmbeddedSqlPool(path=str(home.pool), lake_root=str(home.lake), database=database)


def lake_session_of(settings: Settings, models: Sequence[Model]) -> LakeSession:
    """The interactive Spark session on the lake of the environment that the settings name."""
    home = Home.of(settings)
    if settings.env == "azure":
        return _livy_session(settings.azure, home, models)
    from resources.spark.lake_session import ConnectLakeSession

    return ConnectLakeSession(settings.spark_remote, LocalLake(root=str(home.lake)))


def _livy_session(azure: AzureSettings, home: Home, models: Sequence[Model]) -> LivySession:
    """A session of this home's name, so that its processes share one."""
    import hashlib
    import socket
    import sys

    from resources.lake.adls import AdlsLake
    from resources.spark.livy_session import LivySession

    place = f"{socket.gethostname()}:{home.root}"
    specs = [model.spec for model in models]
    saved = {explored_table(spec): f"tables/{explored_table(spec)}" for spec in specs}
    return LivySession(
        workspace=azure.synapse_workspace,
        pool=azure.spark_pool,
        lake=AdlsLake.of(azure.account, azure.container),
        name=f"bikecast-{hashlib.sha256(place.encode()).hexdigest()[:12]}",
        folder=home.root / "sessions",
        kept_tables=pipeline_tables(specs),
        tables_there={spec.training_table: spec.training_table_path for spec in specs} | saved,
        say=lambda text: print(text, file=sys.stderr),  # noqa: T201 # in notebooks too
    )


def pipeline_tables(specs: Iterable[ModelSpec]) -> frozenset[str]:
    """The names of the tables that runs change."""
    owned = (name for spec in specs for name in spec.owned_names()["table or procedure"])
    return frozenset(name.rpartition(".")[2] for name in owned)


def explored_table(spec: ModelSpec) -> str:
    """The table of the lake that the notebook `explore` saves."""
    return f"explored_{spec.name}"


def sql_pool_of(settings: Settings) -> tuple[SqlPool, SqlPoolPower]:
    """The pool and its power of the environment that the settings name."""
    if settings.env == "azure":
        return sql_pools_of(settings.azure)
    return sql_pool_for(Home.of(settings), settings.sql_database), AlwaysOnline()


def sql_pools_of(azure: AzureSettings) -> tuple[SqlPool, SqlPoolPower]:
    """The dedicated SQL pool and its power switch."""
    return _synapse_sql_pool(azure), _synapse_power(azure)


def registry_for(home: Home) -> MlflowRegistry:
    """The registry alone."""
    return MlflowRegistry(tracking_uri=home.tracking_uri, artifact_root=str(home.models))


def format_of(settings: Settings) -> CsvFormat:
    """What the settings say about the files' format; raises InvalidInput where that is wrong."""
    parts = {"rename", "delimiter", "decimal", "date_format", "encoding", "start_date"}
    return csv_format(**settings.model_dump(include=parts))


def scoring_for(
    settings: Settings,
    models: Sequence[Model],
    lake: Lake,
    registry: Registry,
    spark: Spark,
    pool: SqlPool,
) -> ChosenScoring:
    """Scoring in the way that the settings name; a table in them is the chosen model's."""
    table = settings.scoring_table
    rows = {chosen_model(models, settings.model).spec.name: table} if table else {}
    return ChosenScoring(
        settings.scoring,
        PredictScoring(pool),
        SparkScoring(lake, registry, spark, pool, rows),
    )


def sources_for(lake: Lake, settings: Settings, models: Sequence[Model]) -> Sources:
    """Where the files of these models come from."""
    samples = {path: sample for model in models for path, sample in model.samples.items()}
    paths = source_paths(settings, models)
    return Sources(
        lake,
        paths=paths,
        format=format_of(settings),
        samples=samples,
        folders=source_folders(settings, paths.values()),
    )


def local_resources(settings: Settings, models: Sequence[Model]) -> Resources:
    """The embedded adapters: a folder, Sail, the embedded AutoML, MLflow and the embedded pool."""
    home = Home.of(settings)
    lake = LocalLake(root=str(home.lake))
    spark = ConnectSpark(remote=settings.spark_remote, lake_root=lake.root)
    registry, pool = registry_for(home), sql_pool_for(home, settings.sql_database)
    return Resources(
        lake=lake,
        sources=sources_for(lake, settings, models),
        spark=spark,
        automl=LocalAutoML(
            jobs_dir=str(home.jobs), lake_root=lake.root, tracking_uri=home.tracking_uri
        ),
        registry=registry,
        sql_pool=pool,
        scoring=scoring_for(settings, models, lake, registry, spark, pool),
    )


def azure_resources(settings: Settings, models: Sequence[Model]) -> Resources:
    """The adapters of Azure: ADLS Gen2, the Synapse pools and Azure ML. Nothing is contacted."""
    from resources.automl.azure_ml import AzureAutoML
    from resources.lake.adls import AdlsLake
    from resources.registry.azure_ml import AzureMlRegistry

    azure = settings.azure
    lake = AdlsLake.of(azure.account, azure.container)
    ml: dict[str, Any] = {
        "subscription_id": azure.subscription_id,
        "resource_group": azure.resource_group,
        "workspace": azure.ml_workspace,
    }
    spark = _azure_spark(settings, lake)
    registry, (pool, power) = AzureMlRegistry(**ml), sql_pool_of(settings)
    return Resources(
        lake=lake,
        sources=sources_for(lake, settings, models),
        spark=spark,
        automl=AzureAutoML(
            **ml, compute=azure.ml_compute, lake=lake, downloads=str(Home.of(settings).jobs)
        ),
        registry=registry,
        sql_pool=pool,
        scoring=scoring_for(settings, models, lake, registry, spark, pool),
        sql_pool_power=power,
        workspace_links=workspace_links_for(azure),
        costs=PricedCosts(read_prices(settings.prices), settings.cost_limit),
    )


def workspace_links_for(azure: AzureSettings) -> WorkspaceLinks:
    """The links alone, for commands that need nothing else."""
    from resources.workspace.azure import AzureWorkspaceLinks

    return AzureWorkspaceLinks(place=place_of(azure).model_dump())


def place_of(azure: AzureSettings) -> AzurePlace:
    """The names of the azure environment as resource ids and addresses."""
    from resources.workspace.azure_place import AzurePlace

    return AzurePlace(**azure.model_dump(include=set(AzurePlace.model_fields)))


def _azure_spark(settings: Settings, lake: AdlsLake) -> Spark:
    """Batches of the Synapse pool, or Spark jobs of Azure ML on that pool or without one."""
    from resources.spark.azure_ml import AzureMlSpark
    from resources.spark.synapse import SynapseSpark

    azure = settings.azure
    options: dict[str, Any] = {
        "workspace": azure.synapse_workspace,
        "pool": azure.spark_pool,
        "lake": lake,
        "workspace_id": place_of(azure).synapse_id,
        "lag_seconds": azure.livy_lag,
        "limit_seconds": azure.spark_limit,
    }
    if settings.spark_via == "synapse":
        return SynapseSpark(**options)
    machine: dict[str, Any] = {"instance_type": azure.spark_machine} if azure.spark_machine else {}
    return AzureMlSpark(
        **options,
        **machine,
        subscription_id=azure.subscription_id,
        resource_group=azure.resource_group,
        ml_workspace=azure.ml_workspace,
        compute="" if machine else azure.spark_compute,
    )


def _synapse_sql_pool(azure: AzureSettings) -> SqlPool:
    from resources.sql_pool.synapse import SynapseSqlPool

    public = f"{azure.synapse_workspace}.sql.azuresynapse.net"
    host, _, port = azure.sql_endpoint.partition(",")
    return SynapseSqlPool(
        server=host or public,
        port=int(port or 1433),
        certificate_host=public if host else "",
        database=azure.sql_pool,
        driver=azure.odbc_driver,
        authentication="password" if azure.sql_user else "entra",
        user=azure.sql_user,
    )


def _synapse_power(azure: AzureSettings) -> SqlPoolPower:
    from resources.lake.adls import AdlsLake
    from resources.sql_pool.synapse_power import SynapseSqlPoolPower

    return SynapseSqlPoolPower(
        subscription_id=azure.subscription_id,
        resource_group=azure.resource_group,
        workspace=azure.synapse_workspace,
        pool=azure.sql_pool,
        lake=AdlsLake.of(azure.account, azure.container),
    )


def resources_for(settings: Settings, models: Sequence[Model]) -> Resources:
    """The adapters of the environment that the settings name; all models share them."""
    build = azure_resources if settings.env == "azure" else local_resources
    return build(settings, models)
