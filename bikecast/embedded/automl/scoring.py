"""Scores of any CSV's rows by an ONNX model, its columns found by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from bikecast.core.errors import InvalidInput
from bikecast.core.onnx.contract import Tensor, inspect_model
from bikecast.core.onnx.session import one_thread_session
from bikecast.embedded.automl.column_types import (
    NEARLY,
    ColumnType,
    decimal_mark,
    infer,
    number_type,
    read,
)
from bikecast.embedded.automl.dates import date_parts

_TYPES = {"FLOAT": "float32", "DOUBLE": "float64", "INT64": "int64", "INT32": "int32"}
_TEXT = "STRING"
#: Rows that are scored in one call.
BATCH_ROWS = 100_000
_UNSCORED = "Nothing was scored."


@dataclass(frozen=True)
class ScoredRows:
    """The predictions, float64 [rows], and what people should know of the reading."""

    predictions: np.ndarray
    notes: tuple[str, ...]


def score_texts(model: bytes, table: pa.Table, columns: Mapping[str, Any] | None) -> ScoredRows:
    """Score a table of texts.

    `columns` is what `Tabular.columns_json` gave when the model was trained; without it, the
    file's columns have the names of the model's inputs. Names are compared without their case
    where there is only one such column.
    Raises InvalidInput where there are no rows, a column is missing, most of it cannot be read as
    for the training, its numbers may be others as well, or a value cannot be what the model takes;
    ModelRejected for a model that breaks the contract.
    """
    if not table.num_rows:
        raise InvalidInput(f"the file has no rows. {_UNSCORED}")
    signature = inspect_model(model)
    inputs = {tensor.name: tensor for tensor in signature.inputs}
    notes: list[str] = []
    readings = _readings(inputs, columns)
    names = _matched([reading.name for reading in readings], table)
    likely = "" if columns else decimal_mark(map(_one, table.columns))
    feed: dict[str, np.ndarray] = {}
    for name, how, parts, share in readings:
        texts = _one(table[names[name]])
        if how is None:
            how = ColumnType("text")
            if inputs[name].type != _TEXT:
                how = _guessed(texts, names[name], likely, notes)
        arrays = _values(texts, names[name], how, parts, inputs, notes, share)
        for tensor, values in arrays.items():
            feed[tensor] = values[:, None]
    session, step = one_thread_session(model), min(BATCH_ROWS, signature.rows_at_once)
    scored = [
        session.run(None, {name: array[at : at + step] for name, array in feed.items()})[0]
        for at in range(0, table.num_rows, step)
    ]
    predictions = np.concatenate([np.asarray(part, dtype=np.float64).ravel() for part in scored])
    return ScoredRows(predictions, tuple(notes))


class _Reading(NamedTuple):
    """A column of a file, its type where it is known, the inputs it becomes, the share readable."""

    name: str
    how: ColumnType | None
    parts: Mapping[str, str]
    share: float


def _guessed(texts: pa.Array, name: str, likely: str, notes: list[str]) -> ColumnType:
    """How numbers are written, from the scored file alone. Raises InvalidInput where in doubt."""
    how, _, doubt = number_type(texts, name, likely)
    if doubt:
        raise InvalidInput(
            f"{doubt.partition('; --type')[0]}, but could be another number, and nothing tells how "
            f"the training read it. {_UNSCORED} Write the numbers with a decimal point and without "
            "a mark between thousands."
        )
    if (inferred := infer(texts, name, [], likely)).kind == "yes/no":
        how = inferred
    if str(how) != "number":
        notes.append(f"column {name!r} is read as {how}")
    return how


def _readings(inputs: Mapping[str, Tensor], columns: Mapping[str, Any] | None) -> list[_Reading]:
    if columns is None:
        return [_Reading(name, None, {name: "value"}, 1.0) for name in inputs]
    readings: list[_Reading] = []
    for entry in columns["columns"]:
        parts = {name: part for name, part in entry["inputs"].items() if name in inputs}
        if parts:
            how, share = ColumnType.from_json(entry["type"]), float(entry.get("share", 1.0))
            readings.append(_Reading(entry["name"], how, parts, share))
    if missing := inputs.keys() - {name for reading in readings for name in reading.parts}:
        raise InvalidInput(
            f"columns.json does not tell where the model's inputs {', '.join(sorted(missing))} "
            f"come from. {_UNSCORED} Train again, or take the folder's own files."
        )
    return readings


def _matched(wanted: list[str], table: pa.Table) -> dict[str, str]:
    """The column of each name, itself or the only one that differs in case alone."""
    names = table.column_names
    found = {}
    for name in wanted:
        alike = [each for each in names if each.lower() == name.lower()]
        if name in names or len(alike) == 1:
            found[name] = name if name in names else alike[0]
    if missing := [name for name in wanted if name not in found]:
        raise InvalidInput(
            f"the file has no column {', '.join(map(repr, missing))}; it has {', '.join(names)}. "
            f"{_UNSCORED}"
        )
    return found


def _values(
    texts: pa.Array,
    name: str,
    how: ColumnType,
    parts: Mapping[str, str],
    inputs: Mapping[str, Tensor],
    notes: list[str],
    share: float,
) -> dict[str, np.ndarray]:
    """The arrays of the inputs that a column becomes; `share` of the training's was readable."""
    column = read(texts, how)
    if column.first is not None:
        row, text = column.first
        if column.share < NEARLY * share:
            raise InvalidInput(
                f"column {name!r}: {column.unread:,} values cannot be read as {how}, the first is "
                f"{text!r} in data row {row}. {_UNSCORED} Write the column as in the file of the "
                "training."
            )
        notes.append(
            f"column {name!r}: {column.unread:,} taken as missing, the first is {text!r} in data "
            f"row {row}"
        )
    if column.times is not None:
        missing = np.isnat(column.times.local)
        by_part = date_parts(column.times.local, clock=True)
    elif column.values is not None and pa.types.is_string(column.values.type):
        objects = np.array(column.values.to_pylist(), dtype=object)
        return {tensor: np.where(objects == None, "", objects) for tensor in parts}  # noqa: E711
    else:
        values = pa.nulls(len(texts), pa.float64()) if column.values is None else column.values
        missing = np.asarray(values.is_null().to_numpy(zero_copy_only=False))
        by_part = {"value": np.asarray(values.fill_null(0).to_numpy(zero_copy_only=False))}
    result = {}
    for tensor, part in parts.items():
        type_ = _TYPES.get(inputs[tensor].type)
        if type_ is None:
            raise InvalidInput(
                f"column {name!r}: the model takes {inputs[tensor].type}. {_UNSCORED}"
            )
        array = by_part[part]
        if type_.startswith("int"):
            wrong = missing | (array != np.trunc(array))
            if wrong.any():
                row = int(np.flatnonzero(wrong)[0])
                value = texts[row].as_py() or ""
                raise InvalidInput(
                    f"column {name!r} has {value!r} in data row {row + 1}; the model takes whole "
                    f"numbers there, none missing. {_UNSCORED} Correct the row."
                )
            result[tensor] = array.astype(type_)
        else:
            result[tensor] = np.where(missing, np.nan, array).astype(type_)
    return result


def _one(array: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
