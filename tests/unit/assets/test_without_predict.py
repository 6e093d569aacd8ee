"""A pool that does not know PREDICT: Spark scores where the settings let it."""

from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
import pytest

from bikecast.core.sql import SqlError
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from resources.scoring.choice import ChosenScoring
from resources.scoring.predict import PredictScoring
from resources.scoring.spark import SparkScoring
from resources.spark.connect import ConnectSpark
from resources.sql_pool.deployment import saved_predictions
from resources.sql_pool.port import SqlPool

ASSETS = (SPEC.scoring_table, SPEC.procedure, SPEC.predictions_table)


@dataclass(frozen=True)
class WithoutPredict:
    """The pool of a stage, whose parser has no PREDICT."""

    pool: SqlPool

    @contextmanager
    def session(self):
        with self.pool.session() as session:
            yield _Session(session)


@dataclass(frozen=True)
class _Session:
    session: object

    def run(self, batch, parameters=()):
        if "PREDICT(" in batch:
            raise SqlError(103010, "Parse error at line: 3, column: 6: Incorrect syntax near '('.")
        return self.session.run(batch, parameters)


@pytest.fixture
def limited(stage):
    """The stage with a live model, on such a pool."""
    stage.register(1500.0)
    stage.promote()
    stage.plain, stage.pool = stage.pool, WithoutPredict(stage.pool)
    return stage


def with_mode(stage, mode):
    spark = SparkScoring(
        stage.lake, stage.registry, ConnectSpark(lake_root=stage.lake.root), stage.pool
    )
    stage.scoring = ChosenScoring(mode, PredictScoring(stage.pool), spark)
    return stage.run(*ASSETS)


def failure(done):
    [event] = [e for e in done.all_events if e.event_type is dg.DagsterEventType.STEP_FAILURE]
    return event.step_failure_data.user_failure_data.description


def test_auto_scores_on_spark_and_says_why(limited):
    done = with_mode(limited, "auto")

    assert done.success
    [made] = done.asset_materializations_for_node(SPEC.predictions_table)
    assert made.metadata["scored_by"].value == "spark"
    assert made.metadata["why"].value.startswith("auto: PREDICT cannot score: Msg 103010: Parse")
    [procedure] = done.asset_materializations_for_node(SPEC.procedure)
    assert procedure.metadata["refused"].value.startswith("Msg 103010")
    assert len(saved_predictions(limited.plain, SPEC)) == 10
    with limited.plain.session() as session:
        [left] = session.run("SELECT name FROM sys.procedures")
    assert left.rows == []


def test_predict_fails_with_the_setting_that_helps(limited):
    done = with_mode(limited, "predict")

    assert not done.success
    assert "Set BIKECAST_SCORING to spark or auto" in failure(done)
