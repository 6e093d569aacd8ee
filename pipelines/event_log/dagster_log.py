"""The event log of any Dagster instance, such as one that is kept in PostgreSQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from pipelines.event_log.port import UNDER_WAY, Materialization, RunRecord

_PAGE = 100


class DagsterLog:
    """Asks the instance; implements EventLog."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def run(self, run_id: str) -> RunRecord | None:
        """See EventLog."""
        return next(iter(self._runs(dg.RunsFilter(run_ids=[run_id]), 1)), None)

    def last_run(self) -> RunRecord | None:
        """See EventLog."""
        return next(iter(self._runs(None, 1)), None)

    def runs_under_way(self) -> list[RunRecord]:
        """See EventLog."""
        statuses = [dg.DagsterRunStatus(status) for status in UNDER_WAY]
        return self._runs(dg.RunsFilter(statuses=statuses))

    def _runs(self, which: dg.RunsFilter | None, limit: int | None = None) -> list[RunRecord]:
        return [
            RunRecord(
                run_id=record.dagster_run.run_id,
                job=record.dagster_run.job_name,
                status=record.dagster_run.status.value,
                created=record.create_timestamp.replace(tzinfo=dt.UTC),
                tags=record.dagster_run.tags,
            )
            for record in self._instance.get_run_records(which, limit=limit)
        ]

    def materializations(
        self, asset: str, *, before: int | None = None
    ) -> Iterator[Materialization]:
        """See EventLog."""
        which = dg.AssetRecordsFilter(dg.AssetKey(asset), before_storage_id=before)
        cursor: str | None = None
        while True:
            page = self._instance.fetch_materializations(which, limit=_PAGE, cursor=cursor)
            for record in page.records:
                event = record.asset_materialization
                if event is None:
                    continue
                yield Materialization(
                    storage_id=record.storage_id,
                    run_id=record.run_id,
                    time=record.timestamp,
                    metadata={
                        name: value.value
                        for name, value in event.metadata.items()
                        if isinstance(value.value, (str, int, float))
                    },
                    tags=dict(event.tags or {}),
                )
            cursor = page.cursor
            if not page.has_more:
                return

    def switches(self, location: str) -> dict[str, str]:
        """See EventLog."""
        return {
            state.instigator_name: state.status.value
            for state in self._instance.all_instigator_state()
            if state.origin.repository_origin.code_location_origin.location_name == location
        }
