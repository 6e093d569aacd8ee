"""The Spark job that makes a training table, as it runs on a Spark pool (Spark 3.5).

It is shipped to the lake as the main file of a Livy batch, together with the modules it imports,
so it uses nothing but those, PySpark's DataFrame API and the standard library.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

from bikecast.core.spec_json import spec_from_json
from resources.spark.content import FORMULA, content_of
from resources.spark.errors import cause
from resources.spark.transform import is_suspicious, read_raw, training_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from bikecast.core.spec import ModelSpec

#: Hexadecimal digits a sum; 15 of them fit a bigint.
_DIGITS = 15


def run(session: SparkSession, job_url: str, csv_url: str, table_url: str, result_url: str) -> str:
    """Make the table that the job's file describes; return the error for people, or "".

    The job's file holds `spec`, `header` (the CSV's column names), `input` (identity of the
    input), `current` (data version of the table as it is) and `formula` (by which that was made).
    A version by the first formula stays where it still holds. The table is written only where
    its content changes, by one commit whose user metadata is the outcome; the outcome is also
    the one row of the Delta table at `result_url`.
    """
    text = session.read.text(job_url, wholetext=True).collect()[0][0]
    job = json.loads(text)
    spec = spec_from_json(job["spec"])
    raw = read_raw(session, csv_url, job["header"], spec)
    table = training_table(raw, spec)
    content = content_of(table, spec.training_columns)
    rows, version, formula = content.rows, content.version(spec.training_columns), FORMULA
    if job["current"] and job["formula"] != FORMULA and job["current"] == first_version(table):
        version, formula = job["current"], job["formula"]
    rows_read = raw.count()
    outcome: dict[str, Any] = {
        "input": job["input"],
        "data_version": version,
        "formula": formula,
        "rows": rows,
        "dropped_rows": rows_read - rows,
        "changed": version != job["current"],
        "findings": suspicious_counts(raw, spec),
        "error": "" if rows else f"no usable row is left of {rows_read:,}",
    }
    outcome_text = json.dumps(outcome)
    if rows and outcome["changed"]:
        writer = table.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
        writer.option("userMetadata", outcome_text).save(table_url)
    if rows:
        # After the commit, whose metadata is the outcome, so that a refusal costs no table.
        problem = register_table(session, spec.training_table, table_url)
        if problem:
            outcome_text = json.dumps({**outcome, "findings": [*outcome["findings"], problem]})
    result = session.createDataFrame([(outcome_text,)], "outcome string").coalesce(1)
    result.write.format("delta").mode("overwrite").save(result_url)
    return str(outcome["error"])


def register_table(session: SparkSession, name: str, url: str) -> str:
    """Let the lake database `default` know a Delta table, as default.NAME; returns what refuses.

    Serverless SQL pools and other Spark jobs of the workspace find it there. A table of that name
    is left as it is, wherever it lies: dropping it could delete somebody's data. No error of Spark,
    the JVM or the metastore is raised, because the training table is committed by then.
    """
    location = url.replace("\\", "\\\\").replace("'", "\\'")
    try:
        session.sql(
            f"CREATE TABLE IF NOT EXISTS default.`{name}` USING DELTA LOCATION '{location}'"
        ).collect()
    except Exception as error:  # noqa: BLE001 # py4j and the metastore's clients share no base class
        return f"{name} could not be registered as default.{name}: {cause(error)}"
    return ""


def first_version(table: DataFrame) -> str:
    """The data version of a table by the first formula of the pool's batches.

    Each row is hashed by SHA-256 over its JSON; four sums of 60 bits of each hash are hashed.
    """
    from pyspark.sql import functions as f

    digest = f.sha2(f.to_json(f.struct(*table.columns)), 256)
    slices = [
        f.conv(f.substring(digest, 1 + _DIGITS * part, _DIGITS), 16, 10).cast("decimal(38,0)")
        for part in range(4)
    ]
    row = table.agg(f.count(f.lit(1)), *[f.sum(part) for part in slices]).collect()[0]
    schema = [(field.name, field.dataType.simpleString()) for field in table.schema.fields]
    text = json.dumps([schema, [str(value) for value in row]])
    return hashlib.sha256(text.encode()).hexdigest()


def suspicious_counts(raw: DataFrame, spec: ModelSpec) -> list[str]:
    """One text a column that has suspicious values."""
    findings = []
    for column in (*spec.features, spec.target):
        if column.suspicious and (count := raw.where(is_suspicious(column)).count()):
            shown = ", ".join(str(value) for value in column.suspicious)
            findings.append(f"{column.name}: {count:,} rows have the suspicious value {shown}")
    return findings


if __name__ == "__main__":
    from pyspark.sql import SparkSession

    # The URLs of job, CSV, table and result.
    sys.exit(run(SparkSession.builder.getOrCreate(), *sys.argv[1:5]) or None)
