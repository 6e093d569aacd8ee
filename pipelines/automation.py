"""When things run by themselves, and how old they may get.

Each condition has a name and a reason. All of it is off until somebody switches the sensor
`automation` of the model on; the file sensor and the schedules are separate switches.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TypeAlias

import dagster as dg

from bikecast.core.spec import ModelSpec
from pipelines.jobs import ROLLBACK_TAG

Condition: TypeAlias = dg.AutomationCondition


def reload_new_forecast() -> Condition:
    """The scoring table follows its file: when the file's content changed, not its time."""
    return (
        dg.AutomationCondition.any_deps_match(
            dg.AutomationCondition.data_version_changed()
        ).since_last_handled()
        & ~dg.AutomationCondition.in_progress()
        & ~dg.AutomationCondition.any_deps_missing()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & dg.AutomationCondition.all_deps_blocking_checks_passed()
    ).with_label("reload_new_forecast")


def rescore_on_change() -> Condition:
    """Predictions follow the live model and the rows to score, a rollback included."""
    updated = dg.AutomationCondition.data_version_changed()
    undone = updated & dg.AutomationCondition.executed_with_tags(tag_keys={ROLLBACK_TAG})
    changed = dg.AutomationCondition.any_deps_match(
        updated | dg.AutomationCondition.will_be_requested()
    )
    # A change in the tick in which an earlier one counts as handled is lost with it. A rollback
    # may follow the scoring that was its cause so closely, so the next tick looks at it too.
    just_before = (~dg.AutomationCondition.any_deps_match(undone)).newly_true()
    return (
        (changed | just_before).since_last_handled()
        & ~dg.AutomationCondition.in_progress()
        & ~dg.AutomationCondition.any_deps_missing()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & dg.AutomationCondition.all_deps_blocking_checks_passed()
    ).with_label("rescore_on_change")


def conditions(spec: ModelSpec) -> dict[str, Condition]:
    """The condition of each asset that has one. The training and its end have none: the file
    sensor and the schedule start trainings, and the polling sensor ends them.
    """
    return {
        spec.scoring_table: reload_new_forecast(),
        spec.procedure: rescore_on_change(),
        spec.predictions_table: rescore_on_change(),
    }


def freshness(spec: ModelSpec) -> dict[str, dg.FreshnessPolicy]:
    """How old each asset may get before it shows as late, with a warning before that."""
    age = spec.freshness
    trained = _window(age.trained_hours, age.trained_warning_hours)
    scored = _window(age.scored_hours, age.scored_warning_hours)
    return {
        spec.source_asset: trained,
        spec.training_table: trained,
        spec.run_asset: trained,
        spec.model_table: trained,
        f"{spec.model_table}_table": trained,
        f"{spec.scoring_table}_file": scored,
        spec.scoring_table: scored,
        spec.procedure: trained,
        spec.predictions_table: scored,
    }


def _window(late_hours: float, warning_hours: float) -> dg.FreshnessPolicy:
    return dg.FreshnessPolicy.time_window(
        dt.timedelta(hours=late_hours), dt.timedelta(hours=warning_hours)
    )


def automated(spec: ModelSpec, assets: Iterable[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets with their conditions and freshness policies."""
    when, how_old = conditions(spec), freshness(spec)

    def with_policies(asset: dg.AssetSpec) -> dg.AssetSpec:
        name = asset.key.to_user_string()
        if name in when:
            asset = asset.replace_attributes(automation_condition=when[name])
        return dg.apply_freshness_policy(asset, how_old[name]) if name in how_old else asset

    return [asset.map_asset_specs(with_policies) for asset in assets]


def automation_sensor(spec: ModelSpec) -> dg.AutomationConditionSensorDefinition:
    """Evaluates the conditions; off by default."""
    return dg.AutomationConditionSensorDefinition(
        spec.named("automation"),
        target=dg.AssetSelection.assets(*conditions(spec)),
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Reloads a changed forecast and scores again after a change of model or "
        "forecast. Off until switched on here.",
    )
