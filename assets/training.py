"""Stages 3 and 4: the submitted training job, and the model that it leaves behind."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from assets.column_lineage import KEY, trained
from assets.costs import actual_training, check_limit, estimate, training_part
from assets.events import latest_data_version, latest_metadata, shown_of, submissions
from assets.failures import shown_to_people
from assets.limits import TRAINER
from assets.metadata import link_or_path, stopwatch
from assets.model_metadata import flat_scores, model_metadata
from assets.model_tags import CODE_VERSION, DATA_VERSION, TRAINED_ON, TRAINED_THROUGH
from assets.table_columns import column_schema
from assets.waiting import TRAINING_SENSOR, say_what_comes_next
from bikecast.core.code_version import code_version
from bikecast.core.errors import BikecastError, Damaged, InvalidInput
from bikecast.core.jobs import Attempt, JobStatus, current_attempt, job_base_name
from bikecast.core.spec import ModelSpec, TrainingSettings
from bikecast.core.training import TrainingResult
from resources.automl.port import AutoML, TrainingRequest
from resources.costs.port import Costs
from resources.registry.port import Registry

#: Seconds that earlier versions trained for at most where no setting said others.
_EARLIER_BUDGET = 120.0
SENSOR_LINK = f"/locations/bikecast/sensors/{TRAINING_SENSOR}"
Submission = Literal["started", "joined", "unchanged"]


class TrainingConfig(dg.Config):
    """What one submission may ask for beyond the spec."""

    budget_seconds: float | None = Field(
        None, description="Longest training in seconds. Empty: the setting.", gt=0
    )
    retrain: bool = Field(
        False, description="Train again although this data, code and settings have a model."
    )


class FinishConfig(dg.Config):
    """Which job to finish."""

    job_id: str | None = Field(None, description="Training job. Empty: the last submitted one.")


def training_assets(spec: ModelSpec, training_code: tuple[str, ...]) -> list[dg.AssetsDefinition]:
    """The asset that submits the training job and the one that registers its model.

    `training_code` is the AutoML adapter's: what decides a model beside data and settings.
    """
    return [_training_run(spec, code_version(*training_code)), _model(spec)]


def _training_run(spec: ModelSpec, training_version: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=spec.run_asset,
        deps=[spec.training_table],
        group_name=spec.named("training"),
        kinds={"automl"},
        pool=TRAINER,
        owners=list(spec.owners),
        code_version=training_version,
        description="The submitted AutoML job. It runs on its own: a run of this asset ends at the "
        f"submission, and {TRAINING_SENSOR} starts the run that registers {spec.model_table} once "
        "the job has ended.",
    )
    def training_run(
        context: dg.AssetExecutionContext,
        config: TrainingConfig,
        automl: dg.ResourceParam[AutoML],
        costs: dg.ResourceParam[Costs],
    ) -> dg.MaterializeResult:
        seconds = stopwatch()
        with shown_to_people():
            status, submission = submit_training(context, spec, config, automl, costs)
        part = training_part(costs, spec, budget_of(spec, config))
        context.log.info(_summary(status, submission))
        if not status.state.is_terminal:
            say_what_comes_next(context, _next(spec, status, submission))
        return dg.MaterializeResult(
            data_version=dg.DataVersion(status.job_id),
            metadata={
                "job_id": status.job_id,
                "submission": submission,
                **(estimate(costs, part) if submission == "started" else {}),
                **_facts(context.instance, spec, training_version),
                "job": link_or_path(status.link),
                "next": dg.MetadataValue.md(
                    f"{_next(spec, status, submission)} [The sensor]({SENSOR_LINK}), "
                    f"[the model](/assets/{spec.model_table})"
                ),
                "dagster/column_schema": column_schema((*spec.features, spec.target), spec),
                **shown_of(context.instance, spec.training_table, rows="training_rows"),
                "seconds": seconds(),
            },
        )

    return training_run


def _model(spec: ModelSpec) -> dg.AssetsDefinition:
    @dg.asset(
        name=spec.model_table,
        deps=[spec.run_asset],
        output_required=False,
        group_name=spec.named("training"),
        kinds={"onnx", "mlflow"},
        owners=list(spec.owners),
        code_version=code_version(
            "assets/training.py", "assets/model_metadata.py", "resources/registry/port.py"
        ),
        description=f"The registered ONNX model `{spec.model_name}`. {spec.description}",
    )
    def model(
        context: dg.AssetExecutionContext,
        config: FinishConfig,
        automl: dg.ResourceParam[AutoML],
        registry: dg.ResourceParam[Registry],
        costs: dg.ResourceParam[Costs],
    ) -> Iterator[dg.MaterializeResult]:
        seconds = stopwatch()
        job_id = config.job_id or latest_metadata(context.instance, spec.run_asset, "job_id")
        if not isinstance(job_id, str):
            raise dg.Failure(f"No training job was submitted yet: materialize {spec.run_asset}.")
        status = automl.status(job_id)
        if not status.state.is_terminal:
            context.log.info(f"Job {job_id} is {status.state}; the sensor finishes it later.")
            return
        with shown_to_people():
            result = finished_training(automl, status)
            version = registry.register(
                spec.model_name,
                result.model_path,
                job_id=job_id,
                digest=result.digest,
                scores=flat_scores(result),
                tags={
                    "registered_by_run": context.run.run_id,
                    **_training_facts(context.instance, spec, job_id),
                },
            )
        for warning in result.warnings:
            context.log.warning(warning)
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(version.digest),
            metadata={
                **model_metadata(spec, version, result),
                **actual_training(context.instance, spec, job_id, costs),
                KEY: trained(spec),
                "seconds": seconds(),
            },
        )

    return model


def budget_of(spec: ModelSpec, config: TrainingConfig) -> float:
    """Longest training in seconds."""
    return config.budget_seconds or spec.training.max_training_hours * 3600


def training_job_name(spec: ModelSpec, automl: AutoML, data_version: str, seconds: float) -> str:
    """Name of the jobs that train on this data with this code and these settings."""
    training = asdict(spec.training)
    training["max_training_hours"] = seconds / 3600
    if not spec.training.max_rows:
        del training["max_rows"]  # the name is what it was before there was such a limit
    return job_base_name(
        spec.model_name,
        data=data_version,
        code=code_version(*automl.training_code),
        settings=training,
        columns=[asdict(column) for column in spec.training_columns],
        output=spec.model_output,
    )


def training_attempt(
    spec: ModelSpec, automl: AutoML, data_version: str, seconds: float, *, retrain: bool
) -> Attempt:
    """The attempt to attach to, or the next one.

    Within the default time, a model that an earlier version trained within its own is as good.
    """
    base = training_job_name(spec, automl, data_version, seconds)
    attempt = current_attempt(base, automl.status, retrain=retrain)
    if attempt.status or retrain or seconds != TrainingSettings.max_training_hours * 3600:
        return attempt
    earlier = training_job_name(spec, automl, data_version, _EARLIER_BUDGET)
    trained = current_attempt(earlier, automl.status)
    return trained if trained.status else attempt


def submit_training(
    context: dg.AssetExecutionContext,
    spec: ModelSpec,
    config: TrainingConfig,
    automl: AutoML,
    costs: Costs,
) -> tuple[JobStatus, Submission]:
    """Start the job for the current training table, or attach to the attempt that has it.

    Returns the job's status, and whether it was started, joined while it runs, or is complete
    and unchanged.
    Raises InvalidInput where the training table was never materialized, and where a new job may
    cost more than the limit.
    """
    data_version = latest_data_version(context.instance, spec.training_table)
    if data_version is None:
        raise InvalidInput(
            f"{spec.training_table} was never materialized, so there is nothing to train on. "
            f"Nothing was submitted. Materialize {spec.training_table} first."
        )
    budget = budget_of(spec, config)
    attempt = training_attempt(spec, automl, data_version, budget, retrain=config.retrain)
    if attempt.status is not None:
        return attempt.status, "joined" if not attempt.status.state.is_terminal else "unchanged"
    check_limit(costs, spec, budget)
    # Where the training file came from, as its asset says it: no secret is in it.
    source = latest_metadata(context.instance, spec.source_asset, "source")
    request = TrainingRequest(
        job_id=attempt.job_id,
        spec=spec,
        table_path=spec.training_table_path,
        data_version=data_version,
        budget_seconds=budget,
        tags={
            "root_run_id": context.run.root_run_id or context.run.run_id,
            "code_version": code_version(*automl.training_code),
            "data_version": data_version,
            **({"source": source} if isinstance(source, str) else {}),
        },
    )
    try:
        return automl.submit(request), "started"
    except BaseException:
        cancel_with_canceled_run(context, automl, attempt.job_id)
        raise


def cancel_with_canceled_run(
    context: dg.AssetExecutionContext, automl: AutoML, job_id: str
) -> None:
    """Cancel a job whose submission was broken off because people cancelled the run.

    A sensor does the same for a run whose submission is in the event log. Any other interruption
    leaves the job alone: the next run joins it.
    """
    run = context.instance.get_run_by_id(context.run.run_id)
    if run is not None and run.status is dg.DagsterRunStatus.CANCELING:
        status = automl.cancel(job_id)
        context.log.warning(f"The run was cancelled; job {job_id} is {status.state}.")


def _next(spec: ModelSpec, status: JobStatus, submission: Submission) -> str:
    """What comes after the submission, in words that stay true when it has come."""
    became = {
        "started": "was started by this run",
        "joined": "was running already when this run joined it",
        "unchanged": "is that of unchanged data, code and settings, so nothing was trained again",
    }[submission]
    text = f"Job {status.job_id} {became}."
    if status.state.is_terminal:
        return f"{text} {spec.model_table} registers its model."
    return (
        f"The run ends here. Once the job has ended, {TRAINING_SENSOR} (or the `bikecast run` that "
        f"waits for it) starts the run that registers {spec.model_table} and makes what follows. "
        f"{text}"
    )


def _summary(status: JobStatus, submission: Submission) -> str:
    """What became of a submission, in words."""
    outcome = {
        "started": ", started by this run.",
        "joined": ", joined by this run.",
        "unchanged": ": nothing to train, data, code and settings are unchanged.",
    }[submission]
    summary = f"Job {status.job_id} is {status.state}{outcome}"
    if status.state.is_terminal:
        return summary
    return f"{summary} The sensor polls it and finishes the chain when it has ended."


def _facts(instance: dg.DagsterInstance, spec: ModelSpec, training_version: str) -> dict[str, Any]:
    """What the training has now: data, its source and last time, and code, as far as known."""
    facts: dict[str, Any] = {
        DATA_VERSION: latest_data_version(instance, spec.training_table),
        CODE_VERSION: training_version,
        TRAINED_THROUGH: latest_metadata(instance, spec.training_table, "last_time"),
        TRAINED_ON: latest_metadata(instance, spec.source_asset, "source"),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _training_facts(instance: dg.DagsterInstance, spec: ModelSpec, job_id: str) -> dict[str, str]:
    """What a job was trained from, as its submission recorded it."""
    latest = submissions(instance, spec.run_asset, job_id)
    metadata = latest[0][1].metadata if latest else {}
    names = (DATA_VERSION, CODE_VERSION, TRAINED_THROUGH, TRAINED_ON)
    return {name: str(metadata[name].value) for name in names if name in metadata}


def finished_training(automl: AutoML, status: JobStatus) -> TrainingResult:
    """The result of a completed job.

    Raises BikecastError (InvalidInput where the job refused its data) with the job's own error
    for any other end, and Damaged for a result that is not what the job wrote.
    """
    try:
        return automl.result(status.job_id)
    except Damaged:
        raise  # another attempt would find the same
    except BikecastError as error:
        raise type(error)(
            f"{error}\nNo model was registered, and the live model is as it was. "
            "`bikecast run`, or materializing the training job, starts the next attempt."
        ) from error
