"""Which version is live, and why: on a real registry, pool, training table and event log."""

import pytest

from bikecast.core.errors import InvalidInput
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from resources.registry.mlflow_registry import MlflowRegistry
from resources.sql_pool.model_table import audit_trail
from tests.unit.assets.conftest import BAD, BETTER, GOOD


def test_the_first_version_is_always_promoted_and_the_alias_follows(stage):
    stage.register(BAD)
    done = stage.promote_in_a_run()
    assert (done["version"], done["decision"]) == (1, "promote")
    assert stage.trail == [("promote", None, 1, 1)]
    assert stage.alias == [1]


@pytest.mark.slow
def test_a_better_version_is_promoted_and_the_same_again_changes_nothing(stage):
    stage.register(BAD)
    stage.promote()
    stage.register(GOOD)
    assert stage.promote().changed
    again = stage.promote_in_a_run()
    assert (again["version"], again["changed"], again["decision"]) == (2, False, "nothing changes")
    assert stage.trail == [("promote", None, 1, 1), ("promote", 1, 2, 2)]
    assert stage.alias == [2]


def test_a_version_that_is_no_better_stays_registered_with_its_reason(stage):
    stage.register(GOOD)
    stage.promote()
    stage.register(GOOD * 1.001)
    kept = stage.promote_in_a_run()
    assert (kept["version"], kept["candidate"], kept["decision"]) == (1, 2, "keep")
    assert "does not beat version 1 beyond noise on the latest 146 rows" in kept["reason"]
    assert "segments" in kept
    assert "comparison" in kept
    assert stage.trail[-1] == ("keep", 1, 1, 2)
    assert stage.promote().reason == kept["reason"]
    assert len(stage.trail) == 2


def test_with_new_data_a_version_that_is_not_worse_is_promoted(stage):
    stage.register(GOOD)
    stage.promote()
    stage.training_data("data-2", years=3)
    stage.register(GOOD * 1.001, data_version="data-2")
    done = stage.promote_in_a_run()
    assert done["version"] == 2
    assert "knows newer data and is not worse" in done["reason"]


def test_two_pipes_are_not_one_source(stage):
    stage.register(BAD, trained_on="standard input")
    stage.promote()
    stage.training_data("data-2", offset=1)
    stage.register(GOOD, data_version="data-2", trained_on="standard input")
    assert "was trained on other data (standard input)" in stage.promote().reason


def test_a_version_waits_where_nothing_tells_what_the_champion_was_trained_on(stage):
    stage.register(BAD, data_version="vacuumed")
    stage.promote()
    stage.register(GOOD, trained_on="mine.csv")
    waits = stage.promote()
    assert (stage.live, waits.action) == (1, "keep")
    assert "whether these are the same data cannot be told" in waits.reason


def test_a_version_of_another_source_waits_and_is_not_compared(stage):
    stage.register(BAD, trained_on="the simulated sample")
    stage.promote()
    stage.training_data("data-2", offset=1)
    stage.register(GOOD, data_version="data-2", trained_on="mine.csv")
    waits = stage.promote()
    assert (stage.live, waits.candidate.version, waits.action) == (1, 2, "keep")
    assert "was trained on other data (mine.csv) than version 1 (the simulated" in waits.reason
    assert "RMSE" not in waits.reason
    assert stage.promote().reason == waits.reason
    stage.promote(force=True)
    assert stage.live == 2


@pytest.mark.parametrize("source", ["january.csv", "february.csv"])
def test_a_later_export_of_the_same_rows_is_compared_whatever_its_name(stage, source):
    stage.register(GOOD, trained_on="january.csv")
    stage.promote()
    stage.training_data("data-2", offset=0)
    stage.register(GOOD * 1.001, data_version="data-2", trained_on=source)
    reason = stage.promote().reason
    assert "was trained on the data that is there now and is not worse" in reason


def test_a_model_whose_source_was_not_recorded_is_judged_by_its_rows(stage):
    stage.register(BAD)
    stage.promote()
    stage.training_data("data-2", offset=1)
    stage.register(GOOD, data_version="data-2", trained_on="mine.csv")
    assert "(a source that was not recorded)" in stage.promote().reason


def test_with_new_data_a_version_that_is_worse_is_not_promoted(stage):
    stage.register(GOOD)
    stage.promote()
    stage.training_data("data-2")
    stage.register(BAD, data_version="data-2")
    assert stage.promote().action == "keep"
    assert stage.live == 1
    assert stage.alias == [1]


def test_a_version_that_ranks_like_chance_is_below_the_floor(stage):
    stage.register(BAD)
    stage.promote()
    stage.register(GOOD, time_ordered_spearman=0.02, time_ordered_rmse=300.0)
    kept = stage.promote()
    assert kept.action == "keep"
    assert "below a floor" in kept.reason


