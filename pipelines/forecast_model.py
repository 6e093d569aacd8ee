"""ForecastModel: one model as a Dagster component, from a file defs.yaml or from Python.

The fields are those of a ModelSpec; names of files and jobs stand under `names`, and what is about
the SQL pool under `predict`.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bikecast.core.operations import Freshness, Schedules, Thresholds
from bikecast.core.spec import Column, ModelSpec, SqlType, TrainingSettings, Treatment
from pipelines.models import Model
from pipelines.sample.samples import SAMPLES
from pipelines.settings import PROJECT
from resources.lake.sources import SAMPLE

_STRICT = ConfigDict(extra="forbid", frozen=True)


class ModelColumn(BaseModel):
    """One column of the model's files: name, SQL type, and which values are right."""

    model_config = _STRICT

    name: str
    type: SqlType
    description: str = ""
    minimum: int | float | None = Field(None, description="A smaller value is wrong")
    maximum: int | float | None = Field(None, description="A larger value is wrong")
    codes: list[int | str] = Field([], description="Any other value is wrong")
    words: dict[int | str, str] = Field({}, description="Words for codes, for people")
    suspicious: list[int | float | str] = Field([], description="Valid, but flagged or treated")
    length: int = Field(128, description="Longest text, at most 8000; only for varchar")
    format: str = Field("%Y-%m-%d", description="strptime format of dates beside ISO's")

    @model_validator(mode="after")
    def _is_a_column(self) -> ModelColumn:
        if not 1 <= self.length <= 8000:
            raise ValueError(f"length is {self.length}, not 1 to 8000")
        self.column()
        return self

    def column(self) -> Column:
        """The column of the spec."""
        values = self.model_dump(exclude={"type", "format", "words"})
        lists = {name: tuple(values[name]) for name in ("codes", "suspicious")}
        return Column(**values | lists, sql_type=self.type, date_format=self.format)


class ModelNames(BaseModel):
    """Names of the model's parts outside the SQL pool; an empty one derives from the model's
    name."""

    model_config = _STRICT

    prefix: str | None = Field(None, description="Before names of jobs, sensors, asset groups")
    model_name: str = Field("", description="In the registry")
    source_asset: str = ""
    source_file: str = Field("", description="Lake path of the training CSV")
    training_table: str = ""
    run_asset: str = Field("", description="The asset that submits the training")
    scoring_file: str = Field("", description="Lake path of the CSV with the rows to score")


class Prediction(BaseModel):
    """The wizard "Predict with a model": what stands in the SQL pool, and what the procedure
    returns; an empty name derives from the model's."""

    model_config = _STRICT

    inputs: dict[str, str] = Field(
        {}, description="Columns of the rows to score, by the features' names, where they differ"
    )
    output: str = Field("variable_out1", description="The column with the predictions")
    output_type: str = Field("real", description="real, float, int, bigint or decimal(p, s)")
    model_output: str = Field("variable_out1", description="What the model calls its output")
    model_table: str = ""
    scoring_table: str = ""
    procedure: str = ""
    predictions_table: str = ""
    schema_: str = Field("dbo", alias="schema", description="Schema of all of them")


#: The block of a file that has a field of the spec; the other fields stand in none.
BLOCKS = {
    name.removesuffix("_"): block
    for block, fields in (("names", ModelNames), ("predict", Prediction))
    for name in fields.model_fields
}


def _plain(kind: Any) -> Any:
    """A field of a class that knows no Dagster; YAML is read by that class itself."""
    return Annotated[kind, dg.Resolver(lambda _, value: value, model_field_type=kind)]


