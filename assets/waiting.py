"""An asset that cannot go on yet leaves a mark; a sensor continues its run from there."""

import dagster as dg

from assets.failures import shown_to_people
from assets.metadata import link_or_path
from bikecast.core.jobs import Awaited, JobState, JobStatus
from resources.sql_pool.port import SqlPoolPower

#: Metadata of the observation that marks a waiting asset.
WAITS_FOR, JOB_ID = "waits_for", "job_id"
#: Tag of a run that finishes or continues a job.
JOB_TAG = "bikecast/job_id"
#: Tag of a run that ends before its last asset: what goes on without it.
NEXT_TAG = "bikecast/next"
#: Tags of a run that continues another one.
CONTINUES_TAG = "bikecast/continues"
GAVE_UP_TAG = "bikecast/gave_up_waiting"
#: The sensors of all models, one for each kind of long job.
TRAINING_SENSOR, SPARK_SENSOR, SQL_POOL_SENSOR = (
    "automl_run_sensor",
    "spark_sensor",
    "sql_pool_sensor",
)


def mark_waiting(
    context: dg.AssetExecutionContext, awaited: Awaited, status: JobStatus, sensor: str
) -> None:
    """Record that this asset waits; what it yields comes from the run that the sensor starts."""
    summary = (
        f"{awaited} {status.job_id} is {status.progress.get('status', status.state)}; this run ends"
        f" here, and the sensor {sensor} goes on with what is left of it."
    )
    context.log.info(summary)
    say_what_comes_next(context, summary)
    link = {"link": link_or_path(status.link)} if status.link else {}
    context.log_event(
        dg.AssetObservation(
            dg.AssetKey(context.op_def.name),
            metadata={
                WAITS_FOR: str(awaited),
                JOB_ID: status.job_id,
                **link,
                "next": dg.MetadataValue.md(
                    f"{summary} [The sensor](/locations/bikecast/sensors/{sensor})"
                ),
            },
        )
    )


def say_what_comes_next(context: dg.AssetExecutionContext, text: str) -> None:
    """Tag the run, so that its page says what goes on when it has ended."""
    context.instance.add_run_tags(context.run.run_id, {NEXT_TAG: text})


def waits(
    instance: dg.DagsterInstance, asset: str, key: str, value: str, *, limit: int
) -> list[float]:
    """When an asset was marked with this metadata, in seconds since 1970, newest first."""
    return [
        record.timestamp
        for record in instance.fetch_observations(dg.AssetKey(asset), limit=limit).records
        if (event := record.asset_observation)
        and key in event.metadata
        and event.metadata[key].value == value
    ]


def pool_is_online(context: dg.AssetExecutionContext, power: SqlPoolPower) -> bool:
    """Take the run's lease on the SQL pool; where it is not online yet, mark the asset as waiting.

    The lease is the run's until it has ended; the sensor gives it back.
    Raises Failure where the lease is refused, and in a run that the sensor started because the
    pool never came online.
    """
    with shown_to_people():
        status = power.acquire(context.run.run_id)
    if status.state is JobState.COMPLETED:
        return True
    waited = context.run.tags.get(GAVE_UP_TAG)
    if waited is not None:
        raise dg.Failure(
            f"The SQL pool {status.job_id} did not come online in {waited} s: it is "
            f"{status.progress.get('status', status.state)}. Nothing was changed in it. Look at "
            f"{status.link}, resume it there or by `az synapse sql pool resume`, then run this "
            "again.",
            allow_retries=False,
        )
    mark_waiting(context, Awaited.SQL_POOL, status, SQL_POOL_SENSOR)
    return False
