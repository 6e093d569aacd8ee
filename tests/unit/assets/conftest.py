"""A home without Spark and AutoML: the training table is written, models are registered by hand."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pyarrow.compute as pc
import pytest

from assets.checks.warning import warning_checks
from assets.events import latest_data_version
from assets.lineage import model_assets
from assets.live_model.decision import Decision
from assets.live_model.live_model import LiveModel
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.jobs import rollback_config
from pipelines.sample.simulator import simulate, write_forecast_csv
from resources.automl.embedded import LocalAutoML
from resources.costs.prices import NoCosts
from resources.lake.local import LocalLake
from resources.lake.sources import Sources
from resources.registry.mlflow_registry import MlflowRegistry
from resources.scoring.port import Scoring
from resources.scoring.predict import PredictScoring
from resources.sql_pool.embedded import AlwaysOnline, EmbeddedSqlPool
from resources.sql_pool.model_table import audit_trail, live_model
from resources.sql_pool.port import SqlPool
from tests.unit.sql_pool.onnx_models import weighted_sum

#: Rentals for a unit of temperature: about what the sample's rows have.
GOOD, BETTER, BAD = 1500.0, 1700.0, -900.0


@dataclass
class Stage:
    """The serving half of the graph on its own home."""

    instance: dg.DagsterInstance
    lake: LocalLake
    registry: MlflowRegistry
    pool: SqlPool
    registered: int = 0
    """The last registered version."""
    scoring: Scoring | None = None
    """PREDICT in the pool, unless a test has another."""

    def training_data(
        self, data_version: str, years: int = 2, seed: int = 0, offset: int = 0
    ) -> None:
        """Write the training table (targets moved by `offset`) and say its data version."""
        import deltalake

        from bikecast.core.sql_types import arrow_schema

        names = [column.name for column in SPEC.training_columns]
        table = simulate(years, seed).select(names).cast(arrow_schema(SPEC.training_columns))
        if offset:
            moved = pc.add(table[SPEC.target.name], offset)
            index = table.schema.get_field_index(SPEC.target.name)
            table = table.set_column(index, table.schema.field(index), moved)
        commit = deltalake.CommitProperties(custom_metadata={"data_version": data_version})
        deltalake.write_deltalake(
            self.lake.url(SPEC.training_table_path),
            table,
            mode="overwrite",
            commit_properties=commit,
        )
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(
                SPEC.training_table, tags={"dagster/data_version": data_version}
            )
        )

    def register(
        self, weight: float, data_version: str = "data-1", trained_on: str = "", **scores: float
    ) -> int:
        """Register `weight * temp` as the model of a new job; returns its version."""
        model = weighted_sum({"temp": "real"}, weight, output=SPEC.output)
        digest = hashlib.sha256(model).hexdigest()
        path = Path(self.lake.root).parent / f"{digest}.onnx"
        path.write_bytes(model)
        number = len(self.registry.versions(SPEC.model_name)) + 1
        tags = {"data_version": data_version, "code_version": "code-1"}
        if trained_on:
            tags["trained_on"] = trained_on
        version = self.registry.register(
            SPEC.model_name, path, job_id=f"job-{number}", digest=digest, scores=scores, tags=tags
        )
        metadata = {"version": version.version, "job_id": version.job_id}
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(SPEC.model_table, metadata=metadata)
        )
        self.registered = version.version
        return version.version

    def run(self, *assets: str, config: dict | None = None, **tags: str):
        """Materialize assets with their checks, in this process."""
        return dg.materialize(
            [
                *model_assets(SPEC, training_code=LocalAutoML.training_code),
                *warning_checks(SPEC),
            ],
            selection=[*assets],
            instance=self.instance,
            resources={
                "lake": self.lake,
                "sources": Sources(self.lake),
                "spark": None,
                "automl": None,
                "registry": self.registry,
                "sql_pool": self.pool,
                "scoring": self.scoring or PredictScoring(self.pool),
                "sql_pool_power": AlwaysOnline(),
                "costs": NoCosts(),
            },
            run_config=config,
            tags=tags,
            raise_on_error=False,
        )

    def model(self) -> LiveModel:
        """The live model on this home."""
        return LiveModel(self.registry, self.pool, self.lake, SPEC)

    def promote(self, *, force: bool = False) -> Decision:
        """Decide about the last registered version and carry that out, as the model table does."""
        model = self.model()
        model.prepare()
        data_version = latest_data_version(self.instance, SPEC.training_table)
        decision = model.decide(self.registered, data_version=data_version, force=force)
        return model.change(decision, actor="tests", run_id="promotion")

    def promote_in_a_run(self, **config) -> dict[str, object]:
        """Materialize the model table; returns its metadata."""
        asset = f"{SPEC.model_table}_table"
        done = self.run(asset, config={"ops": {asset: {"config": config}}})
        assert done.success
        [event] = done.asset_materializations_for_node(asset)
        return {name: value.value for name, value in event.metadata.items()}

    def roll_back(self, version: int | None = None) -> Decision:
        """Go back to a version; None is the one that was live before."""
        return self.model().roll_back(version, actor="tests", run_id="rollback")

    def roll_back_in_a_run(self, version: int | None = None):
        """The rollback job's run."""
        return self.run(f"{SPEC.model_table}_table", config=rollback_config(SPEC, version))

    def score(self):
        """Load the forecast and score it; returns the stored rows."""
        from resources.sql_pool.deployment import saved_predictions

        assert self.run(SPEC.scoring_table, SPEC.procedure, SPEC.predictions_table).success
        return saved_predictions(self.pool, SPEC)

    @property
    def live(self) -> int:
        model = live_model(self.pool, SPEC)
        assert model is not None
        return model.version

    @property
    def trail(self):
        """(action, from, to, candidate) of the audit rows, oldest first."""
        rows = reversed(audit_trail(self.pool, SPEC))
        return [(row.action, row.from_version, row.to_version, row.candidate) for row in rows]

    @property
    def alias(self) -> list[int]:
        versions = self.registry.versions(SPEC.model_name)
        return [entry.version for entry in versions if "champion" in entry.aliases]


@pytest.fixture
def stage(tmp_path, prepared_database, prepared_pool):
    root = tmp_path / "lake"
    (root / "data").mkdir(parents=True)
    write_forecast_csv(root / SPEC.scoring_file)
    shutil.copyfile(prepared_database, tmp_path / "mlflow.db")
    shutil.copyfile(prepared_pool, tmp_path / "pool.duckdb")
    with dg.DagsterInstance.ephemeral() as instance:
        stage = Stage(
            instance,
            LocalLake(root=str(root)),
            MlflowRegistry(
                tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
                artifact_root=str(tmp_path / "models"),
            ),
            EmbeddedSqlPool(path=str(tmp_path / "pool.duckdb"), lake_root=str(root)),
        )
        stage.training_data("data-1")
        with stage.pool.session():  # the file stays open: the first connection is the dear one
            yield stage
