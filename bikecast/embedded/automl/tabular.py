"""A training table from any tabular data: types are inferred, and each inference is said.

Whole numbers stay whole, or become floats where some are missing; texts are categories; yes and no
are 1 and 0; a date becomes its day, month, year and weekday, with a clock also the hour. The only
date also orders the rows in time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import Column, ModelSpec, TrainingSettings
from bikecast.core.sql_types import arrow_schema
from bikecast.core.trainable import target_problem
from bikecast.embedded.automl.column_types import (
    ColumnType,
    ReadColumn,
    decimal_mark,
    infer,
    number_type,
    parse_type,
    read,
)
from bikecast.embedded.automl.dates import DateLayout, Times, date_parts, labels

#: Whole numbers of a gapless range with at most this many values are codes.
MAX_CODES = 24
#: The parts of a date that are codes, all of them whatever the rows have: they are cycles.
PART_CODES = {"month": range(1, 13), "weekday": range(7), "hour": range(24)}
#: Columns with at most this many categories or codes are segments of the scores, two at most.
MAX_SEGMENT_VALUES = 8
#: PREDICT's longest varchar.
MAX_LENGTH = 8000
#: The model's output; a column of that name gets another one.
OUTPUT = "variable_out1"


@dataclass(frozen=True)
class ColumnReading:
    """A column of the file: how it is read, and which inputs of the model it becomes.

    `inputs` maps an input to the part of a date that it is, or to "value". `share` of the values
    that are not missing could be read.
    """

    name: str
    how: ColumnType
    inputs: Mapping[str, str]
    share: float = 1.0


@dataclass(frozen=True)
class Tabular:
    """A spec made for a table, the table with the spec's training columns, and what to know.

    `inferences` is one row a column: what it is read as, how many values are missing, and what it
    is in the model.
    """

    spec: ModelSpec
    table: pa.Table
    notes: tuple[str, ...]
    readings: tuple[ColumnReading, ...] = ()
    inferences: tuple[Mapping[str, object], ...] = ()

    def columns_json(self) -> dict[str, Any]:
        """The readings for a JSON file, which scoring reads."""
        return {
            "format": 1,
            "columns": [
                {
                    "name": each.name,
                    "type": each.how.as_json(),
                    "inputs": dict(each.inputs),
                    "share": each.share,
                }
                for each in self.readings
            ],
        }


def tabular_data(
    table: pa.Table,
    *,
    target: str,
    features: Sequence[str] = (),
    name: str,
    training: TrainingSettings | None = None,
    types: Mapping[str, str] | None = None,
) -> Tabular:
    """Infer a spec. `features` are all other columns where none are given.

    `types` overrules what is inferred, by column name: see `parse_type`.
    Raises InvalidInput for an unknown column or type, a target that is not a number or does not
    vary, too few rows, and infinite values.
    """
    types = types or {}
    chosen = list(features) or [column for column in table.column_names if column != target]
    wanted = [*chosen, target, *types]
    if unknown := [column for column in wanted if column not in table.column_names]:
        raise InvalidInput(
            f"{name} has no column {', '.join(map(repr, unknown))}; it has "
            f"{', '.join(table.column_names)}. Nothing was trained."
        )
    if target in chosen:
        raise InvalidInput(f"the target {target!r} cannot be a feature. Nothing was trained.")
    builder = _Builder(name)
    likely = decimal_mark(_one(each) for each in table.columns if pa.types.is_string(each.type))
    goal_type, values = _target(name, target, _one(table[target]), types, builder.notes, likely)
    has_target = pc.is_valid(values)
    dropped = len(values) - int(pc.sum(has_target).as_py() or 0)
    if dropped:
        builder.notes.append(f"{dropped} rows without a target {target!r} are left out")
    values = values.filter(has_target)
    limits = pc.min_max(values).as_py()
    problem = target_problem(target, len(values), limits["min"], limits["max"])
    if problem is not None:
        raise InvalidInput(f"{name}: {problem}. Nothing was trained.")
    goal = Column(builder.name(target), "float")
    builder.say(target, str(goal_type), dropped, "the target")
    for original in table.column_names:
        if original == target:
            continue
        is_chosen = original in chosen
        notes = builder.notes if is_chosen else []
        how, column = _read(_one(table[original]), original, types, notes, likely)
        if is_chosen:
            builder.add(original, how, column, has_target)
        elif column.times is not None:  # it may order the rows all the same
            builder.dates[original] = _filtered(column.times, has_target)
    if not builder.features:
        raise InvalidInput(
            f"{name} has no feature with a value in it. Nothing was trained. Check the columns."
        )
    key = _time_key(builder)
    columns = {**builder.arrays, goal.name: values.cast("float64")}
    if key is not None:
        columns[key[0].name] = key[1]
    spec = _spec(name, builder, goal, None if key is None else key[0], training)
    content = pa.table({c.name: columns[c.name] for c in spec.training_columns})
    return Tabular(
        spec,
        content.cast(arrow_schema(spec.training_columns)),
        tuple(builder.notes),
        tuple(builder.readings),
        tuple(builder.inferences),
    )


@dataclass
class _Builder:
    """Collects feature columns under names that SQL allows, told apart without their case."""

    where: str
    features: list[Column] = field(default_factory=list)
    arrays: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=lambda: {"": OUTPUT})
    notes: list[str] = field(default_factory=list)
    dates: dict[str, Times] = field(default_factory=dict)
    readings: list[ColumnReading] = field(default_factory=list)
    inferences: list[Mapping[str, object]] = field(default_factory=list)

    def name(self, original: str) -> str:
        """The SQL identifier of a column, the same for each call."""
        if original in self.names:
            return self.names[original]
        base = re.sub(r"[^A-Za-z0-9_]+", "_", original).strip("_")[:100] or "column"
        base = f"c_{base}" if base[0].isdigit() else base
        name, number = base, 1
        taken = {name.lower() for name in self.names.values()}
        while name.lower() in taken:
            number += 1
            name = f"{base}_{number}"
        self.names[original] = name
        if name != original:
            self.notes.append(f"column {original!r} is called {name} in the model")
        return name

    def say(self, original: str, how: str, missing: int, use: str) -> None:
        """One line of the table of inferences."""
        self.inferences.append(
            {"column": original, "read as": how, "missing": missing, "in the model": use}
        )

    def add(self, original: str, how: ColumnType, column: ReadColumn, kept: Any) -> None:
        """Add one column, of the rows that are kept."""
        if how.kind == "date" and column.times is not None:
            self.add_date(original, how, column, _filtered(column.times, kept))
            return
        array = column.values.filter(kept) if column.values is not None else pa.nulls(0)
        if how.kind == "ignore" or array.null_count == len(array):
            why = "has no value in any row" if array.null_count == len(array) else "is ignored"
            self.notes.append(f"column {original!r} {why} and is left out")
            self.say(original, "empty" if "value" in why else "ignored", len(array), "left out")
            return
        name, text = self.name(original), str(how)
        if pa.types.is_string(array.type):
            length = min(MAX_LENGTH, max(1, pc.max(pc.utf8_length(array)).as_py()))
            self._put(Column(name, "varchar", length=length), array)
            text = f"text, {pc.count_distinct(array).as_py():,} values"
        elif pa.types.is_integer(array.type) and not array.null_count:
            self._put(Column(name, "bigint", codes=_codes(array)), array)
            text = text.replace("number", "whole number", 1)
        else:
            _check_finite(self.where, original, column.values)
            self._put(Column(name, "float"), array)
        self.readings.append(ColumnReading(original, how, {name: "value"}, column.share))
        self.say(original, text, array.null_count, name)

    def add_date(self, original: str, how: ColumnType, column: ReadColumn, times: Times) -> None:
        """Add the parts of a date; a minute that never changes is left out."""
        self.dates[original] = times
        clock = how.layout is not None and how.layout.clock
        inputs = {}
        for part, values in date_parts(times.local, clock=clock).items():
            array = pa.array(values, mask=np.isnat(times.local))
            if part == "minute" and pc.count_distinct(array).as_py() < 2:
                continue
            name = self.name(f"{original}_{part}")
            inputs[name] = part
            codes = tuple(PART_CODES[part]) if part in PART_CODES else _codes(array)
            is_whole = not array.null_count
            self._put(Column(name, "bigint" if is_whole else "float", codes=codes), array)
        missing = int(np.isnat(times.local).sum())
        self.notes.append(
            f"column {original!r} is a date ({how.layout}): its {', '.join(inputs.values())} are "
            "features"
        )
        self.readings.append(ColumnReading(original, how, inputs, column.share))
        parts = ", ".join(inputs.values())
        self.say(original, str(how), missing, f"its {parts}")

    def _put(self, column: Column, array: Any) -> None:
        self.features.append(column)
        self.arrays[column.name] = array


def _one(array: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)


def _filtered(times: Times | None, kept: pa.Array) -> Times:
    assert times is not None  # noqa: S101  # only dates come here
    rows = np.asarray(kept.to_numpy(zero_copy_only=False))
    return Times(times.local[rows], times.instant[rows])


def _read(
    array: pa.Array, name: str, types: Mapping[str, str], notes: list[str], likely: str
) -> tuple[ColumnType, ReadColumn]:
    """A column with its type: texts are inferred, others are what they are."""
    type_ = array.type
    if pa.types.is_dictionary(type_) or pa.types.is_large_string(type_) or name in types:
        array = array.cast(pa.string())
    if pa.types.is_string(array.type):
        forced = types.get(name)
        how = (
            infer(array, name, notes, likely)
            if forced is None
            else parse_type(name, forced, array, likely)
        )
        column = read(array, how)
        _note_missing(name, how, column, notes)
        return how, column
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        local = np.asarray(array.cast(pa.timestamp("s"), safe=False), dtype="datetime64[s]")
        layout = DateLayout("ymd", clock=pa.types.is_timestamp(type_))
        return ColumnType("date", layout=layout), ReadColumn(None, Times(local, local))
    if pa.types.is_boolean(type_):
        return ColumnType("yes/no", words=("true", "false")), ReadColumn(array.cast(pa.int64()))
    if pa.types.is_integer(type_):
        return ColumnType("number"), ReadColumn(array.cast(pa.int64()))
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        # A number that is none is a missing one.
        array = array.cast(pa.float64())
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, pa.float64()), array)
        return ColumnType("number"), ReadColumn(array)
    array = array.cast(pa.string())
    return ColumnType("ignore" if pa.types.is_null(type_) else "text"), ReadColumn(array)


def _note_missing(name: str, how: ColumnType, column: ReadColumn, notes: list[str]) -> None:
    if column.first_mark is not None:
        row, value = column.first_mark
        notes.append(
            f"column {name!r}: {column.marks} missing, marked like {value!r} in data row {row}"
        )
    if column.first is not None:
        row, value = column.first
        one = column.unread == 1
        many = "one value that is" if one else f"{column.unread:,} values that are"
        notes.append(
            f"column {name!r}: {many} no {how.kind}, {'' if one else 'such as '}{value!r} in data "
            f"row {row}, taken as missing; --type {name}=text keeps the column as texts"
        )


def _target(
    where: str,
    name: str,
    array: pa.Array,
    types: Mapping[str, str],
    notes: list[str],
    likely: str,
) -> tuple[ColumnType, pa.Array]:
    """The target's numbers, null where they are missing; refused where a value is none."""
    forced = types.get(name)
    if forced is not None and forced.partition(":")[0] in ("text", "date", "ignore"):
        raise InvalidInput(
            f"--type {name}={forced}: {name!r} is the target, and only numbers can be predicted: "
            "number or yes/no. Nothing was trained."
        )
    how, column = _read(array, name, types, [], likely)
    if pa.types.is_string(array.type) and forced is None and how.kind != "yes/no":
        how, _, doubt = number_type(array, name, likely)
        column = read(array, how)
        notes.extend([doubt] if doubt else [])
    marks = ReadColumn(None, marks=column.marks, first_mark=column.first_mark)
    _note_missing(name, how, marks, notes)
    values, unread = column.values, column.first
    if values is None or pa.types.is_string(values.type):  # dates, or texts of other types
        unread = next(((row, str(v)) for row, v in enumerate(array.to_pylist(), 1) if v), None)
    if unread is not None or values is None or (len(values) and values.null_count == len(values)):
        content = (
            "has no value" if unread is None else f"holds {unread[1]!r} in data row {unread[0]}"
        )
        raise InvalidInput(
            f"{where}: the target {name!r} {content}; only numbers can be predicted. "
            "Nothing was trained. Correct the row, or choose another target."
        )
    _check_finite(where, name, values)
    return how, values


