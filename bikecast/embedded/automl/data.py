"""The training data: read from the Delta table, checked, in a fixed order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bikecast.core.errors import InvalidInput
from bikecast.core.row_sample import row_blocks, sample_rows
from bikecast.core.spec import Column, ModelSpec
from bikecast.core.trainable import target_problem
from bikecast.embedded.automl.row_limit import row_limit

Values = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Dataset:
    """Features, target and time of the rows that are trained on.

    `values` has one array a feature: float32 with NaN for missing, or objects (str or None) for
    varchar. Numbers are float32 because the graph computes in it: what the models learn from is
    what they will see. `time` orders the rows (None without a time key); `time_labels` are its
    ISO dates or texts.
    """

    columns: tuple[Column, ...]
    values: Values
    target: np.ndarray
    """float64, finite."""
    time: np.ndarray | None = None
    time_labels: tuple[str, ...] | None = None
    target_minimum: float | None = None
    """What predictions are clipped at, from the spec."""

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.target)


def read_dataset(spec: ModelSpec, table: str | Path) -> tuple[Dataset, dict[str, int]]:
    """Read the newest version of the Delta table at `table`; also facts about it.

    Of a table with more rows than the spec's `max_rows`, or than memory is enough for, a sample is
    read: those with the least hashes of their keys. Rows are sorted by all their columns, keys
    first, so the order of files does not matter.
    Raises InvalidInput where the table is missing, lacks a column, has fewer than 20 rows, a
    constant or non-finite target, or infinite values.
    """
    import pyarrow as pa
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    names = [column.name for column in spec.training_columns]
    try:
        delta = DeltaTable(str(table))
    except TableNotFoundError as error:
        raise InvalidInput(f"there is no Delta table at {table}; nothing was trained") from error
    there = {field.name for field in delta.schema().fields}
    if missing := [name for name in names if name not in there]:
        raise InvalidInput(
            f"{spec.training_table} lacks the columns {', '.join(missing)}; nothing was trained"
        )
    dataset = delta.to_pyarrow_dataset()
    schema = pa.schema([dataset.schema.field(name) for name in names])
    content = sample_rows(
        row_blocks(dataset, names),
        schema,
        spec.key_names or names,
        most=row_limit(len(names), spec.training.max_rows),
    )
    order = [*spec.key_names, *spec.feature_names, spec.target.name]
    content = content.sort_by([(name, "ascending") for name in order])
    facts = {
        "delta_version": delta.version(),
        "rows": content.num_rows,
        "rows_there": dataset.count_rows(),
    }
    return dataset_from_arrow(spec, content), facts


def sample_notes(spec: ModelSpec, facts: Mapping[str, object]) -> list[str]:
    """What people should know where `read_dataset` read a sample."""
    if facts.get("rows_there") == facts.get("rows"):
        return []
    return [
        f"trained and scored on {facts['rows']} of the {facts['rows_there']} rows of "
        f"{spec.training_table}: those with the least hashes of their keys, as many as "
        "BIKECAST_TRAINING_ROWS or the memory allows"
    ]


def dataset_from_arrow(spec: ModelSpec, content: Any) -> Dataset:
    """The dataset of an Arrow table with the spec's training columns.

    Raises InvalidInput as `read_dataset` does.
    """
    where = spec.training_table
    values = {column.name: _values(column, content[column.name]) for column in spec.features}
    target = _numbers(content[spec.target.name]).astype(np.float64)
    _check_target(where, spec.target.name, target)
    for column in spec.features:
        array = values[column.name]
        if array.dtype == np.float32 and np.isinf(array).any():
            row = int(np.flatnonzero(np.isinf(array))[0])
            raise InvalidInput(
                f"{where}: column {column.name!r} has an infinite value (sorted row {row}). "
                "Nothing was trained. Correct the value and prepare the table again."
            )
    time, labels = None, None
    if spec.time_key is not None:
        column_ = content[spec.time_key]
        if column_.null_count:
            raise InvalidInput(
                f"{where}: the time key {spec.time_key!r} has {column_.null_count} missing "
                "values, so rows cannot be ordered. Nothing was trained."
            )
        moments, index = _coded(column_)
        texts = [str(value) for value in moments]
        labels = tuple(texts[place] for place in index)
        time = np.unique(np.array(moments), return_inverse=True)[1][index]
    return Dataset(spec.features, values, target, time, labels, spec.target.minimum)


def _check_target(where: str, name: str, target: np.ndarray) -> None:
    bad = int((~np.isfinite(target)).sum())
    if bad:
        raise InvalidInput(
            f"{where}: the target {name!r} is missing, infinite or not a number in {bad} of "
            f"{len(target)} rows. Nothing was trained. Correct or remove these rows."
        )
    low, high = (float(target.min()), float(target.max())) if len(target) else (None, None)
    problem = target_problem(name, len(target), low, high)
    if problem is not None:
        raise InvalidInput(f"{where}: {problem}. Nothing was trained.")


def _values(column: Column, array: Any) -> np.ndarray:
    if column.sql_type == "varchar":
        texts, index = _coded(array)
        words: np.ndarray = np.array([*texts, None], dtype=object)[index]
        return words
    return _numbers(array).astype(np.float32)


def _coded(array: Any) -> tuple[list[Any], np.ndarray]:
    """The distinct values of a column, and the place of each row's among them; -1 for null."""
    coded = array.combine_chunks().dictionary_encode()
    if hasattr(coded, "chunks"):
        coded = coded.combine_chunks()
    return coded.dictionary.to_pylist(), coded.indices.fill_null(-1).to_numpy()


def _numbers(array: Any) -> np.ndarray:
    """Numbers as float64, missing as NaN."""
    return np.asarray(array.cast("float64").to_numpy(zero_copy_only=False), dtype=np.float64)
