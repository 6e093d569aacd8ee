"""The CSV contract: files of a spec's columns, read strictly, and written for COPY INTO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from bikecast.core.errors import InvalidInput
from bikecast.core.files import replaced_file
from bikecast.core.spec import FORECAST_ROW, Column, ModelSpec
from bikecast.core.sql_types import arrow_schema
from bikecast.core.trainable import target_problem
from resources.lake.csv_problems import (
    check_encoding,
    check_required,
    find_problems,
    problems_error,
    read_header,
)
from resources.lake.findings import suspicious_findings
from resources.lake.values import INTEGER_BITS, parse_date, pattern

#: The last line of every refusal of a training or scoring file.
REFUSED = (
    "Nothing was stored of it; what was there before is unchanged. Correct the file and run again."
)


@dataclass(frozen=True)
class CsvContent:
    """A file that keeps the contract.

    `table` has the asked columns with their types, in the asked order; an optional column that
    the file lacks is all null and listed in `absent`. `findings` are for people and never block.
    """

    table: pa.Table
    findings: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def rows(self) -> int:
        """The number of data rows."""
        return int(self.table.num_rows)


@contextmanager
def _refusal_in_full() -> Iterator[None]:
    """End an InvalidInput with what is unchanged and what to do next."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{error}\n{REFUSED}") from error


@_refusal_in_full()
def read_training_csv(
    path: Path, spec: ModelSpec, *, source_name: str, trainable: bool = False
) -> CsvContent:
    """Read a training file: features, target and keys, all required, the keys unique.

    `trainable` also asks for enough rows, without those that the spec drops, and for a target
    that varies. Raises InvalidInput as `read_csv` does.
    """
    content = read_csv(
        path,
        spec.training_columns,
        ignored=spec.ignored,
        unique=spec.key_names,
        source_name=source_name,
    )
    if trainable:
        _check_trainable(content.table, spec, source_name)
    flagged = suspicious_findings(content.table, spec)
    return CsvContent(content.table, content.findings + flagged, content.absent)


def _check_trainable(table: pa.Table, spec: ModelSpec, source_name: str) -> None:
    for column in spec.features if spec.suspicious_treatment == "drop" else ():
        values = table[column.name]
        if column.suspicious:
            suspicious = pa.array(column.suspicious).cast(values.type)
            table = table.filter(pc.invert(pc.is_in(values, suspicious)))
    limits = pc.min_max(table[spec.target.name]).as_py()
    problem = target_problem(spec.target.name, table.num_rows, limits["min"], limits["max"])
    if problem is not None:
        raise InvalidInput(f"{source_name}: {problem}.")


@_refusal_in_full()
def read_scoring_csv(path: Path, spec: ModelSpec, *, source_name: str) -> CsvContent:
    """Read a scoring file: the features are required, keys may be there (unique, or empty)."""
    content = read_csv(
        path,
        (*spec.keys, *spec.features),
        optional=spec.key_names,
        ignored=(*spec.ignored, spec.target.name, FORECAST_ROW.name),
        unique=spec.key_names,
        source_name=source_name,
    )
    flagged = suspicious_findings(content.table, spec, treatment="flag")
    return CsvContent(content.table, content.findings + flagged, content.absent)


def read_csv(
    path: Path,
    columns: Sequence[Column],
    *,
    optional: Sequence[str] = (),
    ignored: Sequence[str] = (),
    unique: Sequence[str] = (),
    source_name: str,
) -> CsvContent:
    """Read and check a whole file.

    UTF-8 with or without a byte order mark, LF or CRLF, comma-separated, quoted by `"` where
    needed, no line break inside a field. Columns may come in any order. Columns outside
    `columns` are a finding, unless `ignored`. `optional` columns may be absent or empty.
    Rows with all of `unique` present must differ in them.
    Raises InvalidInput that names file, line and column of the first problems.
    """
    names = read_header(path, source_name)
    check_required(names, [c.name for c in columns if c.name not in optional], source_name)
    check_encoding(path, source_name)
    table = _read_fast(path, names, columns, optional)
    if table is None or table.num_rows == 0 or _has_duplicates(table, unique):
        problems = find_problems(path, names, columns, optional=optional, unique=unique)
        error = problems_error(problems, source_name)
        raise error if str(error) else InvalidInput(f"{source_name} cannot be read as CSV")
    asked = {column.name for column in columns}
    findings = [
        f"{source_name}: column {name!r} is not in the schema and was left out"
        for name in names
        if name not in asked and name not in ignored
    ]
    absent = tuple(column.name for column in columns if column.name not in names)
    return CsvContent(table, tuple(findings), absent)


