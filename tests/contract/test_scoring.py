"""Both ways of scoring, on the local adapters: the same rows with equal values."""

import hashlib
import logging
from pathlib import Path

import pytest

from bikecast.core.errors import BikecastError
from bikecast.embedded.sql_pool import Limits, Pool, SqlError
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.sample.simulator import write_forecast_csv, write_training_csv
from resources.lake.csv_file import read_training_csv
from resources.lake.local import LocalLake
from resources.lake.scoring_rows import scoring_rows
from resources.registry.mlflow_registry import MlflowRegistry
from resources.scoring.choice import ChosenScoring
from resources.scoring.port import Scoring
from resources.scoring.predict import PredictScoring
from resources.scoring.spark import SparkScoring
from resources.spark.connect import ConnectSpark
from resources.sql_pool.deployment import (
    create_procedures,
    load_scoring_table,
    prediction_types,
    saved_predictions,
)
from resources.sql_pool.embedded import EmbeddedSqlPool
from resources.sql_pool.model_table import Change, publish_model
from resources.sql_pool.port import SqlPool
from tests.azure.cloud.trainer import Featurized
from tests.unit.sql_pool.onnx_models import weighted_sum

WAYS = ("predict", "spark", "auto")
MODEL = weighted_sum(
    {"season": "bigint", "temp": "real", "hum": "real"}, 812.25, output=SPEC.output
)


class Paused:
    """A pool that opens no session."""

    def session(self):
        raise SqlError(42108, "Can not connect to the SQL pool since it is paused.")


class Place:
    """A local lake, pool and registry with rows to score and, once published, a model."""

    def __init__(self, folder: Path, database: Path) -> None:
        self.lake = LocalLake(root=str(folder / "lake"))
        self.pool = EmbeddedSqlPool(path=str(folder / "pool.duckdb"), lake_root=self.lake.root)
        (folder / "mlflow.db").write_bytes(database.read_bytes())
        self.registry = MlflowRegistry(
            tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
            artifact_root=str(folder / "models"),
        )
        self.folder = folder
        write_forecast_csv(folder / "days.csv")
        self.lake.put(SPEC.scoring_file, folder / "days.csv")
        staged = scoring_rows(self.lake, SPEC).file
        load_scoring_table(self.pool, SPEC, url=self.lake.copy_url(staged.path))
        create_procedures(self.pool, SPEC)

    def publish(self, model: bytes = MODEL) -> None:
        digest = hashlib.sha256(model).hexdigest()
        path = self.folder / "model.onnx"
        path.write_bytes(model)
        version = self.registry.register(
            SPEC.model_name, path, job_id="job-1", digest=digest, scores={}, tags={}
        ).version
        change = Change("promote", "test", "first", "run-0", "data-7", "code-7")
        publish_model(
            self.pool, SPEC, version=version, digest=digest, job_id="j", model=model, change=change
        )

    def scoring(self, mode: str, rows_path: str = "", pool: SqlPool | None = None) -> Scoring:
        target = pool or self.pool
        spark = ConnectSpark(lake_root=self.lake.root)
        return ChosenScoring(
            mode,
            PredictScoring(target),
            SparkScoring(
                self.lake, self.registry, spark, target, {SPEC.name: rows_path, "other": "tables/x"}
            ),
        )


@pytest.fixture
def place(tmp_path, prepared_database):
    return Place(tmp_path, prepared_database)


def scored_and_stored(scoring, run_id="run-1"):
    return scoring.store(SPEC, scoring.score(SPEC, run_id=run_id))


def sample_of(folder):
    write_training_csv(folder / "training.csv", years=1)
    return folder / "training.csv"


def without_moment(rows):
    return [{k: v for k, v in row.items() if k != "predicted_at"} for row in rows]


def test_all_ways_store_the_same_rows_with_equal_values(place):
    place.publish()
    by_predict, by_spark, by_auto = (scored_and_stored(place.scoring(way)) for way in WAYS)

    assert len(by_predict) == 10
    assert list(by_spark[0]) == list(prediction_types(SPEC))
    assert by_spark[0]["data_version"] == "data-7"
    assert without_moment(by_spark) == without_moment(by_predict)
    assert without_moment(by_auto) == without_moment(by_predict)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_stored_by_scoring_alone(place, way):
    place.publish()
    scored = place.scoring(way).score(SPEC, run_id="run-1")

    assert (scored.count, len(scored.rows), scored.model_version) == (10, 10, 1)
    assert saved_predictions(place.pool, SPEC) == []


