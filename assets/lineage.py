"""The whole lineage of one model."""

from __future__ import annotations

import dagster as dg

from assets.by_day import daily_assets
from assets.lake import lake_assets
from assets.live_model.asset import promotion_assets
from assets.rescored import rescored_rows
from assets.serving import serving_assets
from assets.training import training_assets
from assets.training_table import training_table_assets
from bikecast.core.spec import ModelSpec


def model_assets(
    spec: ModelSpec,
    *,
    training_code: tuple[str, ...],
    always_promote: bool = False,
    by_row: bool = False,
) -> list[dg.AssetsDefinition]:
    """All assets of a spec, from the CSV files to the predictions; `by_row` also that of rows that
    are scored again by number.

    `training_code` is the AutoML adapter's: what decides a model beside data and settings.
    `always_promote` makes every new version live, without a comparison.
    """
    return [
        *lake_assets(spec),
        *training_table_assets(spec),
        *training_assets(spec, training_code),
        *promotion_assets(spec, always_promote=always_promote),
        *serving_assets(spec),
        *daily_assets(spec),
        *([rescored_rows(spec)] if by_row else []),
    ]
