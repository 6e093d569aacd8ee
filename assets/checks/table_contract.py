"""The training table against the spec, read back after it was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from bikecast.core.spec import Column, ModelSpec
from bikecast.core.sql_types import arrow_schema
from bikecast.core.trainable import MINIMUM_ROWS
from resources.lake.unique_keys import UniqueKeys


def contract_problems(
    schema: pa.Schema, blocks: Iterable[pa.Table], spec: ModelSpec
) -> list[dict[str, object]]:
    """What breaks the contract: one dict a problem, with column, problem and number of rows.

    Checked are names and types, the number of rows, a target that varies, missing values, unique
    keys, and the codes and limits that the spec calls hard. `blocks` are the table's rows; memory
    does not grow with them.
    """
    problems: list[dict[str, object]] = []
    for field in arrow_schema(spec.training_columns):
        if field.name not in schema.names:
            problems.append(_problem(field.name, "is missing"))
        elif not _same_type(schema.field(field.name).type, field.type):
            type_ = schema.field(field.name).type
            problems.append(_problem(field.name, f"is {type_}, not {field.type}"))
    if problems:
        return problems
    rows, counts = 0, dict[tuple[str, str], int]()
    ends: list[object] = []
    with UniqueKeys(spec.key_names) as keys:
        for block in blocks:
            rows += block.num_rows
            keys.add(block)
            for column in spec.training_columns:
                for problem, count in _column_problems(block[column.name], column):
                    place = column.name, problem
                    counts[place] = counts.get(place, 0) + count
            limits = pc.min_max(block[spec.target.name]).as_py()
            ends += [value for value in limits.values() if value is not None]
        repeated = len(keys.repeated())
    if rows < MINIMUM_ROWS:
        problems.append(_problem("(table)", f"fewer than {MINIMUM_ROWS} rows", rows))
    problems += [_problem(*place, count) for place, count in counts.items()]
    if rows and len(set(ends)) <= 1:
        problems.append(_problem(spec.target.name, "the same value in every row", rows))
    if repeated:
        problems.append(_problem(", ".join(spec.key_names), "keys appear twice", repeated))
    return problems


def _column_problems(values: pa.ChunkedArray, column: Column) -> Iterator[tuple[str, int]]:
    """Each problem of a column's values, and how many have it."""
    if values.null_count:
        yield "missing values", values.null_count
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
        if count := pc.sum(mask).as_py():
            yield problem, count


def _problem(column: str, problem: str, rows: int | None = None) -> dict[str, object]:
    return {"column": column, "problem": problem, "rows": rows}


def _same_type(actual: pa.DataType, expected: pa.DataType) -> bool:
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if any(is_text(actual) for is_text in text):
        return any(is_text(expected) for is_text in text)
    return bool(actual == expected)