def _check_finite(where: str, name: str, array: pa.Array) -> None:
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


def _time_key(builder: _Builder) -> tuple[Column, Any] | None:
    """The only date column without gaps orders the rows in time, by its instants."""
    if len(builder.dates) != 1:
        return None
    ((original, times),) = builder.dates.items()
    if np.isnat(times.local).any():
        return None
    # One offset for all rows leaves the order as it is, and the local days with it.
    same = len(np.unique(times.local - times.instant)) == 1
    moments = times.local if same else times.instant
    builder.notes.append(f"rows are ordered in time by {original!r}")
    name = builder.name(original)
    days = moments.astype("datetime64[D]")
    if (days == moments).all():
        return Column(name, "date"), pa.array(days)
    return Column(name, "varchar", length=19), labels(moments)


def _spec(
    name: str,
    builder: _Builder,
    target: Column,
    key: Column | None,
    training: TrainingSettings | None,
) -> ModelSpec:
    words = re.findall(r"[A-Za-z0-9]+", name)
    if not words or words[0][0].isdigit():
        words.insert(0, "table")
    slug, table = "-".join(words)[:60], "_".join(words)[:60]
    return ModelSpec(
        model_name=f"{slug}-model",
        output=OUTPUT,
        model_output=OUTPUT,
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
