"""The sensors that wait, so that no worker does: for trainings, Spark jobs and the SQL pool."""

import time
from collections.abc import Callable

import dagster as dg

from assets.live_model.live_model import LiveModel
from assets.waiting import (
    CONTINUES_TAG,
    GAVE_UP_TAG,
    JOB_TAG,
    SQL_POOL_SENSOR,
    Awaited,
)
from bikecast.core.jobs import JobState, JobStatus
from bikecast.core.spec import ModelSpec
from pipelines.sensors.continuations import continuing_run, pool_run_key, waiting_assets
from pipelines.sensors.polling import (
    PollCursor,
    awaited_job,
    finished_jobs,
    poll,
    read_submissions,
    read_waiting,
)
from resources.automl.port import AutoML
from resources.lake.port import Lake
from resources.registry.port import Registry
from resources.spark.port import Spark
from resources.sql_pool.port import SqlPool, SqlPoolPower

ALIGN_SECONDS = 60.0
RUN_KEY_TAG = "dagster/run_key"
#: Spark jobs and pools take minutes; a local environment has none.
SLOW_SECONDS = 30
#: A pool that is not online after this long is reported by a failed run.
POOL_SECONDS = 3600.0
#: Leases of running runs are renewed when they are this old. One that is not renewed for longer
#: than LOST_SECONDS belongs to an installation that is gone, or to a command that was killed.
RENEW_SECONDS = 600.0
LOST_SECONDS = 7200.0

Warn = Callable[[str], object]


def polling_sensors(spec: ModelSpec, finish_job: str, *, seconds: int) -> list[dg.SensorDefinition]:
    """All of them, on by default; `finish_job` is the job that finishes a training."""
    return [
        training_sensor(spec, finish_job, seconds=seconds),
        spark_sensor(spec.training_table, seconds=max(seconds, SLOW_SECONDS), by_job=True),
        spark_sensor(spec.predictions_table, seconds=max(seconds, SLOW_SECONDS), by_job=False),
        sql_pool_sensor(spec, seconds=max(seconds, SLOW_SECONDS)),
    ]


def training_sensor(spec: ModelSpec, job_name: str, *, seconds: int) -> dg.SensorDefinition:
    """Poll the submitted training jobs of a spec every `seconds`."""

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
        lake: dg.ResourceParam[Lake],
        registry: dg.ResourceParam[Registry],
        sql_pool: dg.ResourceParam[SqlPool],
        sql_pool_power: dg.ResourceParam[SqlPoolPower],
    ) -> dg.SensorResult:
        cursor = PollCursor.parse(context.cursor)
        if should_align(context.instance, cursor, time.time()):
            model = LiveModel(registry, sql_pool, lake, spec)
            align_alias(model, sql_pool_power, context.log.warning)
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
        return _result(requests, cursor, "training jobs")

    return sensor


def spark_sensor(asset: str, *, seconds: int, by_job: bool) -> dg.SensorDefinition:
    """Poll the Spark jobs that an asset waits for every `seconds`.

    With `by_job` the asset's config takes the id of the job whose result it is to take.
    """

    @dg.sensor(
        name=f"{asset}_sensor",
        target=dg.AssetSelection.assets(asset).downstream(),
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Waits for the jobs of a Spark pool. An ended one, failed or not, gets one "
        "run that goes on with what waited for it.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, spark: dg.ResourceParam[Spark]
    ) -> dg.SensorResult:
        cursor = PollCursor.parse(context.cursor)
        read_waiting(context.instance, asset, Awaited.SPARK, cursor)

        def status_of(job_id: str) -> JobStatus:
            status = spark.status(job_id)
            if twins := status.progress.get("canceled_twins"):
                context.log.warning(f"{job_id} was submitted twice; canceled: {twins}")
            return status

        requests = []
        for status in poll(cursor, status_of, context.log.warning):
            run = waiting_run(context.instance, asset, Awaited.SPARK, status.job_id)
            if run is None:
                context.log.warning(f"nobody waits for Spark job {status.job_id} any more")
                continue
            requests.append(
                continuing_run(
                    context,
                    run,
                    Awaited.SPARK,
                    status.job_id,
                    config={asset: {"job_id": status.job_id}} if by_job else None,
                    tags={JOB_TAG: status.job_id},
                )
            )
        return _result(requests, cursor, "Spark jobs")

    return sensor


