"""What the event log knows of an asset's latest materialization."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

DATA_VERSION_TAG = "dagster/data_version"


def latest_materialization(
    instance: dg.DagsterInstance, asset: str
) -> dg.AssetMaterialization | None:
    """The latest materialization of an asset by name, or None."""
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    return event.asset_materialization if event else None


def latest_data_version(instance: dg.DagsterInstance, asset: str) -> str | None:
    """Data version of the latest materialization, or None where there is none."""
    event = latest_materialization(instance, asset)
    return (event.tags or {}).get(DATA_VERSION_TAG) if event else None


def latest_metadata(instance: dg.DagsterInstance, asset: str, key: str) -> object | None:
    """One metadata value of the latest materialization, or None."""
    event = latest_materialization(instance, asset)
    value = event.metadata.get(key) if event else None
    return value.value if value is not None else None


def shown_of(instance: dg.DagsterInstance, asset: str, *, rows: str) -> dict[str, dg.MetadataValue]:
    """Row count, under the key `rows`, and preview of the asset's latest materialization."""
    event = latest_materialization(instance, asset)
    metadata = event.metadata if event else {}
    names = {"dagster/row_count": rows, "preview": "preview"}
    return {key: metadata[name] for name, key in names.items() if name in metadata}


def submissions(
    instance: dg.DagsterInstance, run_asset: str, job_id: str
) -> list[tuple[float, dg.AssetMaterialization]]:
    """The latest submissions of a job, newest first, each with its time in seconds since 1970."""
    records = instance.fetch_materializations(dg.AssetKey(run_asset), limit=200).records
    return [
        (record.timestamp, event)
        for record in records
        if (event := record.asset_materialization)
        and (event.tags or {}).get(DATA_VERSION_TAG) == job_id
    ]


def kept_metadata(
    instance: dg.DagsterInstance, asset: str, data_version: str, names: Sequence[str]
) -> dict[str, dg.MetadataValue]:
    """These parts of the last materialization's metadata where the data has not changed since."""
    last = latest_materialization(instance, asset)
    if last is None or (last.tags or {}).get(DATA_VERSION_TAG) != data_version:
        return {}
    return {name: last.metadata[name] for name in names if name in last.metadata}
