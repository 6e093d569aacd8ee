"""CSV files of a spec's columns: read as a stream, checked block by block, written canonically."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from bikecast.core.errors import InvalidInput
from bikecast.core.files import replaced_file
from bikecast.core.spec import FORECAST_ROW, Column, ModelSpec
from bikecast.core.sql_types import arrow_schema
from bikecast.core.trainable import target_problem
from resources.lake.csv_problems import MOST, numbered_rows, problems_error, repeated_keys
from resources.lake.dialect import Dialect, blocks, folded, recognise
from resources.lake.findings import DayOrder, SuspiciousValues
from resources.lake.port import CsvFormat
from resources.lake.rows import Rules, checked_rows
from resources.lake.unique_keys import UniqueKeys
from resources.lake.values import plain

#: The last line of every refusal of a training or scoring file.
REFUSED = (
    "Nothing was stored of it; what was there before is unchanged. Correct the file and run again."
)
_ALL_ROWS = 1 << 62


@dataclass(frozen=True)
class CsvContent:
    """A file that keeps the contract.

    `table` has the asked columns with their types, in the asked order, and of the `rows` as many
    as were asked for; an optional column that the file lacks is all null and listed in `absent`.
    `findings` are for people and never block. `is_canonical` is False where an engine has to read
    a copy of it. `signature` is the file's, by `file_signature`.
    """

    table: pa.Table
    rows: int
    findings: tuple[str, ...]
    absent: tuple[str, ...]
    dialect: Dialect
    is_canonical: bool
    signature: tuple[int, ...]
    part_rows: tuple[int, ...] = ()
    """The rows of each file of a source that has many."""
    days: NumberedDays | None = None
    """The days of a file without days, where a start date was said."""


@dataclass(frozen=True)
class NumberedDays:
    """The days of a file to score that has none: row 1 is of the `first`, each next row of the
    next day."""

    column: str
    first: date

    @classmethod
    def of(cls, told: CsvFormat | None, spec: ModelSpec) -> NumberedDays | None:
        """Those that were said. Raises InvalidInput for a model without a key of days."""
        if told is None or not told.start_date:
            return None
        column = next((key for key in spec.keys if key.name == spec.time_key), None)
        if column is None or column.sql_type != "date" or len(spec.keys) > 1:
            raise InvalidInput(
                f"--start-date is for models whose rows have a day as their one key; those of "
                f"{spec.name} have {', '.join(spec.key_names) or 'no key'}"
            )
        return cls(column.name, date.fromisoformat(told.start_date))

    def given_to(self, rows: pa.Table, before: int) -> pa.Table:
        """The rows with their days; `before` is the number of rows before them."""
        first = (self.first - date(1970, 1, 1)).days + before
        if first + rows.num_rows > (date.max - date(1970, 1, 1)).days + 1:
            raise InvalidInput(f"from --start-date {self.first} on the days end before the rows do")
        days = pa.array(range(first, first + rows.num_rows), pa.int32()).cast(pa.date32())
        return rows.set_column(rows.column_names.index(self.column), self.column, days)


@contextmanager
def _refusal_in_full() -> Iterator[None]:
    """End an InvalidInput with what is unchanged and what to do next."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{error}\n{REFUSED}") from error


@_refusal_in_full()
def read_training_csv(
    path: Path,
    spec: ModelSpec,
    *,
    source_name: str,
    trainable: bool = False,
    told: CsvFormat | None = None,
    kept_rows: int = _ALL_ROWS,
) -> CsvContent:
    """Read a training file: features, target and keys, all required, the keys unique.

    A value of a feature or the target may be missing where the spec drops or imputes. `trainable`
    also asks for enough rows, without those that the spec drops, and for a target that varies.
    Raises InvalidInput as `read_csv` does.
    """
    treated = spec.suspicious_treatment != "flag"
    measured = (*spec.feature_names, spec.target.name) if treated else ()
    limits = _TargetLimits(spec)
    content = read_csv(
        path,
        spec.training_columns,
        ignored=spec.ignored,
        unique=spec.key_names,
        may_lack=measured,
        source_name=source_name,
        told=_with_columns(told, spec),
        suspicious=SuspiciousValues(spec),
        limits=limits,
        kept_rows=kept_rows,
        hint="" if treated else _LET_THROUGH,
    )
    if trainable and (problem := limits.problem()):
        raise InvalidInput(f"{source_name}: {problem}.")
    return content


#: What is said where values are missing that the spec does not treat.
_LET_THROUGH = (
    "Rows with missing values are left out, or filled with typical ones, where the model's "
    "suspicious_treatment is drop or impute."
)


