"""Scores of any CSV's rows by an ONNX model, its columns found by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from bikecast.core.errors import InvalidInput
from bikecast.core.onnx.contract import Tensor, inspect_model
from bikecast.core.onnx.session import one_thread_session
from bikecast.embedded.automl.column_types import ColumnType, number_type, read
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
    Raises InvalidInput where there are no rows, a column is missing or a value cannot be what the
    model takes, ModelRejected for a model that breaks the contract.
    """
    if not table.num_rows:
        raise InvalidInput(f"the file has no rows. {_UNSCORED}")
    inputs = {tensor.name: tensor for tensor in inspect_model(model).inputs}
    notes: list[str] = []
    readings = _readings(inputs, columns)
    names = _matched([name for name, _, _ in readings], table)
    feed: dict[str, np.ndarray] = {}
    for name, how, parts in readings:
        texts = _one(table[names[name]])
        if how is None:
            how = number_type(texts, name)[0] if inputs[name].type != _TEXT else ColumnType("text")
        for tensor, values in _values(texts, names[name], how, parts, inputs, notes).items():
            feed[tensor] = values[:, None]
    session = one_thread_session(model)
    scored = [
        session.run(None, {name: array[at : at + BATCH_ROWS] for name, array in feed.items()})[0]
        for at in range(0, table.num_rows, BATCH_ROWS)
    ]
    predictions = np.concatenate([np.asarray(part, dtype=np.float64).ravel() for part in scored])
    return ScoredRows(predictions, tuple(notes))


def _readings(
    inputs: Mapping[str, Tensor], columns: Mapping[str, Any] | None
) -> list[tuple[str, ColumnType | None, Mapping[str, str]]]:
    """Each column of a file, its type where it is known, and which inputs it becomes."""
    if columns is None:
        return [(name, None, {name: "value"}) for name in inputs]
    readings: list[tuple[str, ColumnType | None, Mapping[str, str]]] = []
    for entry in columns["columns"]:
        parts = {name: part for name, part in entry["inputs"].items() if name in inputs}
        if parts:
            readings.append((entry["name"], ColumnType.from_json(entry["type"]), parts))
    if missing := inputs.keys() - {name for _, _, parts in readings for name in parts}:
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
) -> dict[str, np.ndarray]:
    """The arrays of the inputs that a column becomes."""
    column = read(texts, how)
    if column.first is not None:
        row, text = column.first
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
