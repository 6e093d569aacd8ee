"""The sensor that polls submitted training jobs and finishes the ended ones."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import dagster as dg

from assets.events import DATA_VERSION_TAG
from resources.automl.port import AutoML
from resources.jobs import JobStatus
from resources.registry.port import Registry
from resources.spec import ModelSpec
from resources.sql_pool.port import SqlPool

NEW_SUBMISSIONS_A_TICK = 100
POLLS_A_TICK = 25
ALIGN_SECONDS = 60.0
JOB_TAG = "bikecast/job_id"


@dataclass
class PollCursor:
    """What the sensor remembers: the last event read, and the jobs that had not ended then.

    `aligned_at` (seconds since the epoch) and `last_run` say when the registry's alias was last
    compared with the pool, and after which change of a run.
    """

    after: int = 0
    pending: list[str] = field(default_factory=list)
    aligned_at: float = 0.0
    last_run: str = ""

    @classmethod
    def parse(cls, text: str | None) -> "PollCursor":
        """Read a cursor; a lost or damaged one starts from the first event again."""
        try:
            value = json.loads(text or "{}")
            return cls(
                int(value.get("after", 0)),
                [str(job) for job in value.get("pending", [])],
                float(value.get("aligned_at", 0.0)),
                str(value.get("last_run", "")),
            )
        except (ValueError, TypeError, AttributeError):
            return cls()

    def dump(self) -> str:
        """The cursor as text."""
        return json.dumps(vars(self))


def training_sensor(spec: ModelSpec, job_name: str, *, seconds: int) -> dg.SensorDefinition:
    """Poll the submitted jobs of a spec every `seconds`; on by default.

    `job_name` is the job that finishes a training.
    """

    @dg.sensor(
        name=f"{spec.run_asset}_sensor",
        job_name=job_name,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Waits for submitted training jobs. An ended one, failed or not, gets one "
        "finishing run.",
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        automl: dg.ResourceParam[AutoML],
        registry: dg.ResourceParam[Registry],
        sql_pool: dg.ResourceParam[SqlPool],
    ) -> dg.SensorResult:
        cursor = PollCursor.parse(context.cursor)
        if should_align(context.instance, cursor, time.time()):
            align_alias(spec, registry, sql_pool, context.log.warning)
        read_submissions(context.instance, spec.run_asset, cursor)
        ended = poll(cursor, automl.status, context.log.warning)
        finished = finished_jobs(context.instance, spec.model_table) if ended else set()
        requests = [
            dg.RunRequest(
                run_key=status.job_id,
                run_config={"ops": {spec.model_table: {"config": {"job_id": status.job_id}}}},
                tags={JOB_TAG: status.job_id},
            )
            for status in ended
            if status.job_id not in finished
        ]
        reason = f"{len(cursor.pending)} training jobs still run" if cursor.pending else "no job"
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason(reason),
            cursor=cursor.dump(),
        )

    return sensor


def should_align(instance: dg.DagsterInstance, cursor: PollCursor, now: float) -> bool:
    """Whether the alias is to be compared with the pool: a run changed, or a minute has passed."""
    latest = instance.get_run_records(limit=1, order_by="update_timestamp")
    run = f"{latest[0].dagster_run.run_id} {latest[0].update_timestamp}" if latest else ""
    if run == cursor.last_run and now - cursor.aligned_at < ALIGN_SECONDS:
        return False
    cursor.last_run, cursor.aligned_at = run, now
    return True


def align_alias(
    spec: ModelSpec, registry: Registry, pool: SqlPool, warn: Callable[[str], object]
) -> None:
    """Let the registry's alias follow the pool; an error waits for the next time."""
    from assets.champion import reconcile_alias

    try:
        moved = reconcile_alias(registry, pool, spec)
    except Exception as error:  # noqa: BLE001  # polling must go on
        warn(f"the registry's alias could not be compared with the pool: {error}")
        return
    if moved is not None:
        warn(f"the registry's alias was behind and now points at version {moved}")


def read_submissions(instance: dg.DagsterInstance, run_asset: str, cursor: PollCursor) -> None:
    """Add the jobs submitted since the cursor to its pending ones, a bounded number a tick."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(
            asset_key=dg.AssetKey(run_asset), after_storage_id=cursor.after or None
        ),
        limit=NEW_SUBMISSIONS_A_TICK,
        ascending=True,
    ).records
    for record in records:
        cursor.after = record.storage_id
        event = record.asset_materialization
        job_id = (event.tags or {}).get(DATA_VERSION_TAG) if event else None
        if job_id and job_id not in cursor.pending:
            cursor.pending.append(job_id)


def poll(
    cursor: PollCursor, status_of: Callable[[str], JobStatus], warn: Callable[[str], object]
) -> list[JobStatus]:
    """Poll the next pending jobs and take the ended ones out of the cursor.

    Jobs take turns, so that a bounded tick reaches all of them; an error of one job is a warning
    and the job stays pending.
    """
    turn, later = cursor.pending[:POLLS_A_TICK], cursor.pending[POLLS_A_TICK:]
    ended: list[JobStatus] = []
    still: list[str] = []
    for job_id in turn:
        try:
            status = status_of(job_id)
        except Exception as error:  # noqa: BLE001  # one job must not block the others
            warn(f"job {job_id} could not be polled and stays pending: {error}")
            still.append(job_id)
            continue
        if status.state.is_terminal:
            ended.append(status)
        else:
            still.append(job_id)
    cursor.pending = later + still
    return ended


def finished_jobs(instance: dg.DagsterInstance, model_asset: str, limit: int = 100) -> set[str]:
    """Jobs whose model was registered lately, by whatever run did it."""
    records = instance.fetch_materializations(dg.AssetKey(model_asset), limit=limit).records
    values = (
        record.asset_materialization.metadata.get("job_id")
        for record in records
        if record.asset_materialization
    )
    return {str(value.value) for value in values if value is not None}
