"""Cancellation that reaches the training: of the run that started it, or by a job of its own."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from assets.events import latest_metadata
from assets.failures import shown_to_people
from bikecast.core.spec import ModelSpec
from pipelines.jobs import CANCEL_TRAINING
from resources.automl.port import AutoML

CANCEL_SENSOR = "cancel_automl_run"


class CancelConfig(dg.Config):
    """Which training to cancel."""

    job_id: str | None = Field(None, description="Training job. Empty: the last submitted one.")


def started_by(instance: dg.DagsterInstance, spec: ModelSpec, run_id: str) -> str | None:
    """The job that this run started; None where it started none, or joined another run's."""
    records = instance.fetch_materializations(dg.AssetKey(spec.run_asset), limit=100).records
    for record in records:
        event = record.asset_materialization
        if event is None or record.run_id != run_id:
            continue
        facts = {name: value.value for name, value in event.metadata.items()}
        if facts.get("submission") == "started":
            return str(facts["job_id"])
    return None


def cancel_with_run(specs: Sequence[ModelSpec]) -> dg.SensorDefinition:
    """When people cancel a run, the trainings that it started are cancelled too; on by default."""

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.CANCELED,
        name=CANCEL_SENSOR,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Cancels the training job that a cancelled run has started.",
    )
    def sensor(
        context: dg.RunStatusSensorContext, automl: dg.ResourceParam[AutoML]
    ) -> dg.SkipReason:
        run_id = context.dagster_run.run_id
        jobs = [started_by(context.instance, spec, run_id) for spec in specs]
        canceled = [automl.cancel(job_id) for job_id in jobs if job_id is not None]
        if not canceled:
            return dg.SkipReason(f"run {run_id} started no training")
        states = ", ".join(f"job {status.job_id} is {status.state}" for status in canceled)
        context.log.warning(f"run {run_id} was cancelled; {states}")
        return dg.SkipReason(states)

    return sensor


def cancel_job(spec: ModelSpec) -> dg.JobDefinition:
    """A job that cancels a training which no run waits for."""

    @dg.op(
        name=spec.named("cancel"),
        description=f"Cancels a training job of {spec.model_name}; an ended one stays as it is.",
    )
    def cancel(
        context: dg.OpExecutionContext, config: CancelConfig, automl: dg.ResourceParam[AutoML]
    ) -> None:
        job_id = config.job_id or latest_metadata(context.instance, spec.run_asset, "job_id")
        if not isinstance(job_id, str):
            raise dg.Failure("No training was submitted yet, so there is nothing to cancel.")
        with shown_to_people():
            before = automl.status(job_id)
            after = automl.cancel(job_id)
        context.log.info(f"Job {job_id} was {before.state} and is {after.state}.")
        context.add_output_metadata(
            {"job_id": job_id, "before": str(before.state), "after": str(after.state)}
        )

    @dg.job(
        name=spec.named(CANCEL_TRAINING),
        description="Cancel the training that was submitted last, or the one in the config "
        "(`job_id`), here or in Azure. No run has to wait for it.",
        tags={"dagster/max_retries": "0"},
    )
    def job() -> None:
        cancel()

    return job
