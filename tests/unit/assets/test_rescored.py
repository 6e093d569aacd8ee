"""Rows of a model without days, scored again by number on a real pool, registry and event log."""

from dataclasses import replace

import dagster as dg
import pytest
from pydantic import ValidationError

from assets.rescored import RowsConfig, rescored_name, rescored_rows
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.jobs import rescore_rows_config
from resources.sql_pool.deployment import saved_predictions
from tests.unit.assets.conftest import BETTER, GOOD

SPEC = replace(BIKE_RENTALS, first_day=None)
TABLE = f"{SPEC.schema}.{rescored_name(SPEC)}"


def rescore(stage, first, last, version=None):
    return dg.materialize(
        [rescored_rows(SPEC)],
        instance=stage.instance,
        resources={"lake": stage.lake, "registry": stage.registry, "sql_pool": stage.pool},
        run_config=rescore_rows_config(SPEC, first, last, version),
        raise_on_error=False,
    )


def stored(stage):
    with stage.pool.session() as session:
        return session.run(f"SELECT * FROM {TABLE} ORDER BY forecast_row")[0].as_dicts()


@pytest.fixture
def scored(stage):
    stage.register(GOOD)
    stage.promote()
    stage.register(BETTER)
    return stage, stage.score()


def test_a_range_of_rows_is_scored_by_any_version_and_the_live_predictions_stay(scored):
    stage, live_rows = scored
    assert rescore(stage, 3, 5, version=2).success
    rows = stored(stage)
    assert [(row["forecast_row"], row["model_version"]) for row in rows] == [(3, 2), (4, 2), (5, 2)]
    expected = [BETTER * row["temp"] for row in rows]
    assert [row[SPEC.output] for row in rows] == pytest.approx(expected, rel=1e-5)
    assert saved_predictions(stage.pool, SPEC) == live_rows


def test_the_live_version_gives_the_predictions_of_the_main_chain_and_the_last_range_stays(scored):
    stage, live_rows = scored
    assert rescore(stage, 3, 5, version=2).success
    assert rescore(stage, 1, 2).success
    volatile = ("run_id", "predicted_at")
    again, before = (
        [{k: v for k, v in row.items() if k not in volatile} for row in rows]
        for rows in (stored(stage), live_rows[:2])
    )
    assert again == before


def test_rows_that_are_not_there_are_named_and_nothing_changes(scored):
    stage, _ = scored
    assert rescore(stage, 1, 2).success
    before = stored(stage)
    done = rescore(stage, 9, 99)
    [event] = [event for event in done.all_events if event.is_step_failure]
    said = event.step_failure_data.user_failure_data.description
    assert "no row 99: the rows to score are 1 to 10" in said
    assert stored(stage) == before


def test_rows_in_the_wrong_order_are_refused():
    with pytest.raises(ValidationError, match="first is 3, after last, 2"):
        RowsConfig(first=3, last=2)
