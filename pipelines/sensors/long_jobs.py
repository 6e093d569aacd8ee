"""The sensors that wait, so that no worker does: for trainings, Spark jobs and the SQL pool.

There is one for each kind of long job, whatever the number of models.
"""

import time
from collections.abc import Callable, Collection, Sequence

import dagster as dg

from assets.live_model.live_model import LiveModel
from assets.waiting import (
    CONTINUES_TAG,
    GAVE_UP_TAG,
    JOB_TAG,
    SPARK_SENSOR,
    SQL_POOL_SENSOR,
    TRAINING_SENSOR,
)
from bikecast.core.jobs import Awaited, JobState, JobStatus
from bikecast.core.spec import ModelSpec
from pipelines.jobs import ModelJobs
from pipelines.sensors.continuations import continuing_run, pool_run_key, waiting_assets
from pipelines.sensors.polling import (
    PollCursor,
    awaited_job,
    finished_jobs,
    latest_change,
    poll,
    read_submissions,
    read_waiting,
    with_new_submissions,
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

#: Runs that may still say something.
UNDER_WAY = dg.RunsFilter(
    statuses=[
        *(dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED),
        dg.DagsterRunStatus.CANCELING,
    ]
)

Warn = Callable[[str], object]


def polling_sensors(
    models: Sequence[ModelJobs], awaited: Collection[Awaited], *, seconds: int
) -> list[dg.SensorDefinition]:
    """Those that this environment has work for, on by default, for all models."""
    specs = [each.spec for each in models]
    slow = max(seconds, SLOW_SECONDS)
    sensors = [training_sensor(models, seconds=seconds)]
    if Awaited.SPARK in awaited:
        sensors.append(spark_sensor(specs, seconds=slow))
    if Awaited.SQL_POOL in awaited:
        sensors.append(sql_pool_sensor(specs, seconds=slow))
    return sensors


def training_sensor(models: Sequence[ModelJobs], *, seconds: int) -> dg.SensorDefinition:
    """Poll the submitted training jobs of all models every `seconds`."""
    model_of = {each.spec.run_asset: each for each in models}

    @dg.sensor(
        name=TRAINING_SENSOR,
        jobs=[each.finish_training for each in models],
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
            live = [LiveModel(registry, sql_pool, lake, each.spec) for each in models]
            align_aliases(live, sql_pool_power, context.log.warning)
        for run_asset in with_new_submissions(context.instance, list(model_of), cursor):
            read_submissions(context.instance, run_asset, cursor)
        finished: dict[str, set[str]] = {}
        requests = []
        for asset, status in poll(cursor, automl.status, context.log.warning):
            model = model_of.get(asset) or _named_by(status.job_id, models)
            if model is None:
                context.log.warning(f"the model of job {status.job_id} is no longer here")
                continue
            table = model.spec.model_table
            if table not in finished:
                finished[table] = finished_jobs(context.instance, table)
            if status.job_id not in finished[table]:
                requests.append(_finishing_run(model, status.job_id))
        return _result(requests, cursor, "training jobs")

    return sensor


def _finishing_run(model: ModelJobs, job_id: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=job_id,
        job_name=model.finish_training.name,
        run_config={"ops": {model.spec.model_table: {"config": {"job_id": job_id}}}},
        tags={JOB_TAG: job_id},
    )


def _named_by(job_id: str, models: Sequence[ModelJobs]) -> ModelJobs | None:
    """The model of a job that a cursor of an earlier version has, which does not tell its asset."""
    named = [each for each in models if job_id.startswith(f"{each.spec.model_name}-")]
    return max(named, key=lambda each: len(each.spec.model_name), default=None)


def spark_sensor(specs: Sequence[ModelSpec], *, seconds: int) -> dg.SensorDefinition:
    """Poll the Spark jobs that assets of these models wait for every `seconds`.

    A training table's config takes the id of the job whose result it is to take.
    """
    tables = [spec.training_table for spec in specs]
    assets = [*tables, *(spec.predictions_table for spec in specs)]

    @dg.sensor(
        name=SPARK_SENSOR,
        target=dg.AssetSelection.assets(*assets).downstream(),
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Waits for the jobs of a Spark pool. An ended one, failed or not, gets one "
        "run that goes on with what waited for it.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, spark: dg.ResourceParam[Spark]
    ) -> dg.SensorResult:
        cursor = PollCursor.parse(context.cursor)
        known = set(cursor.pending)
        _read_waiting_assets(context.instance, assets, cursor)
        for job_id in cursor.pending.keys() - known:  # a new cursor reads the whole history
            if _went_on(context.instance, job_id):
                del cursor.pending[job_id]

        def status_of(job_id: str) -> JobStatus:
            status = spark.status(job_id)
            if twins := status.progress.get("canceled_twins"):
                context.log.warning(f"{job_id} was submitted twice; canceled: {twins}")
            return status

        requests = []
        for asset, status in poll(cursor, status_of, context.log.warning):
            if _went_on(context.instance, status.job_id):
                continue
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
                    config={asset: {"job_id": status.job_id}} if asset in tables else None,
                    tags={JOB_TAG: status.job_id},
                )
            )
        return _result(requests, cursor, "Spark jobs")

    return sensor


def _read_waiting_assets(
    instance: dg.DagsterInstance, assets: Sequence[str], cursor: PollCursor
) -> None:
    """Read what assets began to wait for. Only runs say that: nothing is new while none is under
    way and none has changed since all was read."""
    change = latest_change(instance)
    if change and change == cursor.last_run and not instance.get_runs_count(UNDER_WAY):
        return
    read = [read_waiting(instance, asset, Awaited.SPARK, cursor) for asset in assets]
    cursor.last_run = change if all(read) else ""


def _went_on(instance: dg.DagsterInstance, job_id: str) -> bool:
    """Whether a run went on with a job already: the run key tells that only of one sensor's runs,
    and earlier versions had a sensor for each asset."""
    return bool(instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: job_id}), limit=1))


def sql_pool_sensor(specs: Sequence[ModelSpec], *, seconds: int) -> dg.SensorDefinition:
    """Look after the leases of the SQL pool every `seconds`.

    A run that waits for the pool is continued once it is online, or after POOL_SECONDS so that
    it fails visibly. A lease is given back when its run, and the one that continues it, has
    ended in whatever way.
    """
    tables = [name for spec in specs for name in (f"{spec.model_table}_table", spec.scoring_table)]

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
    run = latest_change(instance)
    if run == cursor.last_run and now - cursor.aligned_at < ALIGN_SECONDS:
        return False
    cursor.last_run, cursor.aligned_at = run, now
    return True


def align_aliases(models: Sequence[LiveModel], power: SqlPoolPower, warn: Warn) -> None:
    """Let the registry's aliases follow the pool; an error waits for the next time, and is one
    model's alone.

    A pool that is not online changes nothing, and is not resumed for this.
    """
    try:
        if power.status().state is not JobState.COMPLETED:
            return
    except Exception as error:  # noqa: BLE001  # polling must go on
        warn(f"the registry's aliases could not be compared with the pool: {error}")
        return
    for model in models:
        name = model.spec.model_name
        try:
            moved = model.align_alias()
        except Exception as error:  # noqa: BLE001  # the other models' aliases must follow
            warn(f"the registry's alias of {name} could not be compared with the pool: {error}")
            continue
        if moved is not None:
            warn(f"the alias of {name} was behind and now points at version {moved}")
