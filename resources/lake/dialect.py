"""How a CSV file is written: recognised from its first bytes, its header and its first rows."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from bikecast.core.errors import InvalidInput
from bikecast.core.file_kinds import GZIP, encoding_of, kind_of
from bikecast.core.spec import Column
from resources.lake.port import CsvFormat

#: Bytes of a block; a line may be as long.
BLOCK = 1 << 23
#: Bytes of the first line at most, and of its names.
HEADER = 1 << 20
# Lines have a limit here; the module's own, of a field, is not the file's fault.
csv.field_size_limit(8 * BLOCK)
_SAMPLE_ROWS = 1000
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_WITH_POINT = re.compile(r"[+-]?[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?")
_WITH_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
#: A decimal number, or a whole one with a separator of thousands.
_EITHER = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")


@dataclass(frozen=True)
class Dialect:
    """How to read one file. `names` are its columns, under the spec's names where they have one.

    `rows_from` is the line (from 1) after the header. `notes` say what differs from the canonical
    form, which has no notes: commas, decimal points, UTF-8, the spec's names, not compressed.
    A kind of number is settled where its mark, as in `1.234`, cannot be a separator of thousands.
    """

    names: tuple[str, ...]
    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    is_gzip: bool = False
    rows_from: int = 2
    notes: tuple[str, ...] = ()
    floats_settled: bool = True
    integers_settled: bool = True

    @property
    def is_canonical(self) -> bool:
        """Whether every engine reads the file as it is, as far as its values allow."""
        return not self.notes


def recognise(
    path: Path,
    columns: Sequence[Column],
    required: Sequence[str],
    source_name: str,
    told: CsvFormat,
    ignored: Sequence[str] = (),
) -> Dialect:
    """The dialect of a file; `told` overrules it.

    Columns that are `ignored` are not proposed for one that is missing.

    Raises InvalidInput for a file that is missing, empty, of another kind, without a required
    column, or that can be read in two ways.
    """
    is_gzip, encoding = _container(path, source_name, told)
    dialect = Dialect((), encoding=encoding, is_gzip=is_gzip)
    notes = ["compressed by gzip"] if is_gzip else []
    if encoding != "utf-8":
        notes.append(f"encoded in {encoding}")
    lines = _first_lines(path, dialect, source_name)
    start = 0
    delimiter = told.delimiter
    if lines and (separator := re.fullmatch(r"sep=(.)", lines[0])):
        start, delimiter = 1, told.delimiter or separator[1]
        notes.append("its first line names the delimiter")
    header = lines[start] if len(lines) > start else ""
    delimiter = delimiter or _delimiter(header, columns, told)
    if delimiter != ",":
        notes.append(f"delimited by {_DELIMITERS.get(delimiter, repr(delimiter))}")
    raw = _header(header, delimiter, start + 1, source_name)
    _check_repeated(raw, columns, told, f"{source_name}, line {start + 1}")
    names = _named(raw, columns, told, source_name, start + 1)
    other = [(mine, name) for mine, name in zip(names, raw, strict=True) if mine != name]
    if any(folded(mine) == folded(name) for mine, name in other):
        notes.append("column names without regard to case and blanks")
    notes += [f"{mine} from {name!r}" for mine, name in other if folded(mine) != folded(name)]
    if not all(name.strip() for name in raw):
        notes.append("columns without a name left out")
    if len({folded(name) for name in raw if name.strip()}) < sum(map(bool, map(str.strip, raw))):
        notes.append("columns of the same name left out")
    spare = [
        name for name in raw if name in names and folded(name) not in set(map(folded, ignored))
    ]
    spare = [name for name in spare if name.strip() and name not in {c.name for c in columns}]
    missing = [name for name in required if name not in names]
    if missing and not {column.name for column in columns} & set(names):
        raise InvalidInput(
            f"{source_name}, line {start + 1}: missing columns {', '.join(missing)}; the line"
            f"{_looks_like(header)} has none of the model's columns. The first line must hold the "
            "column names; remove what stands before them, or say --delimiter"
        )
    if missing:
        known = len({column.name for column in columns} & set(names))
        raise _missing(missing, raw, known, spare, f"{source_name}, line {start + 1}", delimiter)
    decimal, is_settled = told.decimal, True
    if not decimal:
        decimal, is_settled = _decimal(
            lines[start + 1 :], delimiter, names, columns, source_name, start + 2
        )
    if decimal != ".":
        notes.append("with a decimal comma")
    return replace(
        dialect,
        names=names,
        delimiter=delimiter,
        decimal=decimal,
        rows_from=start + 2,
        notes=tuple(notes),
        floats_settled=is_settled,
        integers_settled=bool(told.decimal) or (delimiter, decimal) == (",", "."),
    )


def header_of(path: Path, columns: Sequence[Column], source_name: str) -> list[str]:
    """The column names of a canonical file that has all these columns.

    Raises InvalidInput for another file.
    """
    required = [column.name for column in columns]
    dialect = recognise(path, columns, required, source_name, CsvFormat())
    if not dialect.is_canonical:
        raise InvalidInput(
            f"{source_name} is {', '.join(dialect.notes)}; engines read it once it is stored as "
            "a file of the lake"
        )
    return list(dialect.names)


def blocks(path: Path, dialect: Dialect, source_name: str) -> Iterator[tuple[int, bytes]]:
    """The file's lines below the header, as UTF-8, in blocks of whole lines.

    Each comes with the number of its first line. Raises InvalidInput, with the line, for bytes
    that are not in the encoding, for a lone carriage return and for a damaged gzip file.
    """
    line = 1
    skip = dialect.rows_from - 1
    for block in _utf8_blocks(path, dialect, source_name):
        ends = block.count(b"\n")
        _check_carriage_returns(block, line, source_name)
        if skip:
            skipped = min(skip, ends) if ends else skip
            for _ in range(skipped):
                block = block.partition(b"\n")[2]
            skip -= skipped
            if block:
                yield line + skipped, block
        else:
            yield line, block
        line += ends


def _container(path: Path, source_name: str, told: CsvFormat) -> tuple[bool, str]:
    """Whether the file is compressed by gzip, and its encoding."""
    try:
        with path.open("rb") as file:
            start = file.read(512)
        is_gzip = start.startswith(GZIP)
        if is_gzip:
            with _opened(path, is_gzip, source_name) as unpacked, _damage(source_name):
                start = unpacked.read(512)
    except OSError as error:
        raise InvalidInput(f"cannot read {source_name}: {error.strerror or error}") from error
    if not start:
        raise InvalidInput(f"{source_name} is empty; the first line must hold the column names")
    if is_gzip and start.startswith(GZIP):
        raise InvalidInput(f"{source_name} is compressed by gzip twice; unpack it once")
    if kind := kind_of(start):
        raise InvalidInput(f"{source_name} is {kind}, not a CSV file; unpack or export it as CSV")
    return is_gzip, told.encoding or encoding_of(start)


def _utf8_blocks(
    path: Path, dialect: Dialect, source_name: str, size: int = BLOCK, *, longest: int = 8 * BLOCK
) -> Iterator[bytes]:
    """The content as UTF-8 without a byte order mark, cut after line ends.

    Raises InvalidInput where it cannot be that, with the line.
    """
    decoder = codecs.getincrementaldecoder(dialect.encoding)()
    is_utf8 = dialect.encoding == "utf-8"
    line, rest = 1, b""
    with _opened(path, dialect.is_gzip, source_name) as opened:
        first = True
        while True:
            with _damage(source_name):
                chunk = opened.read(size)
            if first:
                chunk = chunk.removeprefix(codecs.BOM_UTF8) if is_utf8 else chunk
                first = False
            is_last = not chunk
            if not is_utf8:
                try:
                    text = decoder.decode(chunk, is_last)
                    chunk = (
                        text.removeprefix("\ufeff") if line == 1 and not rest else text
                    ).encode()
                except UnicodeError as error:
                    raise InvalidInput(
                        f"{source_name}, after line {line}: not {dialect.encoding} "
                        f"({getattr(error, 'reason', error)})"
                    ) from error
            if is_last:
                rest += chunk
                if rest:
                    yield _checked_utf8(rest, line, source_name)
                return
            head, newline, tail = chunk.rpartition(b"\n")
            if not newline:
                rest += chunk
                if len(rest) > longest:
                    raise InvalidInput(
                        f"{source_name}, line {line}: the line is longer than {longest:,} bytes"
                    )
                continue
            block = rest + head + newline
            rest = tail
            yield _checked_utf8(block, line, source_name)
            line += block.count(b"\n")


@contextmanager
def _opened(path: Path, is_gzip: bool, source_name: str) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb") as file:
            yield cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if is_gzip else file
    except OSError as error:
        raise InvalidInput(f"cannot read {source_name}: {error.strerror or error}") from error


def _checked_utf8(block: bytes, line: int, source_name: str) -> bytes:
    if not block.isascii():
        try:
            block.decode()
        except UnicodeDecodeError as error:
            line += block.count(b"\n", 0, error.start)
            raise InvalidInput(
                f"{source_name}, line {line}: not UTF-8 (byte 0x{block[error.start]:02x}); save "
                "the file as UTF-8, or say what it is, such as --encoding windows-1252"
            ) from error
    return block


def _check_carriage_returns(block: bytes, line: int, source_name: str) -> None:
    if b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
        lines = block.replace(b"\r\n", b"\n")
        line += lines.count(b"\n", 0, lines.index(b"\r"))
        raise InvalidInput(
            f"{source_name}, line {line}: a carriage return without a line feed; save the file "
            "with LF or CRLF line ends"
        )


@contextmanager
def _damage(source_name: str) -> Iterator[None]:
    """What a damaged file raises, for people."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidInput(
            f"{source_name} is a gzip file that is cut off or damaged ({error}); fetch it again"
        ) from error