def normalize_scoring_csv(content: CsvContent, spec: ModelSpec, out_path: Path) -> None:
    """Write the file that COPY INTO takes, atomically.

    Columns: forecast_row (from 1), the keys (empty for NULL, ISO dates), the features. Numbers
    have as many digits as their type needs to read back equal.
    """
    table = content.table.select([*spec.key_names, *spec.feature_names])
    numbers = pa.array(range(1, content.rows + 1), pa.int64())
    table = table.add_column(0, FORECAST_ROW.name, numbers)
    options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")
    with replaced_file(out_path) as temporary, temporary.open("wb") as file:
        file.write((",".join(table.column_names) + "\n").encode())
        pa_csv.write_csv(table, file, options)


def _read_fast(
    path: Path, names: Sequence[str], columns: Sequence[Column], optional: Sequence[str]
) -> pa.Table | None:
    """The table, or None where anything is wrong."""
    try:
        texts = pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(block_size=1 << 23),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    arrays = []
    for column, field in zip(columns, arrow_schema(tuple(columns)), strict=True):
        if column.name not in names:
            arrays.append(pa.chunked_array([pa.nulls(texts.num_rows, field.type)]))
            continue
        array = _convert(texts[column.name], column, field.type, column.name in optional)
        if array is None:
            return None
        arrays.append(array)
    return pa.table(arrays, schema=arrow_schema(tuple(columns)))


def _convert(
    text: pa.ChunkedArray, column: Column, type_: pa.DataType, may_be_empty: bool
) -> pa.ChunkedArray | None:
    """A column's values from its fields, or None where a field breaks the contract."""
    empty = pc.equal(text, "")
    if pc.any(empty).as_py():
        if not may_be_empty:
            return None
        text = pc.if_else(empty, pa.scalar(None, pa.string()), text)
    if not _all(pc.match_substring_regex(text, f"^(?:{pattern(column)})$")):
        return None
    if column.sql_type == "date":
        return _convert_dates(text, column)
    if column.sql_type == "varchar":
        if not _all(pc.less_equal(pc.utf8_length(text), column.length)):
            return None
        values = text
    else:
        try:
            values = text.cast(type_ if column.sql_type in INTEGER_BITS else pa.float64())
        except pa.ArrowInvalid:
            return None
    if column.codes and not _all(pc.is_in(values, pa.array(column.codes, values.type)), text):
        return None
    if column.minimum is not None and not _all(pc.greater_equal(values, column.minimum)):
        return None
    if column.maximum is not None and not _all(pc.less_equal(values, column.maximum)):
        return None
    values = values.cast(type_)
    if pa.types.is_floating(type_) and not _all(pc.is_finite(values)):
        return None
    return values


def _convert_dates(text: pa.ChunkedArray, column: Column) -> pa.ChunkedArray | None:
    """Parse each distinct text once: days repeat, and the exact reader parses the same way."""
    encoded = text.combine_chunks().dictionary_encode()
    try:
        days = [parse_date(day, column.date_format) for day in encoded.dictionary.to_pylist()]
    except ValueError:
        return None
    return pa.chunked_array([pa.array(days, pa.date32()).take(encoded.indices)])


def _all(mask: pa.ChunkedArray, text: pa.ChunkedArray | None = None) -> bool:
    """True when no non-null entry of the mask is false (nor, with `text`, of a non-null text)."""
    if text is not None:
        mask = pc.or_(mask, pc.is_null(text))
    return pc.all(mask, min_count=0).as_py() is not False


def _has_duplicates(table: pa.Table, unique: Sequence[str]) -> bool:
    if not unique:
        return False
    keys = table.select(list(unique)).drop_null()
    return bool(keys.group_by(list(unique)).aggregate([]).num_rows != keys.num_rows)
