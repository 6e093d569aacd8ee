"""Sensors that react to asset checks: alerts, retraining after drift, undoing a bad promotion."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from assets.checks.warning import DRIFT, MODEL_VERSION, PLAUSIBLE
from assets.events import latest_data_version
from assets.live_model.asset import ACTOR_TAG
from assets.live_model.live_model import LiveModel
from bikecast.core.spec import ModelSpec
from pipelines.jobs import ModelJobs, rollback_config
from pipelines.sensors.alerts import send_alert
from resources.lake.port import Lake
from resources.registry.port import Registry
from resources.sql_pool.port import SqlPool

INTERVAL_SECONDS = 30
DRIFT_TAG = "bikecast/drift"


@dataclass(frozen=True)
class CheckResult:
    """The latest evaluation of one check."""

    evaluation: int
    run_id: str
    passed: bool
    is_error: bool
    description: str
    metadata: Mapping[str, object]


def check_alerts(checked: Iterable[dg.AssetsDefinition], webhook: str) -> dg.SensorDefinition:
    """One alert each time that a check begins to fail, and each time that an error repeats."""
    keys = sorted(key for each in checked for key in each.check_keys)

    @dg.sensor(
        name="check_alerts",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Logs each failed check, and posts it to the webhook where one is set. A "
        "warning that lasts is told once. Off until switched on here.",
    )
    def alert(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        evaluations = _parse(context.cursor)
        alerts = 0
        for key, result in latest_results(context.instance, keys).items():
            name = key.to_user_string()
            before = evaluations.get(name)
            evaluations[name] = result.evaluation if not result.passed else -result.evaluation
            if result.passed or before == result.evaluation:
                continue
            if result.is_error or before is None or before < 0:
                alerts += 1
                text = f"check {name} failed: {result.description or 'no reason given'}"
                context.log.error(text)
                send_alert({"text": text, "run_id": result.run_id, "check": name}, webhook)
        reason = f"{alerts} alerts" if alerts else "no check began to fail"
        return dg.SensorResult(skip_reason=dg.SkipReason(reason), cursor=json.dumps(evaluations))

    return alert


def drift_retraining(spec: ModelSpec, jobs: ModelJobs) -> dg.SensorDefinition:
    """Fetch the training data again and train, once for each forecast content that drifted."""
    key = dg.AssetCheckKey(dg.AssetKey(spec.scoring_table), DRIFT)

    @dg.sensor(
        name=spec.named("retrain_on_drift"),
        job=jobs.train,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="When the rows to score drift away from the training data: read the training "
        "data again and train on what is new. Off until switched on here.",
    )
    def retrain_on_drift(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        result = latest_results(context.instance, [key]).get(key)
        if result is None or result.passed:
            return dg.SensorResult(skip_reason=dg.SkipReason("no drift"))
        content = latest_data_version(context.instance, spec.scoring_table)
        request = dg.RunRequest(
            run_key=f"drift-{content}", tags={DRIFT_TAG: result.description[:200]}
        )
        return dg.SensorResult(run_requests=[request])

    return retrain_on_drift


def bad_model_rollback(spec: ModelSpec, jobs: ModelJobs) -> dg.SensorDefinition:
    """Undo the promotion of a version whose predictions were never plausible.

    A version that passed before stays: then it is the forecast that changed.
    """
    key = dg.AssetCheckKey(dg.AssetKey(spec.predictions_table), PLAUSIBLE)

    @dg.sensor(
        name=spec.named("rollback_bad_model"),
        job=jobs.rollback,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="When the first predictions of a new live version are not plausible: go back "
        "to the version whose predictions were. Off until switched on here.",
    )
    def rollback_bad_model(
        context: dg.SensorEvaluationContext,
        lake: dg.ResourceParam[Lake],
        registry: dg.ResourceParam[Registry],
        sql_pool: dg.ResourceParam[SqlPool],
    ) -> dg.SensorResult:
        history = check_history(context.instance, key, limit=100)
        if not history or history[0].passed:
            return dg.SensorResult(skip_reason=dg.SkipReason("the predictions are plausible"))
        bad = history[0].metadata.get(MODEL_VERSION)
        good = [each.metadata.get(MODEL_VERSION) for each in history if each.passed]
        if bad in good or not isinstance(good[0] if good else None, int):
            return dg.SensorResult(skip_reason=dg.SkipReason("no other version was plausible"))
        live = LiveModel(registry, sql_pool, lake, spec).current()
        if live is None or live.version != bad:
            return dg.SensorResult(skip_reason=dg.SkipReason(f"version {bad} is not live now"))
        request = dg.RunRequest(
            run_key=f"rollback-{bad}-{live.published_at.isoformat()}",
            run_config=rollback_config(spec, int(str(good[0]))),
            tags={ACTOR_TAG: "rollback_bad_model"},
        )
        return dg.SensorResult(run_requests=[request])

    return rollback_bad_model


def latest_results(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]
) -> dict[dg.AssetCheckKey, CheckResult]:
    """The latest finished evaluation of each check that has one; one query."""
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    results = {key: _result(record) for key, record in records.items()}
    return {key: result for key, result in results.items() if result is not None}


def check_history(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, limit: int
) -> list[CheckResult]:
    """The last evaluations of a check, newest first."""
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=limit)
    return [result for record in records if (result := _result(record)) is not None]


def _result(record: Any) -> CheckResult | None:
    """What a record of the event log says; None for an evaluation that is only planned."""
    evaluation = record.evaluation
    if not isinstance(evaluation, dg.AssetCheckEvaluation):
        return None
    return CheckResult(
        record.id,
        record.run_id,
        evaluation.passed,
        evaluation.severity is dg.AssetCheckSeverity.ERROR,
        evaluation.description or "",
        {name: value.value for name, value in evaluation.metadata.items()},
    )


def _parse(cursor: str | None) -> dict[str, int]:
    try:
        return {str(name): int(number) for name, number in json.loads(cursor or "{}").items()}
    except (ValueError, TypeError, AttributeError):
        return {}