def test_force_promotes_without_a_comparison(stage):
    stage.register(GOOD)
    stage.promote()
    stage.register(BAD)
    assert stage.promote_in_a_run(force=True)["decision"] == "force"
    assert stage.trail[-1] == ("force", 1, 2, 2)


def test_a_rollback_restores_byte_equal_predictions_and_holds(stage):
    stage.register(GOOD)
    stage.promote()
    before = stage.score()
    stage.register(BETTER)
    stage.promote(force=True)
    assert stage.score()[0][SPEC.output] != before[0][SPEC.output]
    assert stage.roll_back_in_a_run().success
    assert stage.trail[-1] == ("rollback", 2, 1, 1)
    assert stage.alias == [1]
    volatile = ("run_id", "predicted_at")
    after = [{k: v for k, v in row.items() if k not in volatile} for row in stage.score()]
    assert after == [{k: v for k, v in row.items() if k not in volatile} for row in before]
    held = stage.promote()
    assert stage.live == 1
    assert "rolled back from version 2" in held.reason


@pytest.mark.slow
def test_a_newer_version_may_win_after_a_rollback(stage):
    stage.register(BAD)
    stage.promote()
    stage.register(BAD * 1.1)
    stage.promote(force=True)
    stage.roll_back()
    stage.register(GOOD)
    stage.promote()
    assert stage.live == 3


@pytest.mark.parametrize("data_version", ["data-1", "data-2"])
@pytest.mark.slow
def test_the_same_model_under_a_new_number_does_not_undo_a_rollback(stage, data_version):
    stage.register(BAD)
    stage.promote()
    stage.register(GOOD)
    stage.promote()
    assert stage.live == 2
    stage.roll_back()
    stage.training_data(data_version)
    stage.register(GOOD, data_version=data_version)
    again = stage.promote()
    assert (stage.live, again.candidate.version, again.changed) == (1, 3, False)
    assert "makes version 3, the same model as 2, live" in again.reason
    stage.promote(force=True)
    assert stage.live == 3


@pytest.mark.slow
def test_two_rollbacks_go_two_versions_back(stage):
    for weight in (BAD, GOOD, BETTER):
        stage.register(weight)
        stage.promote(force=True)
    stage.roll_back()
    assert stage.live == 2
    stage.roll_back()
    assert stage.live == 1


def test_a_rollback_to_an_unknown_version_fails_its_run_and_changes_nothing(stage):
    stage.register(GOOD)
    stage.promote()
    done = stage.roll_back_in_a_run(9)
    assert not done.success
    [failure] = [event for event in done.all_events if event.is_step_failure]
    assert "known versions: 1" in failure.step_failure_data.user_failure_data.description
    assert stage.trail == [("promote", None, 1, 1)]


def test_a_rollback_to_nothing_fails_and_changes_nothing(stage):
    stage.register(GOOD)
    stage.promote()
    with pytest.raises(InvalidInput, match="No version was live before"):
        stage.roll_back()
    assert stage.trail == [("promote", None, 1, 1)]


class AliasIsKilled(MlflowRegistry):
    """A registry whose process dies where the alias would move."""

    def set_alias(self, name: str, alias: str, version: int) -> None:
        raise KeyboardInterrupt


@pytest.mark.slow
def test_a_kill_between_pool_and_alias_is_reconciled(stage):
    stage.register(BAD)
    stage.promote()
    stage.register(GOOD)
    healthy, stage.registry = (
        stage.registry,
        AliasIsKilled(
            tracking_uri=stage.registry.tracking_uri, artifact_root=stage.registry.artifact_root
        ),
    )
    assert not stage.run(f"{SPEC.model_table}_table").success
    stage.registry = healthy
    assert (stage.live, stage.alias) == (2, [1])
    assert stage.model().align_alias() == 2
    assert stage.alias == [2]
    assert stage.model().align_alias() is None


def test_each_prediction_carries_where_it_comes_from(stage):
    stage.register(GOOD)
    stage.promote()
    [row, *_] = stage.score()
    assert (row["model_version"], row["data_version"], row["code_version"]) == (
        1,
        "data-1",
        "code-1",
    )
    assert audit_trail(stage.pool, SPEC)[0].run_id


def test_models_that_only_have_scores_of_azure_are_compared_and_the_reason_says_what_is_missing(
    stage,
):
    stage.register(BAD, cv_spearman=0.8)
    stage.promote()
    stage.register(GOOD, cv_spearman=0.9)
    done = stage.promote()
    assert (stage.live, done.action) == (2, "promote")
    assert "without an error on rows held back" in done.reason


def test_a_model_whose_only_score_ranks_like_chance_is_below_the_floor(stage):
    stage.register(BAD)
    stage.promote()
    stage.register(GOOD, cv_spearman=0.02)
    assert "below a floor" in stage.promote().reason
