"""What the event log knows of an asset's latest materialization."""

from __future__ import annotations

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


def shown_of(instance: dg.DagsterInstance, asset: str) -> dict[str, dg.MetadataValue]:
    """Row count and preview as the asset's latest materialization has them."""
    event = latest_materialization(instance, asset)
    metadata = event.metadata if event else {}
    return {name: metadata[name] for name in ("dagster/row_count", "preview") if name in metadata}


def submission_metadata(
    instance: dg.DagsterInstance, run_asset: str, job_id: str
) -> dict[str, object]:
    """Metadata of the latest submission of a job; empty where it is not in the event log."""
    for record in instance.fetch_materializations(dg.AssetKey(run_asset), limit=200).records:
        event = record.asset_materialization
        if event and (event.tags or {}).get(DATA_VERSION_TAG) == job_id:
            return {name: value.value for name, value in event.metadata.items()}
    return {}
