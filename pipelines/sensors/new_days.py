"""The sensor that takes a new forecast over by day and scores its days."""

import dagster as dg

from assets.events import DATA_VERSION_TAG
from bikecast.core.spec import ModelSpec
from pipelines.jobs import ModelJobs, range_tags
from resources.lake.port import Lake

INTERVAL_SECONDS = 30


def day_sensors(spec: ModelSpec, jobs: ModelJobs) -> list[dg.SensorDefinition]:
    """The sensor of a spec with daily partitions, off by default; else none."""
    if jobs.rescore is None:
        return []
    file_asset = f"{spec.scoring_table}_file"

    @dg.sensor(
        name=spec.named("new_days"),
        job=jobs.rescore,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="When the lake has a forecast with new content: take its days over, late and "
        "corrected ones too, and score them once. Off until switched on here.",
    )
    def new_days(
        context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]
    ) -> dg.SensorResult:
        event = context.instance.get_latest_materialization_event(dg.AssetKey(file_asset))
        stored = event.asset_materialization if event else None
        content = (stored.tags or {}).get(DATA_VERSION_TAG, "") if stored else ""
        if event is None or not content or content == context.cursor:
            return dg.SensorResult(skip_reason=dg.SkipReason("no new forecast"))
        days = scored_days(lake, spec)
        if days is None:
            reason = dg.SkipReason(f"the rows of {spec.scoring_file} belong to no day")
            return dg.SensorResult(skip_reason=reason, cursor=content)
        request = dg.RunRequest(run_key=f"days-{content}-{event.run_id}", tags=range_tags(*days))
        return dg.SensorResult(run_requests=[request], cursor=content)

    return [new_days]


def scored_days(lake: Lake, spec: ModelSpec) -> tuple[str, str] | None:
    """First and last day of the forecast file in the lake; None where a row has no day."""
    import pyarrow.dataset as ds

    from resources.lake.scoring_rows import scoring_rows
    from resources.lake.tables import limits_of

    key = str(spec.time_key)
    rows = scoring_rows(lake, spec).dataset
    first, last = limits_of(rows, key)
    if first is None or rows.count_rows(filter=ds.field(key).is_null()):
        return None
    return first.isoformat(), last.isoformat()