def test_a_pool_with_the_procedures_of_the_version_before_gets_the_new_ones(place):
    place.publish()
    with place.pool.session() as session:
        session.run("DROP PROCEDURE dbo.score_predicted_rentals")
    assert place.scoring("predict").score(SPEC, run_id="run-1").count == 10


@pytest.mark.parametrize("way", WAYS)
def test_without_a_live_model_nothing_is_scored(place, way):
    with pytest.raises(SqlError, match="Msg 51000: No model is live"):
        place.scoring(way).score(SPEC, run_id="run-1")


def test_auto_takes_spark_where_predict_cannot_and_says_why(place, caplog):
    place.publish()
    pool = Pool(place.pool.path, place.pool.lake_root, Limits(max_model_bytes=10))
    with caplog.at_level(logging.INFO):
        scored = place.scoring("auto", pool=pool).score(SPEC, run_id="run-1")

    assert scored.way == "spark"
    assert scored.reason.startswith("auto: PREDICT cannot score: Msg 39051: ")
    assert scored.reason in caplog.text


def test_predict_alone_says_which_setting_helps_where_it_cannot(place):
    place.publish()
    pool = Pool(place.pool.path, place.pool.lake_root, Limits(max_model_bytes=10))
    with pytest.raises(SqlError, match=r"limit is 10. predicted_rentals is unchanged.* to auto"):
        place.scoring("predict", pool=pool).score(SPEC, run_id="run-1")


def test_an_ensemble_of_azures_automl_scores_alike_on_all_ways(place):
    rows = read_training_csv(sample_of(place.folder), SPEC, source_name="days").table
    graph = Featurized.of(rows.select(SPEC.feature_names), {})
    target = rows[SPEC.target.name].cast("float64").to_numpy()
    place.publish(graph.model([graph.linear(target), graph.stump(target)]))

    by_predict, by_spark = (scored_and_stored(place.scoring(way)) for way in ("predict", "spark"))

    assert len({row[SPEC.output] for row in by_predict}) > 1
    assert without_moment(by_spark) == without_moment(by_predict)


def test_auto_takes_predict_where_it_can(place):
    place.publish()
    scored = place.scoring("auto").score(SPEC, run_id="run-1")

    assert (scored.way, scored.reason) == ("predict", "auto: PREDICT scores the live model")


def test_auto_does_not_take_a_pool_that_does_not_answer_for_one_without_predict(place):
    place.publish()
    with pytest.raises(SqlError, match="42108"):
        place.scoring("auto", pool=Paused()).score(SPEC, run_id="run-1")


def test_spark_scores_a_delta_table_that_the_pool_does_not_have(place):
    import pyarrow as pa
    from deltalake import write_deltalake

    from pipelines.sample.simulator import simulate_forecast

    place.publish()
    days = simulate_forecast(days=300).select(list(SPEC.feature_names))
    write_deltalake(place.lake.url("tables/stations"), pa.concat_tables([days] * 40))
    scoring = place.scoring("auto", rows_path="tables/stations")
    scored = scoring.score(SPEC, run_id="run-1")

    assert scored.way == "spark"
    assert scored.count == 12_000
    assert len(scored.rows) == 10_000
    assert len(scoring.store(SPEC, scored)) == 10_000
    assert len(saved_predictions(place.pool, SPEC)) == 12_000


def test_a_model_with_other_bytes_than_the_pools_is_not_scored(place):
    place.publish()
    other = weighted_sum({"temp": "real"}, 1.0, output=SPEC.output)
    change = Change("promote", "test", "by hand")
    publish_model(
        place.pool,
        SPEC,
        version=2,
        digest=hashlib.sha256(other).hexdigest(),
        job_id="x",
        model=other,
        change=change,
    )
    (place.folder / "model.onnx").write_bytes(MODEL + b"")
    place.registry.register(
        SPEC.model_name,
        place.folder / "model.onnx",
        job_id="job-2",
        digest=hashlib.sha256(MODEL).hexdigest(),
        scores={},
        tags={},
    )
    with pytest.raises(BikecastError, match="other bytes in the registry"):
        place.scoring("spark").score(SPEC, run_id="run-1")
