"""Polling long jobs from a sensor: what was submitted, what has ended, what the cursor keeps."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import dagster as dg

from assets.events import DATA_VERSION_TAG
from assets.waiting import JOB_ID, WAITS_FOR
from bikecast.core.jobs import Awaited, JobStatus

NEW_SUBMISSIONS_A_TICK = 100
POLLS_A_TICK = 25
#: A tick that takes longer is cut off by Dagster; what was not asked has its turn in the next.
TICK_SECONDS = 20.0


@dataclass
class PollCursor:
    """What a sensor remembers: the last event read of each asset, and the jobs that had not ended
    then, each with its asset.

    A cursor of an earlier version, for one model, has one number and no assets: it counts for
    every asset, under the name "". `aligned_at` (seconds since the epoch) and `last_run` say when
    the registry's aliases were last compared with the pool, and after which change of a run;
    `last_run` of the sensor of Spark jobs is the change after which events were last read.
    """

    after: dict[str, int] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    aligned_at: float = 0.0
    last_run: str = ""

    @classmethod
    def parse(cls, text: str | None) -> PollCursor:
        """Read a cursor; a lost or damaged one starts from the first event again."""
        try:
            value = json.loads(text or "{}")
            after, pending = value.get("after", {}), value.get("pending", {})
            return cls(
                {str(asset): int(number) for asset, number in after.items()}
                if isinstance(after, dict)
                else {"": int(after)},
                {str(job): str(asset) for job, asset in pending.items()}
                if isinstance(pending, dict)
                else {str(job): "" for job in pending},
                float(value.get("aligned_at", 0.0)),
                str(value.get("last_run", "")),
            )
        except (ValueError, TypeError, AttributeError):
            return cls()

    def dump(self) -> str:
        """The cursor as text."""
        return json.dumps(vars(self))

    def new_events_of(self, asset: str) -> dg.AssetRecordsFilter:
        """What selects the events of an asset that were not read yet."""
        after = self.read_up_to(asset) or None
        return dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), after_storage_id=after)

    def read_up_to(self, asset: str) -> int:
        """Storage id of the last event of an asset that was read."""
        return self.after.get(asset, self.after.get("", 0))

    def add(self, job_id: str, asset: str) -> None:
        """Remember a job until it has ended."""
        self.pending.setdefault(job_id, asset)


def latest_change(instance: dg.DagsterInstance) -> str:
    """The run whose state changed last, and when; empty where there is no run."""
    latest = instance.get_run_records(limit=1, order_by="update_timestamp")
    return f"{latest[0].dagster_run.run_id} {latest[0].update_timestamp}" if latest else ""


def with_new_submissions(
    instance: dg.DagsterInstance, run_assets: Sequence[str], cursor: PollCursor
) -> list[str]:
    """Those of the assets that have events which `read_submissions` did not read: one look at all
    of them costs about as much as a look at one."""
    records = instance.get_asset_records([dg.AssetKey(asset) for asset in run_assets])
    latest = {
        record.asset_entry.asset_key.to_user_string(): (
            record.asset_entry.last_materialization_storage_id or 0
        )
        for record in records
    }
    return [asset for asset in run_assets if latest.get(asset, 0) > cursor.read_up_to(asset)]


def read_submissions(instance: dg.DagsterInstance, run_asset: str, cursor: PollCursor) -> None:
    """Add the jobs submitted since the cursor to its pending ones, a bounded number a tick."""
    records = instance.fetch_materializations(
        cursor.new_events_of(run_asset), limit=NEW_SUBMISSIONS_A_TICK, ascending=True
    ).records
    for record in records:
        cursor.after[run_asset] = record.storage_id
        event = record.asset_materialization
        job_id = (event.tags or {}).get(DATA_VERSION_TAG) if event else None
        if job_id:
            cursor.add(job_id, run_asset)


def read_waiting(
    instance: dg.DagsterInstance, asset: str, awaited: Awaited, cursor: PollCursor
) -> bool:
    """Add the jobs that an asset began to wait for since the cursor to its pending ones, a bounded
    number a tick; returns whether all of them were read."""
    records = instance.fetch_observations(
        cursor.new_events_of(asset), limit=NEW_SUBMISSIONS_A_TICK, ascending=True
    ).records
    for record in records:
        cursor.after[asset] = record.storage_id
        if job_id := awaited_job(record.asset_observation, awaited):
            cursor.add(job_id, asset)
    return len(records) < NEW_SUBMISSIONS_A_TICK


def awaited_job(observation: dg.AssetObservation | None, awaited: Awaited) -> str | None:
    """The job that an observation says an asset waits for; None for any other observation."""
    metadata = observation.metadata if observation else {}
    facts = {name: str(metadata[name].value) for name in (WAITS_FOR, JOB_ID) if name in metadata}
    return facts.get(JOB_ID) if facts.get(WAITS_FOR) == awaited else None


def poll(
    cursor: PollCursor, status_of: Callable[[str], JobStatus], warn: Callable[[str], object]
) -> list[tuple[str, JobStatus]]:
    """Poll the next pending jobs and take the ended ones, with their assets, out of the cursor.

    Jobs take turns, so that a bounded tick reaches all of them; an error of one job is a warning
    and the job stays pending.
    """
    ended: list[tuple[str, JobStatus]] = []
    begun = time.monotonic()
    for job_id, asset in list(cursor.pending.items())[:POLLS_A_TICK]:
        if time.monotonic() - begun > TICK_SECONDS:
            break
        del cursor.pending[job_id]
        try:
            status = status_of(job_id)
        except Exception as error:  # noqa: BLE001  # one job must not block the others
            warn(f"job {job_id} could not be polled and stays pending: {error}")
            cursor.pending[job_id] = asset
            continue
        if status.state.is_terminal:
            ended.append((asset, status))
        else:
            cursor.pending[job_id] = asset  # behind the others
    return ended


def finished_jobs(instance: dg.DagsterInstance, model_asset: str) -> set[str]:
    """Jobs whose model was registered lately, by whatever run did it."""
    records = instance.fetch_materializations(dg.AssetKey(model_asset), limit=100).records
    values = (
        record.asset_materialization.metadata.get("job_id")
        for record in records
        if record.asset_materialization
    )
    return {str(value.value) for value in values if value is not None}
