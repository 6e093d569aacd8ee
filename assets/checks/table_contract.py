"""The training table against the spec, read back after it was written."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from bikecast.core.spec import Column, ModelSpec
from bikecast.core.sql_types import arrow_schema
from bikecast.core.trainable import MINIMUM_ROWS


def contract_problems(table: pa.Table, spec: ModelSpec) -> list[dict[str, object]]:
    """What breaks the contract: one dict a problem, with column, problem and number of rows.

    Checked are names and types, the number of rows, a target that varies, missing values, unique
    keys, and the codes and limits that the spec calls hard.
    """
    problems: list[dict[str, object]] = []
    for field in arrow_schema(spec.training_columns):
        if field.name not in table.column_names:
            problems.append(_problem(field.name, "is missing", table.num_rows))
        elif not _same_type(table.schema.field(field.name).type, field.type):
            type_ = table.schema.field(field.name).type
            problems.append(_problem(field.name, f"is {type_}, not {field.type}", table.num_rows))
    if problems:
        return problems
    if table.num_rows < MINIMUM_ROWS:
        problems.append(_problem("(table)", f"fewer than {MINIMUM_ROWS} rows", table.num_rows))
    for column in spec.training_columns:
        problems += _column_problems(table[column.name], column)
    limits = pc.min_max(table[spec.target.name]).as_py()
    if table.num_rows and limits["min"] == limits["max"]:
        problems.append(_problem(spec.target.name, "the same value in every row", table.num_rows))
    keys = list(spec.key_names)
    if keys:
        distinct = table.select(keys).group_by(keys).aggregate([]).num_rows
        if distinct != table.num_rows:
            repeated = table.num_rows - distinct
            problems.append(_problem(", ".join(keys), "keys appear twice", repeated))
    return problems


def _column_problems(values: pa.ChunkedArray, column: Column) -> list[dict[str, object]]:
    problems = []
    if values.null_count:
        problems.append(_problem(column.name, "missing values", values.null_count))
    checks = []
    if column.codes:
        allowed = pc.is_in(values, pa.array(column.codes).cast(values.type))
        checks.append((pc.invert(allowed), "values outside the codes"))
    if column.minimum is not None:
        checks.append((pc.less(values, column.minimum), f"values below {column.minimum:g}"))
    if column.maximum is not None:
        checks.append((pc.greater(values, column.maximum), f"values above {column.maximum:g}"))
    if pa.types.is_floating(values.type):
        checks.append((pc.invert(pc.is_finite(values)), "values that are not finite"))
    for mask, problem in checks:
        if rows := pc.sum(mask).as_py():
            problems.append(_problem(column.name, problem, rows))
    return problems


def _problem(column: str, problem: str, rows: int) -> dict[str, object]:
    return {"column": column, "problem": problem, "rows": rows}


def _same_type(actual: pa.DataType, expected: pa.DataType) -> bool:
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if any(is_text(actual) for is_text in text):
        return any(is_text(expected) for is_text in text)
    return bool(actual == expected)
