"""ModelSpec: everything that is particular to one model.

The assets and the resources are written against this class alone. All names of a model derive from
its short name, so models stand side by side; a spec may say any of them itself.
"""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass, field, replace
from typing import Literal

from bikecast.core.onnx.versions import OnnxVersions
from bikecast.core.operations import Freshness, Schedules, Thresholds
from bikecast.core.output_type import output_type_problem

#: SQL types a column may have. The ONNX, Arrow, Spark and DuckDB types follow from them.
SqlType = Literal["bigint", "int", "real", "float", "varchar", "date"]
Treatment = Literal["flag", "impute", "drop"]

#: Azure ML's metrics of a regression.
PRIMARY_METRICS = (
    "spearman_correlation",
    "normalized_root_mean_squared_error",
    "r2_score",
    "normalized_mean_absolute_error",
)
#: Algorithms of the embedded AutoML; those that Azure ML has too go by its names.
EMBEDDED_ALGORITHMS = (
    "Ridge",
    "LightGBM",
    "SVR",
    "GaussianProcess",
    "GradientBoosting",
    "ExtremeRandomTrees",
    "MLP",
    "RandomForest",
)
#: Azure ML's regression algorithms (azure.ai.ml.automl.RegressionModels).
AZURE_ALGORITHMS = (
    "ElasticNet",
    "GradientBoosting",
    "DecisionTree",
    "KNN",
    "LassoLars",
    "SGD",
    "RandomForest",
    "ExtremeRandomTrees",
    "LightGBM",
    "XGBoostRegressor",
)
ALGORITHMS = tuple(dict.fromkeys((*EMBEDDED_ALGORITHMS, *AZURE_ALGORITHMS)))

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
#: Names of tables and jobs get endings of up to 28 characters.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_REGISTRY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_LAKE_PATH = re.compile(r"(?!.*(^|/)\.\.?(/|$))[^/\\\x00]([^\\\x00]*[^/\\\x00])?")


class SpecError(ValueError):
    """A spec that no model can have; `path` leads to the field."""

    def __init__(self, path: tuple[str | int, ...], text: str) -> None:
        super().__init__(text)
        self.path = path


@dataclass(frozen=True)
class Column:
    """One column of a file, a table and (if it is a feature) the model's signature.

    `minimum`, `maximum` (inclusive) and `codes` are hard limits: a value outside them is bad
    input. `suspicious` values are valid but flagged, imputed or dropped, as the spec says.
    """

    name: str
    sql_type: SqlType
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    codes: tuple[int | str, ...] = ()
    suspicious: tuple[float | str, ...] = ()
    length: int = 128
    """Longest text in characters; only for varchar."""
    date_format: str = "%Y-%m-%d"
    """strptime format of the file's dates; ISO dates are always accepted. Only for date."""

    def __post_init__(self) -> None:
        if not _IDENTIFIER.fullmatch(self.name):
            raise ValueError(f"column name {self.name!r} is not an SQL identifier")
        numbers = [value for value in self.suspicious if not isinstance(value, str)]
        limits = [limit for limit in (self.minimum, self.maximum) if limit is not None]
        if not all(map(math.isfinite, (*numbers, *limits))):
            raise ValueError(f"{self.name}: minimum, maximum and suspicious take finite numbers")
        if len(limits) == 2 and limits[0] > limits[1]:
            raise ValueError(f"{self.name}: minimum is {limits[0]:g}, above maximum, {limits[1]:g}")

    @property
    def sql_declaration(self) -> str:
        """The type as a T-SQL column declaration, such as `bigint` or `varchar(20)`."""
        return f"varchar({self.length})" if self.sql_type == "varchar" else self.sql_type


#: Numbers the rows of a scoring file from 1, in the normalized file and in the pool.
FORECAST_ROW = Column("forecast_row", "bigint", "Number of the row in the file, from 1")
#: SQL types of what a prediction says of its origin, by the columns' names, in order.
ORIGIN_TYPES = {
    "model_version": "int",
    "model_digest": "char(64)",
    "data_version": "varchar(100)",
    "code_version": "varchar(100)",
    "run_id": "varchar(64)",
    "predicted_at": "datetime2(6)",
}