class ForecastModel(dg.Component, dg.Model, dg.Resolvable):
    """A model that is trained on one table and scores another: all its assets, jobs and sensors.

    Raises pydantic's ValidationError where a field is wrong or fields do not go together.
    """

    name: str = Field("", description="Identifier; in a file the folder's name by default")
    description: str = ""
    owners: list[str] = Field([], description="E-mail addresses, or team:NAME")
    csv: str | None = Field(None, description="Training CSV: path or URL")
    forecast: str | None = Field(None, description="CSV with the rows to score: path or URL")
    sample: str | None = Field(None, description="Generated files where none are given")
    features: _plain(list[ModelColumn])  # type: ignore[valid-type]
    target: _plain(ModelColumn)  # type: ignore[valid-type]
    keys: _plain(list[ModelColumn]) = Field([])  # type: ignore[valid-type]
    time_key: str | None = Field(None, description="The key that orders rows in time")
    first_day: str | None = Field(None, description="First daily partition, an ISO date")
    columns: dict[str, str] = Field({}, description="What the files call a column, by its name")
    ignored: list[str] = Field([], description="Columns of the files that are left out")
    segments: list[str] = Field([], description="Features by whose values scores are split")
    shown: list[str] = Field([], description="Features shown beside a prediction")
    suspicious_treatment: _plain(Treatment) = "flag"  # type: ignore[valid-type]
    training: _plain(TrainingSettings) = TrainingSettings()  # type: ignore[valid-type]
    names: _plain(ModelNames) = ModelNames()  # type: ignore[valid-type]
    predict: _plain(Prediction) = Prediction()  # type: ignore[valid-type]
    schedules: _plain(Schedules) = Schedules()  # type: ignore[valid-type]
    freshness: _plain(Freshness) = Freshness()  # type: ignore[valid-type]
    thresholds: _plain(Thresholds) = Thresholds()  # type: ignore[valid-type]
    data_licence: str = Field("", description="Where the data comes from; the model card says it")

    @field_validator("first_day", mode="before")
    @classmethod
    def _date_as_text(cls, value: object) -> object:
        return value.isoformat() if isinstance(value, dt.date) else value

    @field_validator("sample")
    @classmethod
    def _is_a_sample(cls, value: str | None) -> str | None:
        if value is not None and value not in SAMPLES:
            raise ValueError(f"there is no sample {value!r}; there are: {', '.join(SAMPLES)}")
        return value

    @field_validator("owners")
    @classmethod
    def _are_owners(cls, value: list[str]) -> list[str]:
        _dagsters_own(lambda: dg.AssetSpec("owned", owners=value))
        return value

    @field_validator("schedules")
    @classmethod
    def _are_schedules(cls, value: Schedules) -> Schedules:
        for cron in (value.retrain, value.score):
            _dagsters_own(
                lambda cron=cron: dg.ScheduleDefinition(
                    name="a", job_name="a", cron_schedule=cron, execution_timezone=value.timezone
                )
            )
        return value

    @model_validator(mode="after")
    def _is_a_model(self) -> ForecastModel:
        if self.name:  # in a file the folder's name comes later
            self.spec()
        return self

    def spec(self, name: str = "") -> ModelSpec:
        """The ModelSpec; `name` is for a component without one. Raises SpecError."""
        columns = [*self.features, self.target, *self.keys]
        fields: dict[str, Any] = {
            **self.names.model_dump(),
            **self.predict.model_dump(by_alias=True),
            **{field: getattr(self, field) for field in _SAME},
            **{field: tuple(getattr(self, field)) for field in _TUPLES},
        }
        spec = ModelSpec(
            name=self.name or name,
            features=tuple(each.column() for each in self.features),
            target=self.target.column(),
            keys=tuple(each.column() for each in self.keys),
            labels={each.name: each.words for each in columns if each.words},
            **fields,
        )
        spec.check_predictions()
        return spec

    def as_model(self, name: str = "") -> Model:
        """The model with its sources; `name` is for a component without one."""
        spec = self.spec(name)
        samples = dict(
            zip(
                (spec.source_file, spec.scoring_file),
                SAMPLES.get(self.sample or "", ()),
                strict=False,
            )
        )
        return Model(spec, _absolute(self.csv), _absolute(self.forecast), samples)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """What belongs to this model alone, by the settings; a location adds what models share."""
        from pipelines.build import installed, model_definitions
        from pipelines.environments import resources_for
        from pipelines.jobs import model_jobs
        from pipelines.settings import load_settings

        settings, model = load_settings(), self.as_model(context.path.name)
        code = resources_for(settings, [model]).automl.training_code
        jobs = model_jobs(installed(model.spec, settings), rescored=settings.daily_partitions)
        return model_definitions(jobs, code, always_promote=settings.always_promote)


#: Fields of the same name in a ModelSpec, of the same type or as tuples.
_TUPLES = ("owners", "ignored", "segments", "shown")
_SAME = (
    *("description", "columns", "time_key", "first_day", "suspicious_treatment", "training"),
    *("schedules", "freshness", "thresholds", "data_licence"),
)


def _absolute(source: str | None) -> str | None:
    """A source, where it is a relative path from the project's folder."""
    if source is None or source == SAMPLE or "://" in source:
        return source
    return str(PROJECT / Path(source).expanduser())


def _dagsters_own(make: Any) -> None:
    """Let Dagster check what only it knows. Raises ValueError with its reason."""
    try:
        make()
    except dg.DagsterInvalidDefinitionError as error:
        raise ValueError(str(error).splitlines()[0]) from None