def _first_lines(path: Path, dialect: Dialect, source_name: str) -> list[str]:
    """The header and the first rows, without their line ends."""
    for block in _utf8_blocks(path, dialect, source_name, 1 << 17, longest=HEADER):
        _check_carriage_returns(block, 1, source_name)
        lines = block.decode().split("\n", _SAMPLE_ROWS)[:_SAMPLE_ROWS]
        return [line.removesuffix("\r") for line in lines]
    return []


def _header(text: str, delimiter: str, line: int, source_name: str) -> list[str]:
    names = next(iter(csv.reader([text], delimiter=delimiter)), [])
    where = f"{source_name}, line {line}"
    if text.count('"') % 2:
        raise InvalidInput(
            f"{where}: a column name in quotes does not end on its line; write the names on one "
            "line, without line breaks"
        )
    if not any(name.strip() for name in names):
        raise InvalidInput(f"{where}: there are no column names")
    if any(not name.isprintable() for name in map(str.strip, names)):
        raise InvalidInput(f"{where}: a column name has a control character")
    return names


def _check_repeated(
    raw: Sequence[str], columns: Sequence[Column], told: CsvFormat, where: str
) -> None:
    """Raise InvalidInput where a column of the model appears twice."""
    wanted = {folded(column.name) for column in columns} | {
        folded(name) for name in told.columns.values()
    }
    folds = [folded(name) for name in raw]  # Spark and SQL do not tell case apart
    repeated = sorted(
        {
            name
            for name, fold in zip(raw, folds, strict=True)
            if fold in wanted and folds.count(fold) > 1
        }
    )
    if repeated:
        raise InvalidInput(f"{where}: columns appear twice: {', '.join(repeated)}")