@dataclass(frozen=True)
class TrainingSettings:
    """The lab's AutoML settings, by the lab's names; they configure both environments.

    Raises ValueError for a value outside its range and for an unknown metric or algorithm.
    """

    experiment: str = ""
    """Empty: the model's short name."""
    primary_metric: str = "spearman_correlation"
    """One of PRIMARY_METRICS; normalized errors are over the target's range."""
    max_training_hours: float = 0.25
    """A ceiling: a training ends when its plan is done."""
    max_concurrent_trials: int = 2
    max_trials: int = 0
    """Models that are tried at most; 0 for all of the plan."""
    max_rows: int = 0
    """Rows that are trained on at most, a sample of a larger table; 0: as memory allows."""
    onnx_compatible: bool = True
    """Only models that export to ONNX; the embedded AutoML has no others."""
    seed: int = 0
    allowed_algorithms: tuple[str, ...] = ()
    """Names of ALGORITHMS; empty for all. Each environment uses those that it has."""
    blocked_algorithms: tuple[str, ...] = ()
    prefer_simple: bool = True
    """Choose the simplest model within one standard error of the best (embedded only)."""
    min_rows_per_second: float = 0.0
    """Refuse slower models, measured in ONNX Runtime on one thread; 0 for no limit."""
    onnx_opset: int = 9
    """With the next two: the model's format (embedded only). The defaults are PREDICT's."""
    onnx_ml_opset: int = 1
    onnx_ir_version: int = 4

    def __post_init__(self) -> None:
        problems = []
        if self.primary_metric not in PRIMARY_METRICS:
            metrics = ", ".join(PRIMARY_METRICS)
            problems.append(f"primary_metric {self.primary_metric!r} is not one of {metrics}")
        if not 0 < self.max_training_hours <= 24 * 7:
            problems.append(f"max_training_hours is {self.max_training_hours}, not 0 to 168")
        for name, least in (("max_concurrent_trials", 1), ("max_trials", 0), ("max_rows", 0)):
            if (count := getattr(self, name)) < least:
                problems.append(f"{name} is {count}, not {least} or more")
        if not 0 <= self.seed < 2**31:
            problems.append(f"seed is {self.seed}, not 0 to 2147483647")
        if not 0 <= self.min_rows_per_second < math.inf:
            problems.append(f"min_rows_per_second is {self.min_rows_per_second}, not 0 or more")
        if unknown := sorted({*self.allowed_algorithms, *self.blocked_algorithms} - {*ALGORITHMS}):
            names = ", ".join(ALGORITHMS)
            problems.append(f"unknown algorithms {', '.join(unknown)}; known are {names}")
        if self.allowed_algorithms and not set(self.allowed_algorithms) - set(
            self.blocked_algorithms
        ):
            problems.append("every allowed algorithm is blocked")
        problems += self.onnx_versions.problems()
        if problems:
            raise ValueError("training settings: " + "; ".join(problems))

    @property
    def onnx_versions(self) -> OnnxVersions:
        """The versions of the model's format."""
        return OnnxVersions(self.onnx_opset, self.onnx_ml_opset, self.onnx_ir_version)


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """All that bikecast knows of one model: columns, names of files and tables, settings.

    `features` are the model's inputs in order; `keys` are carried along and are never features;
    the training table has the features, the target and then the keys. Names that are left empty
    derive from `name`. Raises SpecError for what no model can have.
    """

    name: str = ""
    """Short name, such as bike_rentals: the main job's, and what `--model` takes. Empty: made of
    `model_name`."""
    prefix: str | None = None
    """Before names of other jobs, schedules, sensors and asset groups. None: short name and _."""
    model_name: str = ""
    """Name in the registry."""
    features: tuple[Column, ...]
    target: Column
    keys: tuple[Column, ...] = ()
    training: TrainingSettings = TrainingSettings()
    source_asset: str = ""
    source_file: str = ""
    training_table: str = ""
    run_asset: str = ""
    model_table: str = ""
    scoring_file: str = ""
    scoring_table: str = ""
    procedure: str = ""
    predictions_table: str = ""
    inputs: dict[str, str] = field(default_factory=dict)
    """Columns of the rows to score that are features by another name, by the features' names."""
    output: str = "variable_out1"
    output_type: str = "real"
    """With `output` the column with the predictions; one of `bikecast.core.output_type`."""
    model_output: str = "variable_out1"
    """What the models themselves call their output."""
    time_key: str | None = None
    """The key that orders rows in time; None where rows have no order."""
    first_day: str | None = None
    """The first daily partition, an ISO date; None for none. It takes a time key of type date."""
    ignored: tuple[str, ...] = ()
    """Columns that files of this kind usually carry and that are left out without a finding."""
    columns: dict[str, str] = field(default_factory=dict)
    """Names that the files have for the spec's columns, by the spec's names."""
    segments: tuple[str, ...] = ()
    """Features whose values split the model's scores into segments."""
    shown: tuple[str, ...] = ()
    """Features that people want to see beside a prediction."""
    suspicious_treatment: Treatment = "flag"
    schema: str = "dbo"
    description: str = ""
    owners: tuple[str, ...] = ()
    labels: dict[str, dict[int | str, str]] = field(default_factory=dict)
    """Words for codes, by column name, for people."""
    data_licence: str = ""
    """Where the data comes from and under which licence; the model card says it."""
    schedules: Schedules = field(default_factory=Schedules)
    freshness: Freshness = field(default_factory=Freshness)
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        self._derive_names()
        self._check_columns()
        if self.time_key is not None and self.time_key not in self.key_names:
            raise SpecError(
                ("time_key",), f"{self.name}: time_key {self.time_key!r} is not one of the keys"
            )
        if self.first_day is not None:
            try:
                datetime.date.fromisoformat(self.first_day)
            except ValueError as error:
                raise SpecError(("first_day",), f"{self.name}: first_day: {error}") from None
            key_types = {key.name: key.sql_type for key in self.keys}
            if key_types.get(self.time_key or "") != "date":
                raise SpecError(
                    ("first_day",),
                    f"{self.name}: daily partitions take a time_key of type date, "
                    f"not {self.time_key!r}",
                )
        for field_name in ("segments", "shown"):
            unknown = sorted(set(getattr(self, field_name)) - set(self.feature_names))
            if unknown:
                raise SpecError((field_name,), f"{self.name}: not features: {', '.join(unknown)}")

    def _check_columns(self) -> None:
        """Each column has a name of its own, in SQL, which knows no case; one at least is a
        feature, and a number is predicted."""
        if not self.features:
            raise SpecError(("features",), f"{self.name}: there is no feature")
        if self.target.sql_type in ("varchar", "date"):
            raise SpecError(
                ("target",), f"{self.name}: the target is of type {self.target.sql_type}, no number"
            )
        places: dict[str, tuple[str | int, ...]] = {}
        for path, column in (
            *((("features", number), each) for number, each in enumerate(self.features)),
            (("target",), self.target),
            *((("keys", number), each) for number, each in enumerate(self.keys)),
        ):
            name = column.name.casefold()
            if name in places:
                raise SpecError(path, f"{self.name}: columns appear twice: {column.name}")
            places[name] = path
        for name in self.columns:
            if name.casefold() not in places:
                raise SpecError(("columns", name), f"{self.name}: there is no column {name}")
        read = {self.columns.get(column.name, column.name) for column in self.training_columns}
        for number, name in enumerate(self.ignored):
            if name in read:
                raise SpecError(
                    ("ignored", number), f"{self.name}: {name} is ignored, and is a column too"
                )

    def check_predictions(self) -> None:
        """Raise SpecError where PREDICT cannot take the features, or where the predictions tables
        cannot hold them: beside features and keys these have the output, and columns that say
        where a prediction comes from."""
        own = (FORECAST_ROW.name, *ORIGIN_TYPES)
        for place, columns in (("features", self.features), ("keys", self.keys)):
            for number, column in enumerate(columns):
                if column.name.casefold() in own:
                    raise SpecError(
                        (place, number),
                        f"{self.name}: {column.name} is a column of each predictions table; give "
                        "this one another name, and say under `columns` what the files call it",
                    )
                if column.sql_type == "date" and place == "features":
                    raise SpecError(
                        (place, number),
                        f"{self.name}: PREDICT takes no date, which {column.name} is; take its "
                        "parts, such as month and weekday, as features, or the date as a key",
                    )
        names = {column.name.casefold() for column in (*self.features, *self.keys)}
        if self.output.casefold() in {*names, *own}:
            raise SpecError(
                ("output",), f"{self.name}: output {self.output!r} is another column's name"
            )
        if problem := output_type_problem(self.output_type):
            raise SpecError(("output_type",), problem)
        self._check_inputs()

    def _check_inputs(self) -> None:
        """Each feature has a column of its own in the rows to score."""
        scored = (self.inputs.get(name, name) for name in self.feature_names)
        names = [name.casefold() for name in (FORECAST_ROW.name, *self.key_names, *scored)]
        for feature, name in self.inputs.items():
            if feature not in self.feature_names:
                problem = f"{feature} is no feature; they are {', '.join(self.feature_names)}"
            elif not _IDENTIFIER.fullmatch(name):
                problem = f"{name!r} is not an SQL identifier"
            elif names.count(name.casefold()) > 1:
                problem = f"{name} is another column of the rows to score"
            else:
                continue
            raise SpecError(("inputs", feature), f"{self.name}: {problem}")

    def _derive_names(self) -> None:
        """Fill in the names that are empty, and look at all of them."""
        name = self.name or re.sub(r"\W+", "_", self.model_name.removesuffix("-model")).strip("_")
        if not _NAME.fullmatch(name):
            raise SpecError(
                ("name",),
                f"name {name!r} is not a letter with up to 99 letters, digits and underscores",
            )
        slug = name.replace("_", "-")
        derived = {
            "name": name,
            "model_name": f"{slug}-model",
            "source_asset": f"raw_{name}",
            "source_file": f"data/{name}/training.csv",
            "training_table": f"{name}_data",
            "run_asset": f"{name}_automl_run",
            "model_table": f"{name}_model",
            "scoring_file": f"data/{name}/scoring.csv",
            "scoring_table": f"{name}_scoring",
            "procedure": f"predict_{name}",
            "predictions_table": f"predicted_{name}",
        }
        for field_name, value in derived.items():
            if not getattr(self, field_name):
                object.__setattr__(self, field_name, value)
        if self.prefix is None:
            object.__setattr__(self, "prefix", f"{name}_")
        if not self.training.experiment:
            object.__setattr__(self, "training", replace(self.training, experiment=slug))
        for field_name in derived:
            pattern = _NAME
            if field_name.endswith("_file"):
                pattern = _LAKE_PATH
            elif field_name == "model_name":
                pattern = _REGISTRY_NAME
            value = getattr(self, field_name)
            if not pattern.fullmatch(value):
                example = derived[field_name]
                raise SpecError(
                    (field_name,), f"{field_name} {value!r} is not a name such as {example}"
                )
        if self.prefix and not _NAME.fullmatch(self.prefix):
            raise SpecError(("prefix",), f"prefix {self.prefix!r} is not a name such as {name}_")
        for field_name in ("schema", "output", "model_output"):
            value = getattr(self, field_name)
            if not _IDENTIFIER.fullmatch(value):
                raise SpecError((field_name,), f"{field_name} {value!r} is not an SQL identifier")

    def named(self, what: str) -> str:
        """The name of one of the model's jobs, schedules, sensors or asset groups."""
        return f"{self.prefix}{what}"

    def owned_names(self) -> dict[str, tuple[str, ...]]:
        """Names that no two models of an installation may share, by what they name."""
        by_day = (f"{self.scoring_table}_by_day", f"{self.predictions_table}_by_day")
        tables = (
            *(self.training_table, self.model_table, self.scoring_table, self.predictions_table),
            *(f"{self.model_table}_audit", f"{self.scoring_table}_staging"),
            f"{self.scoring_table}_inputs",
            *(f"{self.predictions_table}_{end}" for end in ("staging", "scored", "rescored")),
            *(*by_day, *(f"{name}_staging" for name in by_day), self.procedure),
            *(f"score_{self.predictions_table}", f"save_{self.predictions_table}"),
        )
        return {
            "asset": (
                *(self.source_asset, self.training_table, self.run_asset, self.model_table),
                *(f"{self.model_table}_table", f"{self.scoring_table}_file", self.scoring_table),
                *(self.procedure, self.predictions_table, f"{self.predictions_table}_rescored"),
                *by_day,
            ),
            "table or procedure": tuple(f"{self.schema}.{name}" for name in tables),
            "file of the lake": (self.source_file, self.scoring_file),
            "registered model": (self.model_name,),
        }

    @property
    def training_columns(self) -> tuple[Column, ...]:
        """Columns of the training table in order: features, target, keys."""
        return (*self.features, self.target, *self.keys)

    @property
    def scored_columns(self) -> tuple[Column, ...]:
        """Columns of the rows to score in order, by the names there: number, keys, features."""
        named = (
            replace(each, name=self.inputs.get(each.name, each.name)) for each in self.features
        )
        return (FORECAST_ROW, *self.keys, *named)

    @property
    def training_table_path(self) -> str:
        """Lake path of the training table."""
        return f"tables/{self.training_table}"

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the model's inputs, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of the columns that are carried along."""
        return tuple(key.name for key in self.keys)
