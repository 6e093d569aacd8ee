"""The rows of a CSV file, block by block: fields become values that keep the spec's limits.

Arrow's own conversion is tried first; then the texts are looked at, in any form that the contract
takes; then each row, which names what is wrong.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from bikecast.core.arrow_memory import arrow_reader
from bikecast.core.spec import Column
from bikecast.core.sql_types import arrow_schema
from resources.lake.csv_problems import MOST, find_problems, problems_error
from resources.lake.decimal_marks import DecimalMarks
from resources.lake.dialect import Dialect, blocks
from resources.lake.values import (
    BLANKS,
    INTEGER_BITS,
    MIDNIGHT,
    MISSING,
    WHOLE,
    parse_date,
    pattern,
)

#: What Arrow reads as a number and the contract does not, or not without a word.
_LENIENT = re.compile(rb"[ \t][,;\t\r\n]|[,;\t\n][ \t]|0[xX]|\xc2\xa0")


@dataclass
class Rules:
    """What is asked of a file, and what came up while it was read."""

    columns: tuple[Column, ...]
    may_lack: frozenset[str]
    source_name: str
    #: Values in another form than the canonical one, by what that form is.
    forms: dict[str, str] = field(default_factory=dict)
    rows: int = 0


def checked_rows(
    path: Path, dialect: Dialect, rules: Rules, *, hint: str = ""
) -> Iterator[pa.Table]:
    """The rows of a file block by block, with the types of `rules.columns`, in their order.

    Raises InvalidInput with the first problems after the whole file, or the first thousand.
    """
    problems: list[str] = []
    marks = DecimalMarks(dialect, rules.source_name)
    numbered = blocks(path, dialect, rules.source_name)
    for (line, block), parsed in _ahead(numbered, partial(_converted, dialect, rules)):
        converted = None if problems or marks.are_due(block) else parsed.result()
        table = None
        if converted is not None:
            table = _assembled(converted, dialect, rules, _checked)
        if table is None:
            table = _from_texts(block, line, dialect, rules, marks)
        if table is not None:
            if not problems:
                yield table
            continue
        found = find_problems(block, line, dialect, rules.columns, rules.may_lack)
        new = list(islice(found, MOST - len(problems)))
        problems += new or [f"line {line}: what follows cannot be read as CSV"]
        if len(problems) >= MOST:
            break
    if problems:
        is_missing = any("the value is missing" in problem for problem in problems)
        raise problems_error(problems, rules.source_name, hint if is_missing else "")
    marks.check(rules.columns)


def _ahead(
    items: Iterable[tuple[int, bytes]], work: Callable[[tuple[int, bytes]], pa.Table | None]
) -> Iterator[tuple[tuple[int, bytes], Future[pa.Table | None]]]:
    """Each item with its work, which is done beside what is made of the item before."""
    with ThreadPoolExecutor(1) as worker:
        waiting: deque[tuple[tuple[int, bytes], Future[pa.Table | None]]] = deque()
        for item in items:
            waiting.append((item, worker.submit(work, item)))
            if len(waiting) > 1:
                yield waiting.popleft()
        yield from waiting


def _parsed(block: bytes, dialect: Dialect, types: dict[str, pa.DataType]) -> pa.Table | None:
    """The block's columns by position (`0`, `1`, ...), those that have a type."""
    positions = [str(index) for index in range(len(dialect.names))]
    try:
        return pa_csv.read_csv(
            arrow_reader(block),
            read_options=pa_csv.ReadOptions(
                column_names=positions, block_size=max(1 << 20, len(block) // 2)
            ),
            parse_options=pa_csv.ParseOptions(delimiter=dialect.delimiter),
            convert_options=pa_csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=[""],
                strings_can_be_null=False,
                decimal_point=dialect.decimal,
            ),
        )
    except pa.ArrowInvalid:
        return None


def _converted(dialect: Dialect, rules: Rules, numbered: tuple[int, bytes]) -> pa.Table | None:
    """A block as Arrow's own reader converts it; None where a look at the texts is due."""
    _, block = numbered
    suspects = (b" ", b"\t", b"x", b"X", b"\xa0")
    if any(each in block for each in suspects) and _LENIENT.search(block):
        return None
    text = pa.dictionary(pa.int32(), pa.string())
    types: dict[str, pa.DataType] = {}
    for index, name in enumerate(dialect.names):
        column = _by_name(rules.columns, name)
        if column is not None:
            arrow_type = arrow_schema((column,)).field(0).type
            is_real = pa.types.is_floating(arrow_type)
            is_date = column.sql_type == "date"
            types[str(index)] = text if is_date else pa.float64() if is_real else arrow_type
    return _parsed(block, dialect, types)


def _by_name(columns: Sequence[Column], name: str) -> Column | None:
    return next((column for column in columns if column.name == name), None)


