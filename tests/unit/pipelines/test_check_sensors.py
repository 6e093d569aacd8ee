"""What follows from a check: alerts, a retraining, a rollback; on a real event log."""

import contextlib
import datetime as dt
import json

import dagster as dg
import pytest

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.jobs import model_jobs
from pipelines.sensors.checks import bad_model_rollback, check_alerts, drift_retraining

JOBS = model_jobs(SPEC)
NEXT: dict[str, object] = {}


@dg.asset(name=SPEC.scoring_table)
def scoring():
    return dg.MaterializeResult(data_version=dg.DataVersion(str(NEXT["content"])))


@dg.asset(name=SPEC.predictions_table)
def predictions():
    if NEXT.get("broken"):
        raise RuntimeError("before its checks")
    return dg.MaterializeResult()


def result() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=bool(NEXT["passed"]),
        severity=NEXT["severity"],
        description="as told",
        metadata={"model_version": NEXT["version"]},
    )


@dg.asset_check(asset=scoring, name="no_drift")
def no_drift():
    return result()


@dg.asset_check(asset=predictions, name="are_plausible")
def are_plausible():
    return result()


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def evaluate(instance, passed, *, version=1, content="1", severity=dg.AssetCheckSeverity.ERROR):
    NEXT.update(passed=passed, version=version, content=content, severity=severity)
    done = dg.materialize([scoring, predictions, no_drift, are_plausible], instance=instance)
    assert done.success


def break_off(instance):
    """A run that ends before its checks, which stay planned."""
    NEXT.update(broken=True)
    done = dg.materialize([predictions, are_plausible], instance=instance, raise_on_error=False)
    NEXT.update(broken=False)
    assert not done.success


class Live:
    """A pool whose model table has one live version."""

    def __init__(self, version):
        self.version = version

    @contextlib.contextmanager
    def session(self):
        yield self

    def run(self, batch, parameters=()):
        from bikecast.core.sql import ResultSet

        return [ResultSet((), [(self.version, "digest", "job", dt.datetime(2013, 1, 1))])]


def tick(sensor, instance, cursor=None, **resources):
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources)
    return sensor(context)


def rollback(instance, live):
    resources = {"lake": None, "registry": None, "sql_pool": Live(live)}
    return tick(bad_model_rollback(SPEC, JOBS), instance, **resources).run_requests or []


def test_a_version_that_was_never_plausible_is_undone_by_the_last_that_was(instance):
    evaluate(instance, True, version=3)
    evaluate(instance, False, version=5)
    [request] = rollback(instance, live=5)
    config = request.run_config["ops"][f"{SPEC.model_table}_table"]["config"]
    assert config == {"rollback": True, "version": 3}
    assert request.tags["bikecast/actor"] == "rollback_bad_model"
    [again] = rollback(instance, live=5)
    assert again.run_key == request.run_key


def test_checks_that_a_run_has_not_come_to_are_left_out(instance):
    evaluate(instance, True, version=3)
    evaluate(instance, False, version=5)
    break_off(instance)
    assert len(rollback(instance, live=5)) == 1
    told = tick(check_alerts([no_drift, are_plausible], ""), instance).cursor
    assert list(json.loads(told)) == [f"{SPEC.scoring_table}:no_drift"]


def test_a_version_that_was_plausible_before_stays_because_the_forecast_changed(instance):
    evaluate(instance, True, version=3)
    evaluate(instance, True, version=5)
    evaluate(instance, False, version=5)
    assert not rollback(instance, live=5)


def test_a_version_that_is_no_longer_live_is_not_undone(instance):
    evaluate(instance, True, version=3)
    evaluate(instance, False, version=5)
    assert not rollback(instance, live=3)


def test_without_a_plausible_version_there_is_nothing_to_go_back_to(instance):
    assert not rollback(instance, live=1)
    evaluate(instance, False, version=1)
    assert not rollback(instance, live=1)


def test_drift_asks_for_one_training_for_each_content_of_the_forecast(instance):
    sensor = drift_retraining(SPEC, JOBS)
    assert not tick(sensor, instance).run_requests
    evaluate(instance, False, content="hot")
    [first] = tick(sensor, instance).run_requests
    evaluate(instance, False, content="hot")
    [same] = tick(sensor, instance).run_requests
    evaluate(instance, False, content="hotter")
    [other] = tick(sensor, instance).run_requests
    assert first.run_key == same.run_key != other.run_key
    evaluate(instance, True, content="mild")
    assert not tick(sensor, instance).run_requests


def test_each_failed_check_is_told_once(instance, webhook):
    address, received = webhook
    sensor = check_alerts([no_drift, are_plausible], address)
    evaluate(instance, False)
    cursor = tick(sensor, instance).cursor
    cursor = tick(sensor, instance, cursor).cursor
    assert sorted(alert["check"] for alert in received) == [
        f"{SPEC.predictions_table}:are_plausible",
        f"{SPEC.scoring_table}:no_drift",
    ]
    evaluate(instance, True)
    cursor = tick(sensor, instance, cursor).cursor
    assert len(received) == 2


def test_a_warning_that_lasts_is_told_once_and_an_error_each_time(instance, webhook):
    address, received = webhook
    warned = check_alerts([no_drift], address)
    wrong = check_alerts([are_plausible], address)
    cursors = [None, None]
    for severity in (dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.WARN):
        evaluate(instance, False, severity=severity)
        cursors[0] = tick(warned, instance, cursors[0]).cursor
    assert len(received) == 1
    for _ in range(2):
        evaluate(instance, False)
        cursors[1] = tick(wrong, instance, cursors[1]).cursor
    assert len(received) == 3
