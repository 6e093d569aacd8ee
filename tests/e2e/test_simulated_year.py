"""A year of weekly files, good and bad, under Dagster's own evaluation at simulated times.

The comments of the calendar say what happens; the tests say what has to follow from it.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable

import dagster as dg
import pytest

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from resources.lake.tables import open_table
from resources.sql_pool.deployment import saved_predictions
from tests.simulation import world
from tests.simulation.small_automl import BROKEN, SCALED, SHUFFLED
from tests.simulation.year import SWITCHES, Year, simulated_year

pytestmark = pytest.mark.slow

WEEKS = 52
MAIN, FINISH = ("new_files", "bike_rentals"), ("automl_run_sensor", "finish_training")
#: A new forecast is scored with the live model while the next one is still trained.
RESCORED = ("automation", "predict_rentals, predicted_rentals")
SCORED = ("new_files", "score")
DAILY = [24.0 * day + 3.02 for day in range(7)]  # 05:01
DRIFT_SINCE = world.FIRST_FILE + dt.timedelta(weeks=26)
CORRECTED = world.FIRST_FILE + dt.timedelta(weeks=20)


def a_missing_value(year: Year) -> None:
    year.training_file(4, world.with_blank)


def a_day_twice(year: Year) -> None:
    year.training_file(8, world.with_duplicate)


def an_unknown_column(year: Year) -> None:
    year.training_file(12, world.with_new_column)


def a_renamed_column(year: Year) -> None:
    year.training_file(14, world.with_renamed_column)


def no_file(year: Year) -> None:
    """The file of the week is late."""


def the_same_rows_written_otherwise(year: Year) -> None:
    year.training_file(20, world.with_columns_reversed)


def a_correction_of_the_past(year: Year) -> None:
    year.lasting.append(world.corrected(CORRECTED))
    year.training_file(23)


def habits_change(year: Year) -> None:
    year.lasting.append(world.doubled_since(DRIFT_SINCE))
    year.training_file(27)


def a_hot_forecast_alone(year: Year) -> None:
    year.forecast_file(29, world.with_heat, days=40)


def a_training_that_learns_nonsense(year: Year) -> None:
    year.spoil(SHUFFLED)
    year.training_file(34)


def a_training_that_breaks(year: Year) -> None:
    year.spoil(BROKEN)
    year.training_file(36)


def a_wrong_unit_is_not_promoted(year: Year) -> None:
    year.spoil(SCALED)
    year.training_file(40)


def somebody_forces_it(year: Year) -> None:
    """The model of week 40 is made live by hand; the forecast is scored with it at once."""
    candidate = year.weeks[40].audit[-1][3]
    config = {
        "ops": {f"{SPEC.model_table}_table": {"config": {"version": candidate, "force": True}}}
    }
    run = year.daemon.launch("rollback", config)
    assert run.is_success


def people_score_daily(year: Year) -> None:
    year.daemon.switch_on("daily_scoring")
    year.training_file(44)
    year.forecast_file(44)


CALENDAR: dict[int, Callable[[Year], None]] = {
    4: a_missing_value,
    8: a_day_twice,
    12: an_unknown_column,
    14: a_renamed_column,
    17: no_file,
    18: no_file,
    21: the_same_rows_written_otherwise,
    23: a_correction_of_the_past,
    27: habits_change,
    29: a_hot_forecast_alone,
    34: a_training_that_learns_nonsense,
    36: a_training_that_breaks,
    40: a_wrong_unit_is_not_promoted,
    41: somebody_forces_it,
    44: people_score_daily,
}


@pytest.fixture(scope="module")
def year(tmp_path_factory, prepared_database):
    folder = tmp_path_factory.mktemp("year")
    with simulated_year(folder, prepared_database, SWITCHES) as year:
        for week in range(WEEKS):
            if week in CALENDAR:
                CALENDAR[week](year)
            else:
                year.training_file(week)
                if week % 4 == 0:
                    year.forecast_file(week)
            hours = [0, *DAILY, 145.02] if week == 44 else [0, 145.02]
            year.pass_week(week, sorted(hours))
            if week == 45:
                year.daemon.switch_off("daily_scoring")
        yield year


def jobs(year: Year, week: int) -> list[tuple[str, str]]:
    return [(cause, job) for cause, job, _ in year.weeks[week].runs]


def test_an_ordinary_week_trains_once_and_scores_with_what_it_decided(year):
    for week in range(WEEKS):
        if week in CALENDAR or week - 1 in CALENDAR or week == 45:
            continue
        report = year.weeks[week]
        new_forecast = week % 4 == 0 and week > 0
        between = [(*RESCORED, "SUCCESS")] if new_forecast else []
        assert report.runs == [(*MAIN, "SUCCESS"), *between, (*FINISH, "SUCCESS")], week
        assert report.trainings == ["started"], week
        assert len(report.audit) == 1, week


@pytest.mark.parametrize("week", [4, 8, 14])
def test_a_file_that_breaks_the_contract_stops_at_the_door_once(year, week):
    report = year.weeks[week]
    assert report.runs[0] == (*MAIN, "FAILURE")
    assert report.live == year.weeks[week - 1].live
    # Nothing new was trained for a week, so on Monday the data that is there is trained again.
    assert [cause for cause, _, _ in report.runs[1:]] == ["weekly_retraining"]


@pytest.mark.parametrize("week", [5, 9, 15, 19])
def test_the_corrected_or_late_file_is_worked_through_as_ever(year, week):
    assert year.weeks[week].runs == [(*MAIN, "SUCCESS"), (*FINISH, "SUCCESS")]
    assert year.weeks[week].trainings == ["started"]


def test_an_unknown_column_is_left_out_and_trained_without(year):
    assert year.weeks[12].runs == [(*MAIN, "SUCCESS"), (*FINISH, "SUCCESS")]


@pytest.mark.parametrize("week", [17, 18])
def test_without_a_new_file_only_the_weekly_retraining_runs(year, week):
    assert jobs(year, week) == [("weekly_retraining", "train"), FINISH]


def test_the_same_rows_in_another_order_of_columns_train_nothing(year):
    assert year.weeks[21].trainings[0] == "unchanged"
    assert jobs(year, 21)[0] == MAIN
    assert jobs(year, 21)[1:] == [("weekly_retraining", "train"), FINISH]


def test_a_correction_of_the_past_is_trained_on(year):
    assert year.weeks[23].trainings == ["started"]


def test_after_the_habits_changed_models_that_know_it_go_live(year):
    after = [row[0] for week in range(27, 34) for row in year.weeks[week].audit]
    assert after.count("promote") >= 3
    reasons = [said for week in range(27, 34) for said in year.weeks[week].reasons]
    assert any("knows newer data" in said or "beats version" in said for said in reasons)


def test_a_drifted_forecast_is_scored_and_asks_for_a_training_once(year):
    assert jobs(year, 29).count(SCORED) == 1
    assert jobs(year, 29).count(("retrain_on_drift", "train")) == 1


def test_a_model_of_nonsense_is_registered_and_not_promoted(year):
    [(action, live, same, _)] = year.weeks[34].audit
    assert (action, live, same) == ("keep", year.weeks[33].live, year.weeks[33].live)


def test_a_broken_training_fails_visibly_once_and_the_live_model_stays(year):
    assert year.weeks[36].runs[:2] == [(*MAIN, "SUCCESS"), (*FINISH, "FAILURE")]
    assert jobs(year, 36).count(FINISH) <= 2
    assert year.weeks[36].live is not None
    finished = year.weeks[36].runs.count((*FINISH, "SUCCESS"))
    assert len(year.weeks[36].audit) == finished


def test_a_bad_model_that_was_forced_is_rolled_back_once_and_scored_away(year):
    before = year.weeks[40].live
    actions = [action for action, *_ in year.weeks[41].audit]
    assert year.weeks[40].audit[-1][0] == "keep"
    assert actions[:2] == ["force", "rollback"]
    assert year.weeks[41].audit[1][2] == before
    assert jobs(year, 41).count(("rollback_bad_model", "rollback")) == 1
    undone = jobs(year, 41).index(("rollback_bad_model", "rollback"))
    assert jobs(year, 41)[undone + 1] == RESCORED


def test_daily_scoring_runs_once_a_day(year):
    runs = Counter(jobs(year, 44))
    # Switched on on Monday before 05:00, until the Monday after: eight mornings.
    assert runs["daily_scoring", "score"] == 8


def test_each_training_is_finished_by_exactly_one_run(year):
    instance = year.daemon.instance
    started = [
        record.asset_materialization
        for record in instance.fetch_materializations(
            dg.AssetKey(SPEC.run_asset), limit=1000
        ).records
    ]
    ids = [
        event.metadata["job_id"].value
        for event in started
        if event.metadata["submission"].value == "started"
    ]
    assert len(set(ids)) == len(ids)
    finishing = Counter(
        run.tags["bikecast/job_id"]
        for run in instance.get_runs(dg.RunsFilter(job_name="finish_training"))
    )
    assert finishing == Counter(ids)


def test_each_cause_has_one_run(year):
    keys = Counter(
        (run.tags.get("dagster/sensor_name"), run.tags["dagster/run_key"])
        for run in year.daemon.instance.get_runs()
        if "dagster/run_key" in run.tags
    )
    assert set(keys.values()) == {1}


def test_no_version_was_decided_twice_and_the_audit_is_a_chain(year):
    rows = [row for week in range(WEEKS) for row in year.weeks[week].audit]
    promoted = [candidate for action, _, _, candidate in rows if action in ("promote", "keep")]
    assert len(set(promoted)) == len(promoted)
    live = None
    for _, before, after, _ in rows:
        assert before == live or live is None
        live = after


def test_no_day_was_lost_or_doubled(year):
    days = open_table(year.resources.lake, SPEC.training_table_path).to_table()
    wanted = [row["dteday"] for row in world.days_until(WEEKS - 1)]
    assert sorted(days["dteday"].to_pylist()) == wanted


def test_the_last_predictions_are_those_of_the_live_model(year):
    rows = saved_predictions(year.resources.sql_pool, SPEC)
    assert {row["model_version"] for row in rows} == {year.weeks[WEEKS - 1].live}


def test_no_run_is_left_unfinished(year):
    assert {run.is_finished for run in year.daemon.instance.get_runs()} == {True}
