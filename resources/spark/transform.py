"""The one transformation from a raw CSV to the training table, for every Spark engine.

It uses the DataFrame API alone, so Sail, a Spark Connect cluster, a JVM session and a Synapse
batch job run the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bikecast.core.spec import Column, ModelSpec
from bikecast.core.sql_types import type_names
from bikecast.core.suspicious import EXAMPLES, finding

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame, SparkSession

_ISO_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_DATE_PARTS = {"%Y": "yyyy", "%m": "M", "%d": "d"}


def csv_schema(names: Sequence[str], spec: ModelSpec) -> str:
    """The explicit Spark schema (DDL) of a CSV with these column names, in the file's order.

    Dates are read as text, since a file may write them in two ways; so are columns that the
    spec does not know.
    """
    types = {c.name: type_names(c).spark for c in spec.training_columns if c.sql_type != "date"}
    quoted = ("`" + name.replace("`", "``") + "`" for name in names)
    return ", ".join(
        f"{name} {types.get(raw, 'string')}" for name, raw in zip(quoted, names, strict=True)
    )


def read_raw(
    session: SparkSession, location: str, names: Sequence[str], spec: ModelSpec
) -> DataFrame:
    """The rows of a CSV with these column names, typed by `csv_schema`."""
    return session.read.csv(
        location, schema=csv_schema(names, spec), header=True, mode="FAILFAST", escape='"'
    )


def training_table(frame: DataFrame, spec: ModelSpec) -> DataFrame:
    """Features, target and keys with the spec's types, suspicious values treated.

    `frame` has the columns of `csv_schema`. Rows without a feature or the target are left out,
    as are rows with suspicious values where the spec says drop. `impute` puts the median of a
    number's good values (the most frequent text) in the place of suspicious and of missing ones;
    rows without the target are left out all the same.
    """
    from pyspark.sql import functions as f

    table = frame.select(*[_typed(column).alias(column.name) for column in spec.training_columns])
    if spec.suspicious_treatment == "impute":
        table = table.dropna(subset=[spec.target.name])
        lacking = _lacking(table, spec)
    else:
        table = table.dropna(subset=[*spec.feature_names, spec.target.name])
        lacking = set()
    for column in (*spec.features, spec.target):
        if spec.suspicious_treatment == "flag":
            continue
        suspicious = is_suspicious(column) if column.suspicious else f.lit(False)
        if spec.suspicious_treatment == "drop":
            table = table.where(~suspicious) if column.suspicious else table
            continue
        if not column.suspicious and column.name not in lacking:
            continue
        bad = suspicious | f.col(column.name).isNull()
        typical = _typical_value(table.where(~bad), column)
        if typical is not None:
            value = f.lit(typical).cast(type_names(column).spark)
            table = table.withColumn(column.name, f.when(bad, value).otherwise(f.col(column.name)))
    return table.dropna(subset=list(spec.feature_names)) if lacking else table


def _lacking(table: DataFrame, spec: ModelSpec) -> set[str]:
    """The features that some row lacks."""
    from pyspark.sql import functions as f

    counts = [f.count(f.when(f.col(name).isNull(), 1)).alias(name) for name in spec.feature_names]
    row = table.agg(*counts).collect()[0]
    return {name for name in spec.feature_names if row[name]}


def is_suspicious(column: Column) -> SparkColumn:
    """A condition that is true where the column has one of its suspicious values."""
    from pyspark.sql import functions as f

    spark_type = type_names(column).spark
    return f.col(column.name).isin([f.lit(value).cast(spark_type) for value in column.suspicious])


def suspicious_rows(table: DataFrame, spec: ModelSpec) -> tuple[str, ...]:
    """One text a column that has suspicious values, with the keys of the first such rows.

    `table` has the columns of `csv_schema` or those of the training table.
    """
    from pyspark.sql import functions as f

    columns = [column for column in (*spec.features, spec.target) if column.suspicious]
    if not columns:
        return ()
    counts = [f.count(f.when(is_suspicious(column), 1)) for column in columns]
    row = table.agg(*counts).collect()[0]
    findings = []
    for column, count in zip(columns, row, strict=True):
        if not count:
            continue
        places = []
        if spec.keys:
            types = dict(table.dtypes)
            keys = [
                _typed(key).alias(key.name) if types[key.name] == "string" else f.col(key.name)
                for key in spec.keys
            ]
            first = table.where(is_suspicious(column)).select(*keys).orderBy(*spec.key_names)
            places = [
                " ".join(f"{name} {each[name]}" for name in spec.key_names)
                for each in first.limit(EXAMPLES).collect()
            ]
        findings.append(finding(column, int(count), places, spec.suspicious_treatment))
    return tuple(findings)


def spark_date_pattern(date_format: str) -> str:
    """Spark's pattern for a strptime format of %Y, %m and %d; ValueError for others."""
    pattern = date_format
    for directive, letters in _DATE_PARTS.items():
        pattern = pattern.replace(directive, letters)
    if "%" in pattern:
        raise ValueError(f"date_format {date_format!r} may use %Y, %m and %d only")
    return pattern


def _typed(column: Column) -> SparkColumn:
    from pyspark.sql import functions as f

    text = f.col(column.name)
    if column.sql_type != "date":
        return text.cast(type_names(column).spark)
    other = f.to_date(text, spark_date_pattern(column.date_format))
    return f.when(text.rlike(_ISO_DATE), f.to_date(text, "yyyy-MM-dd")).otherwise(other)


def _typical_value(good: DataFrame, column: Column) -> float | int | str | None:
    from pyspark.sql import functions as f

    name = column.name
    if column.sql_type == "varchar":
        most_frequent = good.groupBy(name).count().orderBy(f.desc("count"), name).first()
        return None if most_frequent is None else str(most_frequent[0])
    row = good.agg(f.median(f.col(name).cast("double"))).first()
    median = None if row is None else row[0]
    if median is None:
        return None
    return round(median) if column.sql_type in ("int", "bigint") else float(median)