def folded(name: str) -> str:
    """The name without case, blanks around it and wide forms of letters."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _delimiter(header: str, columns: Sequence[Column], told: CsvFormat) -> str:
    """The delimiter with which the header has most columns of the spec, else most columns."""
    wanted = {folded(column.name) for column in columns} | {
        folded(name) for name in told.columns.values()
    }

    def rank(delimiter: str) -> tuple[int, int]:
        names = next(iter(csv.reader([header], delimiter=delimiter)), [])
        return sum(folded(name) in wanted for name in names), len(names)

    return max(_DELIMITERS, key=rank)


def _named(
    raw: Sequence[str], columns: Sequence[Column], told: CsvFormat, source_name: str, line: int
) -> tuple[str, ...]:
    """The file's columns under the spec's names."""
    by_fold = {folded(name): index for index, name in enumerate(raw)}
    names = list(raw)
    spec_names = {column.name for column in columns}
    for name, in_file in told.columns.items():
        index = by_fold.get(folded(in_file))
        if name not in spec_names or index is None:
            continue  # the other file of the run may have it
        if folded(name) in by_fold and by_fold[folded(name)] != index:
            raise InvalidInput(
                f"{source_name}, line {line}: {in_file!r} is to be {name}, but the file has a "
                f"column {raw[by_fold[folded(name)]]!r} too"
            )
        names[index] = name
    for column in columns:
        index = by_fold.get(folded(column.name))
        if column.name not in names and index is not None and names[index] == raw[index]:
            names[index] = column.name
    return tuple(names)


def _missing(
    missing: Sequence[str],
    raw: Sequence[str],
    known: int,
    spare: Sequence[str],
    where: str,
    delimiter: str,
) -> InvalidInput:
    """The error for columns that a header lacks; it has `known` ones of the model.

    `spare` are those that may be meant. They are named only where most of the model's are there:
    the first line of a file that is something else is nobody's to read in an error.
    """
    hint = ""
    if spare and len(missing) <= known:
        if_one = f"If one of {', '.join(spare)} is it" if len(missing) == 1 else "If they are there"
        hint = f" {if_one}, say so, such as: --rename {missing[0]}={spare[-1]}"
    elif spare:
        hint = f" If they are there under other names, say so: --rename {missing[0]}=NAME"
    read_as = _DELIMITERS.get(delimiter, repr(delimiter))
    return InvalidInput(
        f"{where}: missing column{'s' * (len(missing) > 1)} {', '.join(missing)}; the file, read "
        f"as delimited by {read_as}, has {known} of the model's columns and {len(raw) - known:,} "
        f"other{'s' * (len(raw) - known != 1)}.{hint}"
    )


def _looks_like(header: str) -> str:
    """What a first line without a wanted column looks like, without its content."""
    text = header.lstrip()
    for start, kind in (("<", "HTML or XML"), ("{", "JSON"), ("[", "JSON"), ("#", "a comment")):
        if text.startswith(start):
            return f", which looks like {kind},"
    return ", which has '|' between its fields," if "|" in text else ""


def _decimal(
    lines: Sequence[str],
    delimiter: str,
    names: Sequence[str],
    columns: Sequence[Column],
    source_name: str,
    first: int,
) -> tuple[str, bool]:
    """The decimal mark of the first rows, and whether a value there, or the delimiter, settles it.

    Raises InvalidInput where both marks, or a comma that may separate thousands, are there.
    """
    by_name: Mapping[str, Column] = {column.name: column for column in columns}
    numbers = [
        index
        for index, name in enumerate(names)
        if name in by_name and by_name[name].sql_type in ("real", "float")
    ]
    point = comma = either = ""
    is_settled = delimiter == ","
    for number, row in enumerate(csv.reader(lines, delimiter=delimiter), first):
        for index in numbers:
            text = row[index].strip() if index < len(row) else ""
            place = f"line {number}, column {names[index]}: {text!r}"
            if _WITH_COMMA.fullmatch(text):
                if _EITHER.fullmatch(text):
                    either = either or place
                else:
                    comma = comma or place
            elif _WITH_POINT.fullmatch(text):
                point = point or place
                is_settled = is_settled or not _EITHER.fullmatch(text)
    if (comma or either) and point:
        raise InvalidInput(
            f"{source_name}: decimal commas ({comma or either}) and decimal points ({point}); "
            "write all numbers in one way"
        )
    if either and not comma:
        raise InvalidInput(
            f"{source_name}, {either} is a decimal number or has a separator of thousands; say "
            "--decimal comma, or remove the separators"
        )
    return ("," if comma else "."), is_settled or bool(comma)
