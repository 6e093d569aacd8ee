"""Daily partitions on a real pool, registry and event log."""

import dagster as dg
import pytest

from assets.by_day import daily_assets
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.jobs import range_tags, rescore_config
from pipelines.sample.simulator import simulate_forecast
from tests.unit.assets.conftest import BETTER, GOOD

ROWS, PREDICTED = (asset.key.to_user_string() for asset in daily_assets(SPEC))
FIRST, LAST = "2013-01-01", "2013-01-10"


def rescore(stage, first=FIRST, last=LAST, version=None):
    return stage.run(
        ROWS, PREDICTED, config=rescore_config(SPEC, version), **range_tags(first, last)
    )


def stored(stage, first=FIRST, last=LAST):
    table = f"{SPEC.schema}.{SPEC.predictions_table}_by_day"
    query = f"SELECT * FROM {table} WHERE dteday BETWEEN ? AND ? ORDER BY dteday, forecast_row"
    with stage.pool.session() as session:
        if session.run("SELECT OBJECT_ID(?) AS id", [table])[0].rows == [(None,)]:
            return []
        return session.run(query, [first, last])[0].as_dicts()


def failure(done) -> str:
    [event] = [event for event in done.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data.description


@pytest.fixture
def deployed(stage):
    stage.register(GOOD)
    stage.promote()
    stage.register(BETTER)
    return stage


def test_a_range_of_days_is_scored_in_one_run_with_any_version(deployed):
    assert rescore(deployed).success
    live = stored(deployed)
    assert [row["model_version"] for row in live] == [1] * 10
    assert rescore(deployed, "2013-01-03", "2013-01-05", version=2).success
    rows = stored(deployed)
    assert [row["model_version"] for row in rows] == [1, 1, 2, 2, 2, 1, 1, 1, 1, 1]
    expected = [BETTER * row["temp"] for row in rows[2:5]]
    assert [row[SPEC.output] for row in rows[2:5]] == pytest.approx(expected, rel=1e-5)
    assert rows[:2] == live[:2]


def test_each_day_is_a_partition_of_its_own(deployed):
    assert rescore(deployed, FIRST, "2013-01-04").success
    done = deployed.instance.get_materialized_partitions(dg.AssetKey(PREDICTED))
    assert done == {"2013-01-01", "2013-01-02", "2013-01-03", "2013-01-04"}


def test_the_same_version_gives_the_same_predictions_as_the_main_chain(deployed):
    assert rescore(deployed).success
    volatile = ("run_id", "predicted_at")
    by_day, whole = (
        [{k: v for k, v in row.items() if k not in volatile} for row in rows]
        for rows in (stored(deployed), deployed.score())
    )
    assert by_day == whole


def test_a_corrected_forecast_replaces_its_days_and_keeps_the_others(deployed, tmp_path):
    assert rescore(deployed).success
    before = stored(deployed)
    path = tmp_path / "lake" / SPEC.scoring_file
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[3].replace("1/3/2013", "1/2/2013")]) + "\n")
    assert rescore(deployed).success
    after = stored(deployed)
    assert len(after) == 10
    assert after[1]["temp"] == before[2]["temp"]
    assert [row["temp"] for row in after[2:]] == [row["temp"] for row in before[2:]]


def test_days_without_a_forecast_are_named_and_no_prediction_changes(deployed):
    assert rescore(deployed).success
    before = stored(deployed)
    done = rescore(deployed, "2013-01-08", "2013-01-12", version=2)
    assert not done.success
    assert "No forecast is known for 2 of the days: 2013-01-11, 2013-01-12" in failure(done)
    assert stored(deployed) == before


def test_an_unknown_version_changes_nothing(deployed):
    done = rescore(deployed, version=9)
    assert "has no version 9; known versions: 1, 2" in failure(done)
    assert stored(deployed) == []


def test_a_file_whose_rows_have_no_day_is_refused_with_that_reason(deployed, tmp_path):
    table = simulate_forecast().drop_columns(["dteday"])
    lines = [",".join(table.column_names)]
    lines += [",".join(map(str, row.values())) for row in table.to_pylist()]
    (tmp_path / "lake" / SPEC.scoring_file).write_text("\n".join(lines) + "\n")
    assert "no column dteday, so its rows are numbered" in failure(rescore(deployed))