def sql_pool_sensor(spec: ModelSpec, *, seconds: int) -> dg.SensorDefinition:
    """Look after the leases of the SQL pool every `seconds`.

    A run that waits for the pool is continued once it is online, or after POOL_SECONDS so that
    it fails visibly. A lease is given back when its run, and the one that continues it, has
    ended in whatever way.
    """
    tables = (f"{spec.model_table}_table", spec.scoring_table)

    @dg.sensor(
        name=SQL_POOL_SENSOR,
        target=dg.AssetSelection.assets(*tables).downstream(),
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Waits for the SQL pool to be online, goes on with the runs that need it, and "
        "pauses it again after the last of them if it was resumed for them.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, sql_pool_power: dg.ResourceParam[SqlPoolPower]
    ) -> dg.SensorResult:
        requests = []
        try:
            for holder, renewed in sorted(sql_pool_power.leases().items()):
                request = _look_after(context, sql_pool_power, holder, renewed)
                if request is not None:
                    requests.append(request)
            if sql_pool_power.settle():
                context.log.info("the SQL pool is paused: no run needs it any more")
        except Exception as error:  # noqa: BLE001  # the next tick goes on from the leases
            context.log.warning(f"the SQL pool's leases could not all be looked after: {error}")
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason("no run waits for the SQL pool"),
        )

    return sensor


def _look_after(
    context: dg.SensorEvaluationContext,
    power: SqlPoolPower,
    holder: str,
    renewed: float,
) -> dg.RunRequest | None:
    """Renew, keep or give back one lease; returns the run that goes on with its holder's."""
    now = time.time()
    record = context.instance.get_run_record_by_id(holder)
    if record is None:
        if now - renewed > LOST_SECONDS:
            context.log.warning(f"the lease of {holder} was not renewed for long; it is dropped")
            power.release(holder)
        return None
    run = record.dagster_run
    if not run.is_finished:
        if now - renewed > RENEW_SECONDS:
            power.acquire(holder)
        return None
    waiting = run.is_success and waiting_assets(context.instance, holder, Awaited.SQL_POOL)
    going_on = context.instance.get_runs(
        dg.RunsFilter(tags={CONTINUES_TAG: holder, RUN_KEY_TAG: pool_run_key(run)})
    )
    if not waiting or any(each.is_finished for each in going_on):
        power.release(holder)
        return None
    if going_on:
        return None
    online = power.acquire(holder).state is JobState.COMPLETED
    waited = now - (record.end_time or now)
    if not online and waited < POOL_SECONDS:
        return None
    tags = {} if online else {GAVE_UP_TAG: f"{waited:.0f}"}
    return continuing_run(context, run, Awaited.SQL_POOL, tags=tags)


def waiting_run(
    instance: dg.DagsterInstance, asset: str, awaited: Awaited, job_id: str
) -> dg.DagsterRun | None:
    """The latest run in which an asset waits for a job."""
    for record in instance.fetch_observations(dg.AssetKey(asset), limit=100).records:
        if awaited_job(record.asset_observation, awaited) == job_id:
            return instance.get_run_by_id(record.run_id)
    return None


def _result(requests: list[dg.RunRequest], cursor: PollCursor, what: str) -> dg.SensorResult:
    reason = f"{len(cursor.pending)} {what} still run" if cursor.pending else "no job"
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason(reason),
        cursor=cursor.dump(),
    )


def should_align(instance: dg.DagsterInstance, cursor: PollCursor, now: float) -> bool:
    """Whether the alias is to be compared with the pool: a run changed, or a minute has passed."""
    latest = instance.get_run_records(limit=1, order_by="update_timestamp")
    run = f"{latest[0].dagster_run.run_id} {latest[0].update_timestamp}" if latest else ""
    if run == cursor.last_run and now - cursor.aligned_at < ALIGN_SECONDS:
        return False
    cursor.last_run, cursor.aligned_at = run, now
    return True


def align_alias(model: LiveModel, power: SqlPoolPower, warn: Warn) -> None:
    """Let the registry's alias follow the pool; an error waits for the next time.

    A pool that is not online changes nothing, and is not resumed for this.
    """
    try:
        if power.status().state is not JobState.COMPLETED:
            return
        moved = model.align_alias()
    except Exception as error:  # noqa: BLE001  # polling must go on
        warn(f"the registry's alias could not be compared with the pool: {error}")
        return
    if moved is not None:
        warn(f"the registry's alias was behind and now points at version {moved}")