def _assembled(
    table: pa.Table,
    dialect: Dialect,
    rules: Rules,
    convert: Callable[[pa.ChunkedArray, Column], pa.ChunkedArray | None],
) -> pa.Table | None:
    """The columns of the rules, each converted; None where one cannot be, or lacks a value."""
    arrays = []
    schema = arrow_schema(rules.columns)
    for column, target in zip(rules.columns, schema, strict=True):
        if column.name not in dialect.names:
            arrays.append(pa.chunked_array([pa.nulls(table.num_rows, target.type)]))
            continue
        values = table[str(dialect.names.index(column.name))]
        array = convert(values, column)
        if array is None or (array.null_count and column.name not in rules.may_lack):
            return None
        arrays.append(array)
    return pa.table(arrays, schema=schema)


def _from_texts(
    block: bytes, line: int, dialect: Dialect, rules: Rules, marks: DecimalMarks
) -> pa.Table | None:
    """The rows from their fields' texts, in any form that the contract takes; else None."""
    types = {
        str(index): pa.string()
        for index, name in enumerate(dialect.names)
        if _by_name(rules.columns, name)
    }
    table = _parsed(block, dialect, types)
    if table is None:
        return None
    forms: dict[str, str] = {}

    def convert(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray | None:
        texts = values
        marks.add(texts, column, block, line)
        if column.sql_type != "varchar":
            texts, changed = _plain(values, column, dialect.decimal)
            for form in changed:
                forms.setdefault(form, f"column {column.name}, from line {line} on")
        empty = pc.equal(texts, "")
        texts = pc.if_else(empty, pa.scalar(None, pa.string()), texts)
        if not _all(pc.match_substring_regex(texts, f"^(?:{pattern(column)})$")):
            return None
        if column.sql_type in INTEGER_BITS or column.sql_type in ("real", "float"):
            whole = column.sql_type in INTEGER_BITS
            try:
                texts = texts.cast(arrow_schema((column,)).field(0).type if whole else pa.float64())
            except pa.ArrowInvalid:
                return None
        return _checked(texts, column)

    assembled = _assembled(table, dialect, rules, convert)
    if assembled is not None:
        for form, place in forms.items():
            rules.forms.setdefault(form, place)
    return assembled


def _plain(
    texts: pa.ChunkedArray, column: Column, decimal: str
) -> tuple[pa.ChunkedArray, list[str]]:
    """The fields in canonical form, as `values.plain` has them, and which forms they had."""
    forms = []
    trimmed = pc.utf8_trim(texts, BLANKS)
    if not pc.all(pc.equal(trimmed, texts), min_count=0).as_py():
        forms.append("blanks around values")
    texts = trimmed
    missing = pc.is_in(pc.utf8_lower(texts), pa.array(MISSING))
    if pc.any(missing, min_count=0).as_py():
        forms.append("marks of missing values")
        texts = pc.if_else(missing, "", texts)
    if column.sql_type == "date":
        day = pc.replace_substring_regex(texts, f"^{MIDNIGHT}$", r"\1")
        if not pc.all(pc.equal(day, texts), min_count=0).as_py():
            forms.append("days with the time 00:00")
        return day, forms
    if decimal == ",":
        points = pc.match_substring(texts, ".")
        texts = pc.if_else(points, pc.replace_substring(texts, ".", ".."), texts)
        texts = pc.replace_substring(texts, ",", ".")
    if column.sql_type in INTEGER_BITS:
        whole = pc.replace_substring_regex(texts, f"^{WHOLE}$", r"\1")
        if not pc.all(pc.equal(whole, texts), min_count=0).as_py():
            forms.append("whole numbers with zeros behind the point")
        texts = whole
    return texts, forms


def _checked(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray | None:
    """The values with the column's type, if they keep its limits; dates come as texts."""
    if column.sql_type == "date":
        return _dates(values, column)
    target = arrow_schema((column,)).field(0).type
    if column.sql_type == "varchar":
        if not _all(pc.match_substring_regex(values, f"^(?:{pattern(column)})$")):
            return None
        values = pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
        if not _all(pc.less_equal(pc.utf8_length(values), column.length)):
            return None
    if column.codes:
        known = pc.is_in(values, pa.array(column.codes, values.type))
        if not _all(pc.or_(known, pc.is_null(values))):
            return None
    if column.minimum is not None or column.maximum is not None:
        ends = pc.min_max(values)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if low is not None and (
            (column.minimum is not None and not low >= column.minimum)
            or (column.maximum is not None and not high <= column.maximum)
        ):
            return None
    values = values.cast(target, safe=False)
    if pa.types.is_floating(target) and not _all(pc.is_finite(values)):
        return None
    return values


def _dates(texts: pa.ChunkedArray, column: Column) -> pa.ChunkedArray | None:
    """Parse each distinct text once: days repeat, and the exact reader parses the same way."""
    encoded = texts.combine_chunks()
    if not isinstance(encoded, pa.DictionaryArray):
        encoded = encoded.dictionary_encode()
    try:
        days = [
            parse_date(day, column.date_format) if day else None
            for day in encoded.dictionary.to_pylist()
        ]
    except ValueError:
        return None
    return pa.chunked_array([pa.array(days, pa.date32()).take(encoded.indices)])


def _all(mask: pa.ChunkedArray) -> bool:
    """True when no non-null entry of the mask is false."""
    return pc.all(mask, min_count=0).as_py() is not False
