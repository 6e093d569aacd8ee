"""Scoring as a Spark DataFrame, for every engine: rows of the lake in, Parquet files out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bikecast.core.output_type import OutputType
from bikecast.core.spec import FORECAST_ROW, Column, ModelSpec
from bikecast.core.sql_types import (
    arrow_output_type,
    arrow_schema,
    spark_output_type,
    spark_schema,
    type_names,
)
from resources.spark.onnx_rows import row_scorer

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from resources.spark.port import Stamp


def named_as_inputs(rows: DataFrame, spec: ModelSpec) -> DataFrame:
    """The rows of a table by the names of the model's inputs."""
    from pyspark.sql import functions as f

    features = {name: feature for feature, name in spec.inputs.items()}
    return rows.select(
        *[
            f.col(f"`{name}`").alias(features.get(name, name))
            for name in rows.columns
            if name in features or name not in spec.inputs
        ]
    )


def scored_rows(
    rows: DataFrame, spec: ModelSpec, model: bytes, digest: str, stamp: Stamp
) -> DataFrame:
    """The columns of the predictions table, scored in the workers.

    `rows` have the features; missing keys are NULL, and a missing forecast_row is numbered:
    unique, but with gaps. `model` was checked by `bikecast.core.onnx.contract`.
    """
    from pyspark.sql import functions as f

    there = set(rows.columns)
    columns = source_columns(spec)

    def value(column: Column):  # type: ignore[no-untyped-def]  # pyspark.sql.Column
        if column.name in there:
            source = f.col(column.name)
        elif column == FORECAST_ROW:
            source = f.monotonically_increasing_id() + 1
        else:
            source = f.lit(None)
        return source.cast(type_names(column).spark).alias(column.name)

    typed = rows.select(*[value(column) for column in columns])
    features = [(column.name, type_names(column).numpy) for column in spec.features]
    score = row_scorer(model, digest, features, spec.output)
    scored = typed.mapInArrow(score, spark_schema((*columns, Column(spec.output, "real"))))
    kind, score_column = OutputType(spec.output_type), f.col(spec.output)
    rounded = f.round(score_column) if kind.is_whole else score_column
    scored = scored.withColumn(spec.output, rounded.cast(spark_output_type(kind)))
    moment = f.lit(stamp.predicted_at).cast("timestamp").alias("predicted_at")
    return scored.select(
        *scored.columns,
        f.lit(stamp.model_version).cast("int").alias("model_version"),
        f.lit(digest).alias("model_digest"),
        f.lit(stamp.data_version).alias("data_version"),
        f.lit(stamp.code_version).alias("code_version"),
        f.lit(stamp.run_id).alias("run_id"),
        moment,
    )


def write_folder(rows: DataFrame, url: str) -> None:
    """Write Parquet files that COPY INTO takes; what was in the folder goes."""
    # Spark's default, INT96, has no place in a Delta table.
    rows.sparkSession.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    rows.write.mode("overwrite").option("compression", "snappy").parquet(url)


def missing_features(rows: DataFrame, spec: ModelSpec) -> list[str]:
    """Features that the rows do not have, by the rows' names."""
    there = set(rows.columns)
    return [spec.inputs.get(name, name) for name in spec.feature_names if name not in there]


def source_columns(spec: ModelSpec) -> tuple[Column, ...]:
    """What is read: forecast_row, keys, features."""
    return (FORECAST_ROW, *spec.keys, *spec.features)


def predictions_schema(spec: ModelSpec) -> pa.Schema:
    """The Delta table of predictions: what was read, the score, the stamp, as the pool has them."""
    import pyarrow as pa

    text = ("model_digest", "data_version", "code_version", "run_id")
    return pa.schema(
        [
            *arrow_schema(source_columns(spec)),
            pa.field(spec.output, arrow_output_type(OutputType(spec.output_type))),
            pa.field("model_version", pa.int32()),
            *[pa.field(name, pa.string()) for name in text],
            pa.field("predicted_at", pa.timestamp("us", tz="UTC")),
        ]
    )
