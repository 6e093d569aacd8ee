"""A training table from any tabular CSV: types are inferred, and each treatment is said.

Whole numbers stay whole, or become floats where some are missing; texts are categories; a date
becomes its day, month, year and weekday, and the only date also orders the rows in time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import Column, ModelSpec, TrainingSettings
from bikecast.core.sql_types import arrow_schema
from bikecast.core.trainable import target_problem

#: Formats of a whole column of dates, tried in this order; ISO dates are recognized before.
DATE_FORMATS = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d")
#: Whole numbers of a gapless range with at most this many values are codes.
MAX_CODES = 24
#: Columns with at most this many categories or codes are segments of the scores, two at most.
MAX_SEGMENT_VALUES = 8
#: PREDICT's longest varchar.
MAX_LENGTH = 8000
#: The model's output; a column of that name gets another one.
OUTPUT = "variable_out1"
_MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?", "#N/A"]


@dataclass(frozen=True)
class Tabular:
    """A spec made for a table, the table with the spec's training columns, and what to know."""

    spec: ModelSpec
    table: pa.Table
    notes: tuple[str, ...]


def read_csv(path: Path) -> pa.Table:
    """Read a CSV with a header; separated by comma, semicolon, tab or bar.

    Raises InvalidInput where it cannot be read, has no rows, or names a column twice.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
        separator = max(",;\t|", key=header.count)
        table = pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(block_size=min(path.stat().st_size + 1, 2**31 - 1)),
            parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(null_values=_MISSING, strings_can_be_null=True),
        )
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise InvalidInput(
            f"{path} cannot be read as CSV: {error}. Nothing was trained. Give a UTF-8 file with "
            "a header line."
        ) from error
    names = table.column_names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInput(
            f"{path}: the header names {', '.join(map(repr, twice))} twice. Nothing was trained. "
            "Give each column a name of its own."
        )
    return table


def tabular_data(
    table: pa.Table,
    *,
    target: str,
    features: Sequence[str] = (),
    name: str,
    training: TrainingSettings | None = None,
) -> Tabular:
    """Infer a spec. `features` are all other columns where none are given.

    Raises InvalidInput for an unknown column, a target that is not a number or does not vary, too
    few rows, and infinite values.
    """
    chosen = list(features) or [column for column in table.column_names if column != target]
    if unknown := [column for column in [*chosen, target] if column not in table.column_names]:
        raise InvalidInput(
            f"{name} has no column {', '.join(map(repr, unknown))}; it has "
            f"{', '.join(table.column_names)}. Nothing was trained."
        )
    if target in chosen:
        raise InvalidInput(f"the target {target!r} cannot be a feature. Nothing was trained.")
    builder = _Builder()
    has_target = pc.is_valid(table[target])
    dropped = table.num_rows - pc.sum(has_target).as_py() if table.num_rows else 0
    column = _target(name, target, table[target])
    if dropped:
        builder.notes.append(f"{dropped} rows without a target {target!r} are left out")
        table, column = table.filter(has_target), column.filter(has_target)
    limits = pc.min_max(column).as_py()
    problem = target_problem(target, len(column), limits["min"], limits["max"])
    if problem is not None:
        raise InvalidInput(f"{name}: {problem}. Nothing was trained.")
    builder.name(target)
    dates: dict[str, pa.ChunkedArray] = {}
    for original in table.column_names:
        if original == target:
            continue
        array = _plain(table[original], original, builder.notes)
        if pa.types.is_date(array.type):
            dates[original] = array
        if original in chosen:
            builder.add(name, original, array)
    if not builder.features:
        raise InvalidInput(
            f"{name} has no feature with a value in it. Nothing was trained. Check the columns."
        )
    goal = Column(builder.names[target], "float")
    key = _time_key(dates, builder)
    columns = {**builder.arrays, goal.name: column.cast("float64")}
    if key is not None:
        columns[key[0].name] = key[1]
    spec = _spec(name, builder, goal, None if key is None else key[0], training)
    content = pa.table({c.name: columns[c.name] for c in spec.training_columns})
    return Tabular(spec, content.cast(arrow_schema(spec.training_columns)), tuple(builder.notes))


@dataclass
class _Builder:
    """Collects feature columns under names that SQL allows."""

    features: list[Column] = field(default_factory=list)
    arrays: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=lambda: {"": OUTPUT})
    notes: list[str] = field(default_factory=list)

    def name(self, original: str) -> str:
        """The SQL identifier of a column, the same for each call."""
        if original in self.names:
            return self.names[original]
        base = re.sub(r"[^A-Za-z0-9_]+", "_", original).strip("_")[:100] or "column"
        base = f"c_{base}" if base[0].isdigit() else base
        name, number = base, 1
        while name in self.names.values():
            number += 1
            name = f"{base}_{number}"
        self.names[original] = name
        if name != original:
            self.notes.append(f"column {original!r} is called {name} in the model")
        return name

    def add(self, where: str, original: str, array: pa.ChunkedArray) -> None:
        """Add one column by its Arrow type."""
        if array.null_count == len(array):
            self.notes.append(f"column {original!r} has no value in any row and is left out")
        elif pa.types.is_date(array.type):
            self._add_date(original, array)
        elif pa.types.is_string(array.type):
            length = min(MAX_LENGTH, max(1, pc.max(pc.utf8_length(array)).as_py()))
            self._put(Column(self.name(original), "varchar", length=length), array)
        elif pa.types.is_integer(array.type) and not array.null_count:
            self._put(Column(self.name(original), "bigint", codes=_codes(array)), array)
        else:
            _check_finite(where, original, array)
            self._put(Column(self.name(original), "float"), array)

    def _add_date(self, original: str, array: pa.ChunkedArray) -> None:
        parts = {"day": pc.day, "month": pc.month, "year": pc.year, "weekday": pc.day_of_week}
        for part, function in parts.items():
            values = function(array)
            name = self.name(f"{original}_{part}")
            if values.null_count:
                self._put(Column(name, "float"), values)
            else:
                self._put(Column(name, "bigint", codes=_codes(values)), values)
        self.notes.append(f"column {original!r} is a date: its {', '.join(parts)} are features")

    def _put(self, column: Column, array: Any) -> None:
        self.features.append(column)
        self.arrays[column.name] = array


def _plain(array: pa.ChunkedArray, name: str, notes: list[str]) -> pa.ChunkedArray:
    """One of the types null, int64, float64, date32 or string."""
    type_ = array.type
    if pa.types.is_dictionary(type_) or pa.types.is_large_string(type_):
        array = array.cast(pa.string())
        type_ = array.type
    if pa.types.is_boolean(type_) or pa.types.is_integer(type_):
        return array.cast(pa.int64())
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        # A number that is none is a missing one.
        array = array.cast(pa.float64())
        return pc.if_else(pc.is_nan(array), pa.scalar(None, pa.float64()), array)
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        return array.cast(pa.date32(), safe=False)
    if pa.types.is_string(type_):
        return _dates(array, name, notes)
    return array if pa.types.is_null(type_) else array.cast(pa.string())


def _dates(array: pa.ChunkedArray, name: str, notes: list[str]) -> pa.ChunkedArray:
    """The column as dates if all its values have one of the formats, else as it is."""
    first = next((value.as_py() for value in array if value.is_valid), "")
    if not re.fullmatch(r"\d{1,4}[./]\d{1,2}[./]\d{1,4}", first):
        return array
    fitting = {}
    for layout in DATE_FORMATS:
        parsed = pc.strptime(array, layout, "s", error_is_null=True)
        if parsed.null_count == array.null_count:
            fitting[layout] = parsed.cast(pa.date32(), safe=False)
    if len(fitting) > 1:
        notes.append(f"column {name!r}: dates are read as month/day/year, but could be day/month")
    return next(iter(fitting.values()), array)


def _target(where: str, name: str, array: pa.ChunkedArray) -> pa.ChunkedArray:
    plain = array
    if pa.types.is_boolean(array.type) or pa.types.is_integer(array.type):
        plain = array.cast(pa.int64())
    elif not (pa.types.is_floating(array.type) or pa.types.is_decimal(array.type)):
        number = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
        values = enumerate(array.to_pylist(), start=1)
        row, value = next(
            ((row, v) for row, v in values if v is not None and not number.fullmatch(str(v))),
            (0, None),
        )
        content = f"holds {value!r} in data row {row}" if row else "has no value"
        raise InvalidInput(
            f"{where}: the target {name!r} {content}; only numbers can be predicted. "
            "Nothing was trained. Correct the row, or choose another target."
        )
    _check_finite(where, name, plain)
    return plain


def _check_finite(where: str, name: str, array: pa.ChunkedArray) -> None:
    infinite = pc.index(pc.is_inf(array.cast(pa.float64())), True).as_py()
    if infinite >= 0:
        raise InvalidInput(
            f"{where}: column {name!r} is infinite in data row {infinite + 1}. Nothing was "
            "trained. Correct the value or leave it empty."
        )


def _codes(array: Any) -> tuple[int, ...]:
    """The values of a gapless range of a few whole numbers, else none."""
    low, high = pc.min(array).as_py(), pc.max(array).as_py()
    if not 0 < high - low < MAX_CODES or pc.count_distinct(array).as_py() != high - low + 1:
        return ()
    return tuple(range(low, high + 1))


def _time_key(
    dates: dict[str, pa.ChunkedArray], builder: _Builder
) -> tuple[Column, pa.ChunkedArray] | None:
    """The only date column without gaps orders the rows in time."""
    complete = {name: array for name, array in dates.items() if not array.null_count}
    if len(dates) != 1 or not complete:
        return None
    ((original, array),) = complete.items()
    builder.notes.append(f"rows are ordered in time by {original!r}")
    return Column(builder.name(original), "date"), array


def _spec(
    name: str,
    builder: _Builder,
    target: Column,
    key: Column | None,
    training: TrainingSettings | None,
) -> ModelSpec:
    slug = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:60] or "table"
    table = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:60] or "table"
    return ModelSpec(
        model_name=f"{slug}-model",
        output=OUTPUT,
        description=f"Predicts {target.name} from {len(builder.features)} columns of {name}.",
        features=tuple(builder.features),
        target=target,
        keys=() if key is None else (key,),
        time_key=None if key is None else key.name,
        training=training or TrainingSettings(experiment=slug),
        source_asset=f"raw_{table}",
        source_file=name,
        training_table=table,
        run_asset=f"{table}_run",
        model_table=f"{table}_model",
        scoring_file=f"{table}_scoring",
        scoring_table=f"{table}_scoring",
        procedure=f"predict_{table}",
        predictions_table=f"predicted_{table}",
        segments=_segments(builder),
    )


def _segments(builder: _Builder) -> tuple[str, ...]:
    few = [
        column.name
        for column in builder.features
        if (column.sql_type == "varchar" or column.codes)
        and 1 < pc.count_distinct(builder.arrays[column.name]).as_py() <= MAX_SEGMENT_VALUES
    ]
    return tuple(few[:2])