class _TargetLimits:
    """The usable rows of a training file and the target's limits in them, block by block."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._rows = 0
        self._limits: list[float] = []

    def add(self, table: pa.Table) -> None:
        """Count the rows of a block that the spec does not drop."""
        spec = self._spec
        for column in spec.features if spec.suspicious_treatment == "drop" else ():
            values = table[column.name]
            suspicious = pa.array(column.suspicious).cast(values.type)
            table = table.filter(
                pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, suspicious)))
            )
        target = table[spec.target.name]
        self._rows += len(target) - target.null_count
        ends = pc.min_max(target).as_py()
        self._limits += [value for value in ends.values() if value is not None]
        self._limits = [min(self._limits), max(self._limits)] if self._limits else []

    def problem(self) -> str | None:
        """Why nothing can be trained on them."""
        low, high = self._limits or (None, None)
        return target_problem(self._spec.target.name, self._rows, low, high)


@_refusal_in_full()
def read_scoring_csv(
    path: Path,
    spec: ModelSpec,
    *,
    source_name: str,
    told: CsvFormat | None = None,
    kept_rows: int = _ALL_ROWS,
) -> CsvContent:
    """Read a scoring file: the features are required, keys may be there (unique, or empty).

    Raises InvalidInput as `read_csv` does, and for a start date of a file or a model that has no
    use for one.
    """
    return read_csv(
        path,
        (*spec.keys, *spec.features),
        optional=spec.key_names,
        ignored=(*spec.ignored, spec.target.name, FORECAST_ROW.name),
        unique=spec.key_names,
        may_lack=spec.key_names,
        source_name=source_name,
        told=_with_columns(told, spec, spec.inputs),
        suspicious=SuspiciousValues(spec, treatment="flag"),
        kept_rows=kept_rows,
        days=NumberedDays.of(told, spec),
    )


def read_any_csv(
    path: Path,
    spec: ModelSpec,
    *,
    source_name: str,
    told: CsvFormat | None = None,
    take: Callable[[pa.Table], None],
) -> CsvContent:
    """Read a file to look at it: any of the spec's columns, any value missing, keys repeated.

    `take` gets the rows block by block, with all columns; those of `absent` are null.
    Raises InvalidInput where the file has none of the columns, or a value is none of its column.
    """
    names = [column.name for column in spec.training_columns]
    content = read_csv(
        path,
        spec.training_columns,
        optional=names,
        ignored=(*spec.ignored, FORECAST_ROW.name),
        may_lack=names,
        source_name=source_name,
        told=_with_columns(told, spec),
        suspicious=SuspiciousValues(spec, treatment="flag"),
        kept_rows=0,
        take=take,
    )
    if len(content.absent) == len(names):
        raise InvalidInput(
            f"{source_name} has none of the columns of {spec.name}: {', '.join(names)}. Nothing "
            "was looked at; name another model with --model, or make one: bikecast new-model"
        )
    return content


def _with_columns(
    told: CsvFormat | None, spec: ModelSpec, inputs: Mapping[str, str] | None = None
) -> CsvFormat:
    """The format with the names of the spec's `columns`, of the rows to score, and of this file:
    each goes before the last."""
    told = told or CsvFormat()
    names = [column.name for column in spec.training_columns]
    if unknown := [name for name in told.columns if name not in names]:
        raise InvalidInput(
            f"--rename {unknown[0]}=...: the model has no column {unknown[0]}; it has "
            f"{', '.join(names)}"
        )
    return replace(told, columns={**spec.columns, **(inputs or {}), **told.columns})


def read_csv(
    path: Path,
    columns: Sequence[Column],
    *,
    optional: Sequence[str] = (),
    ignored: Sequence[str] = (),
    unique: Sequence[str] = (),
    may_lack: Collection[str] = (),
    source_name: str,
    told: CsvFormat | None = None,
    suspicious: SuspiciousValues | None = None,
    limits: _TargetLimits | None = None,
    kept_rows: int = _ALL_ROWS,
    take: Callable[[pa.Table], None] | None = None,
    hint: str = "",
    days: NumberedDays | None = None,
) -> CsvContent:
    """Read and check a whole file, in memory that does not grow with it but for `kept_rows`.

    docs/data.md says what is accepted. Columns may come in any order; those outside `columns` are
    a finding, unless `ignored`. `optional` columns may be absent, values of `may_lack` empty. Rows
    with all of `unique` present must differ in them. `hint` follows missing values; `days`
    are those of a file without days.
    Raises InvalidInput that names file, line and column of the first problems, and where the file
    changes while it is read.
    """
    told = told or CsvFormat()
    if told.date_format:
        columns = [replace(column, date_format=told.date_format) for column in columns]
    required = [column.name for column in columns if column.name not in optional]
    before = file_signature(path, source_name)
    dialect = recognise(path, columns, required, source_name, told, ignored)
    if days and days.column in dialect.names:
        raise InvalidInput(
            f"{source_name} has its days in {days.column}; --start-date is for files without days"
        )
    rules = Rules(tuple(columns), frozenset(may_lack) | frozenset(optional), source_name)
    kept: list[pa.Table] = []
    order = DayOrder([column for column in columns if column.name in dialect.names])
    with UniqueKeys(unique if set(unique) <= set(dialect.names) else ()) as keys:
        for rows in checked_rows(path, dialect, rules, hint=hint):
            rows = days.given_to(rows, rules.rows) if days else rows
            keys.add(rows)
            for each in (suspicious, limits, order):
                if each is not None:
                    each.add(rows)
            if rules.rows < kept_rows:
                kept.append(rows.slice(0, kept_rows - rules.rows))
            if take is not None:
                take(rows)
            rules.rows += rows.num_rows
        if repeated := keys.repeated():
            named = [column for column in columns if column.name in unique]
            problems = repeated_keys(blocks(path, dialect, source_name), dialect, named, repeated)
            raise problems_error(list(islice(problems, MOST)), source_name)
    if not rules.rows:
        raise InvalidInput(
            f"{source_name}, line {dialect.rows_from}: there is no row below the column names"
        )
    if file_signature(path, source_name) != before:
        raise InvalidInput(f"{source_name} changed while it was read; wait until it is written")
    asked = {column.name for column in columns}
    left_out = set(map(folded, ignored))
    findings = [
        f"{source_name}: column {name!r} is not in the schema and was left out"
        for name in dict.fromkeys(dialect.names)
        if name.strip() and name not in asked and folded(name) not in left_out
    ]
    schema = arrow_schema(tuple(columns))
    notes = [*dialect.notes, *(f"{form} ({place})" for form, place in rules.forms.items())]
    if told.date_format:
        notes.append(f"dates of the form {told.date_format}")
    if days:
        notes.append(f"row 1 as {days.column} {days.first}, each next row as the next day")
    findings += [
        order.finding(source_name, column)
        for column in order.in_doubt()
        if not _is_iso(path, dialect, column, source_name)
    ]
    if notes:
        findings.insert(0, f"{source_name} is read as: {'; '.join(notes)}")
    return CsvContent(
        table=pa.concat_tables([schema.empty_table(), *kept]).combine_chunks(),
        rows=rules.rows,
        findings=(*findings, *(suspicious.findings() if suspicious else ())),
        absent=tuple(
            column.name
            for column in columns
            if column.name not in dialect.names and not (days and column.name == days.column)
        ),
        dialect=dialect,
        is_canonical=not notes,
        signature=before,
        days=days,
    )


def _is_iso(path: Path, dialect: Dialect, column: Column, source_name: str) -> bool:
    """Whether the first row has an ISO date in the column."""
    line, block = next(blocks(path, dialect, source_name))
    _, row = next(numbered_rows(block, line, dialect.delimiter))
    return "-" in plain(row[dialect.names.index(column.name)], column)[4:5]


def write_scoring_rows(
    path: Path, content: CsvContent, spec: ModelSpec, out_path: Path, told: CsvFormat | None = None
) -> None:
    """Write a scoring file that was read as Parquet, as every engine takes it, atomically.

    Columns: forecast_row (from 1), the keys (NULL where the file has none), the features.
    """
    import pyarrow.parquet as pq

    columns = (*spec.keys, *spec.features)
    schema, rows = arrow_schema((FORECAST_ROW, *columns)), 0
    with replaced_file(out_path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for block in _read_rows(path, content, columns, told):
            numbers = pa.array(range(rows + 1, rows + block.num_rows + 1), pa.int64())
            rows += block.num_rows
            writer.write_table(block.add_column(0, FORECAST_ROW.name, numbers))


def write_canonical(
    path: Path, content: CsvContent, spec: ModelSpec, out_path: Path, told: CsvFormat | None = None
) -> None:
    """Write a file that was read, in the form that every engine takes, atomically.

    It has the columns of the spec that the file has, by the spec's names.
    """
    with canonical_file(out_path) as write:
        for rows in canonical_rows(path, content, spec, told):
            write(rows)


def canonical_rows(
    path: Path, content: CsvContent, spec: ModelSpec, told: CsvFormat | None = None
) -> Iterator[pa.Table]:
    """The rows of a file that was read, with the columns of the spec that it has."""
    columns = (*spec.keys, *spec.features, spec.target)
    there = set(content.table.column_names) - set(content.absent)
    return _read_rows(path, content, [c for c in columns if c.name in there], told)


def _read_rows(
    path: Path, content: CsvContent, columns: Sequence[Column], told: CsvFormat | None
) -> Iterator[pa.Table]:
    """These columns of a file that was read, block by block; those that it lacks are null."""
    if told and told.date_format:
        columns = [replace(column, date_format=told.date_format) for column in columns]
    rules = Rules(tuple(columns), frozenset(column.name for column in columns), str(path))
    days, before = content.days, 0
    for rows in checked_rows(path, content.dialect, rules):
        yield days.given_to(rows, before) if days else rows
        before += rows.num_rows


@contextmanager
def canonical_file(out_path: Path) -> Iterator[Callable[[pa.Table], None]]:
    """Write tables one below the other, atomically."""
    options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")
    with replaced_file(out_path) as temporary, temporary.open("wb") as file:

        def write(table: pa.Table) -> None:
            if not file.tell():
                file.write((",".join(table.column_names) + "\n").encode())
            # Of columns that are cut at different rows Arrow writes zero bytes.
            pa_csv.write_csv(table.combine_chunks(), file, options)

        yield write


def file_signature(path: Path, source_name: str) -> tuple[int, ...]:
    """What changes with a file's content; raises InvalidInput where there is no file."""
    try:
        stat = path.stat()
    except OSError as error:
        raise InvalidInput(f"cannot read {source_name}: {error.strerror or error}") from error
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
