"""Daily partitions: the last forecast and the last prediction of each day, to be scored again.

They stand beside the main chain, which always scores one whole file. A range of days is one run
and one transaction a table.
"""

import datetime as dt
import warnings

import dagster as dg
from pydantic import Field

from assets.column_lineage import KEY, copied, predicted
from assets.failures import shown_to_people
from assets.lake import FILE_CODE
from assets.limits import POOL_WRITER, RETRY
from assets.live_model.live_model import LiveModel
from assets.metadata import stopwatch, table_preview
from assets.serving import predictions_digest
from assets.table_columns import column_schema, typed_schema
from bikecast.core.code_version import code_version
from bikecast.core.errors import InvalidInput
from bikecast.core.spec import FORECAST_ROW, ModelSpec
from resources.lake.port import Lake, LakeFile
from resources.lake.scoring_rows import scoring_rows, stage_some_rows
from resources.registry.port import Registry
from resources.sql_pool.daily import Days, load_days, score_days
from resources.sql_pool.deployment import prediction_types
from resources.sql_pool.port import SqlPool

#: Forecasts reach into the future: a year of partitions after today.
DAYS_AHEAD = 366
_CODE = (
    "assets/by_day.py",
    "resources/sql_pool/daily.py",
    "resources/sql_pool/sql/score_range.sql",
)


class RescoreConfig(dg.Config):
    """Which model scores the days."""

    model_version: int | None = Field(
        None, description="Any registered version. Empty: the live one.", ge=1
    )


def daily_partitions(spec: ModelSpec) -> dg.DailyPartitionsDefinition:
    """The days of a spec. Raises ValueError where it has none."""
    if spec.first_day is None:
        raise ValueError(f"{spec.model_name} has no daily partitions")
    return dg.DailyPartitionsDefinition(spec.first_day, end_offset=DAYS_AHEAD)


def daily_assets(spec: ModelSpec) -> list[dg.AssetsDefinition]:
    """The rows to score and the predictions by day; none for a spec without days."""
    if spec.first_day is None:
        return []
    with warnings.catch_warnings():  # backfill policies are beta for as long as Dagster 1.13 is
        warnings.simplefilter("ignore", dg.BetaWarning)
        return [_scoring_days(spec), _predicted_days(spec)]


def daily_asset_names(spec: ModelSpec) -> list[str]:
    """Names of the assets that `daily_assets` makes."""
    return [key.to_user_string() for asset in daily_assets(spec) for key in asset.keys]


def _scoring_days(spec: ModelSpec) -> dg.AssetsDefinition:
    columns = (FORECAST_ROW, *spec.keys, *spec.features)

    @dg.asset(
        name=f"{spec.scoring_table}_by_day",
        deps=[f"{spec.scoring_table}_file"],
        partitions_def=daily_partitions(spec),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=spec.named("by_day"),
        kinds={"sql"},
        pool=POOL_WRITER,
        retry_policy=RETRY,
        owners=list(spec.owners),
        code_version=code_version(*_CODE, *FILE_CODE),
        description=f"`{spec.schema}.{spec.scoring_table}_by_day`: the last forecast of each day. "
        "A day that the file has is replaced, any other keeps its rows.",
    )
    def scoring_days(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        sql_pool: dg.ResourceParam[SqlPool],
    ) -> dg.MaterializeResult:
        seconds = stopwatch()
        days = _days(context)
        with shown_to_people():
            staged = stage_days(lake, spec, days)
            rows = load_days(sql_pool, spec, days, url=lake.copy_url(staged.path))
            if missing := [day for day in days.all() if day not in rows]:
                raise InvalidInput(_without_forecast(spec, missing, list(rows)))
        return dg.MaterializeResult(
            data_version=dg.DataVersion(staged.digest),
            metadata={
                "dagster/table_name": f"{spec.schema}.{spec.scoring_table}_by_day",
                "dagster/partition_row_count": sum(rows.values()),
                "dagster/column_schema": column_schema(columns, spec),
                KEY: copied(f"{spec.scoring_table}_file", [c.name for c in columns[1:]]),
                "days": len(rows),
                "seconds": seconds(),
            },
        )

    return scoring_days


def _predicted_days(spec: ModelSpec) -> dg.AssetsDefinition:
    @dg.asset(
        name=f"{spec.predictions_table}_by_day",
        deps=[f"{spec.scoring_table}_by_day", f"{spec.model_table}_table"],
        partitions_def=daily_partitions(spec),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=spec.named("by_day"),
        kinds={"sql"},
        pool=POOL_WRITER,
        retry_policy=RETRY,
        owners=list(spec.owners),
        code_version=code_version(*_CODE),
        description=f"`{spec.schema}.{spec.predictions_table}_by_day`: the last prediction of each "
        "day, by the live model or by the version in the config.",
    )
    def predicted_days(
        context: dg.AssetExecutionContext,
        config: RescoreConfig,
        lake: dg.ResourceParam[Lake],
        registry: dg.ResourceParam[Registry],
        sql_pool: dg.ResourceParam[SqlPool],
    ) -> dg.MaterializeResult:
        seconds = stopwatch()
        days = _days(context)
        with shown_to_people():
            model = LiveModel(registry, sql_pool, lake, spec).scorer(config.model_version)
            rows = score_days(sql_pool, spec, days, model, run_id=context.run.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(predictions_digest(spec, rows)),
            metadata={
                "dagster/table_name": f"{spec.schema}.{spec.predictions_table}_by_day",
                "dagster/partition_row_count": len(rows),
                "dagster/column_schema": typed_schema(prediction_types(spec), spec),
                KEY: predicted(
                    spec,
                    f"{spec.scoring_table}_by_day",
                    (FORECAST_ROW, *spec.keys, *spec.features),
                ),
                "model_version": model.version,
                "preview": dg.MetadataValue.md(table_preview(rows)),
                "seconds": seconds(),
            },
        )

    return predicted_days


def stage_days(lake: Lake, spec: ModelSpec, days: Days) -> LakeFile:
    """The rows to score of a range of days as a file; only these are read.

    Raises InvalidInput for a file whose rows do not say for which day they are.
    """
    import pyarrow.dataset as ds

    rows, key = scoring_rows(lake, spec), ds.field(str(spec.time_key))
    if without := rows.dataset.count_rows(filter=key.is_null()):
        is_absent = spec.time_key in rows.absent
        lacking = "no column" if is_absent else f"{without} rows without a"
        raise InvalidInput(
            f"{spec.scoring_file} has {lacking} {spec.time_key}, so its rows are numbered and "
            "belong to no day. Nothing was changed. Daily partitions take a file with the day of "
            "each row, or one whose first day `bikecast run --forecast FILE --start-date DAY` "
            f"says; {spec.predictions_table} scores the file as a whole."
        )
    within = (key >= days.first) & (key <= days.last)
    return stage_some_rows(lake, rows, within, f"{spec.scoring_table}_by_day")


def _days(context: dg.AssetExecutionContext) -> Days:
    keys = context.partition_key_range
    return Days(dt.date.fromisoformat(keys.start), dt.date.fromisoformat(keys.end))


def _without_forecast(spec: ModelSpec, missing: list[dt.date], loaded: list[dt.date]) -> str:
    days = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
    there = f"there are {loaded[0]} to {loaded[-1]}" if loaded else "there is none of the range"
    return (
        f"No forecast is known for {len(missing)} of the days: {days}; {there}. No prediction "
        f"was changed. Ask for days that {spec.scoring_file} has, or had before."
    )
