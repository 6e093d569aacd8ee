"""COPY INTO from CSV and Parquet files of the lake.

Source: https://learn.microsoft.com/sql/t-sql/statements/copy-into-transact-sql (azure-sqldw)
"""

from __future__ import annotations

from pathlib import Path

from bikecast.embedded.sql_pool.catalog.catalog import SqlObject
from bikecast.embedded.sql_pool.copy.options import (
    PARQUET,
    CopyOptions,
    RejectedRows,
    copy_options,
    error_folder,
    find_files,
    in_lake,
)
from bikecast.embedded.sql_pool.copy.records import insert_records, is_compressed, read_records
from bikecast.embedded.sql_pool.copy.targets import (
    Field,
    load_file,
    load_parquet,
    path_literal,
    target_fields,
    with_default,
)
from bikecast.embedded.sql_pool.errors import failure, refused
from bikecast.embedded.sql_pool.statements.definitions import existing_table
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.values.conversion import assign, convert
from bikecast.embedded.sql_pool.values.scope import Typed, text_literal
from bikecast.embedded.sql_pool.values.types import MAX, varchar
from bikecast.embedded.sql_pool.work import Work

#: Delimiters of more characters are read record by record.
_LONGEST_DELIMITER = 4

#: Where DuckDB has converted a text to a value (NULL where it cannot) as T-SQL does, and several
#: times faster than by the whole rules: where the value is written as that text; of a float, where
#: it is a number, and no digits are parted by _.
_SAME = "CAST({value} AS VARCHAR) = {text} COLLATE C"
_USUAL = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint", "decimal"), _SAME),
    "float": "isfinite({value}) AND NOT contains({text}, '_')",
    "date": "coalesce(getvariable('tsql_date_order'), 0) = 0 AND strlen({text}) = 10 AND " + _SAME,
}


def copy_into(work: Work, statement: st.CopyInto, lake_root: Path, lake_url: str = "") -> int:
    """Load files into a table, and return the number of rows; every file or none.

    Raises SqlError for an unknown option, a location outside of the lake, and for more rows than
    MAXERRORS with another number of fields, or with a field that is not of its column's type.
    """
    table = existing_table(work, statement.name)
    options = copy_options(statement.options)
    rejected = RejectedRows(options.max_errors, error_folder(options.error_folder, lake_root))
    if table.details.get("identity"):
        raise refused("COPY into a table with an IDENTITY column")
    fields = target_fields(work, table, statement.columns)
    paths = [
        path
        for location in statement.locations
        for path in find_files(in_lake(location, lake_root, lake_url), lake_root)
    ]
    loaded = sum(
        load_parquet(work, table, fields, path)
        if options.file_type == PARQUET
        else _load_csv(work, table, fields, path, options, rejected)
        for path in paths
    )
    rejected.write()
    return loaded


def _load_csv(
    work: Work,
    table: SqlObject,
    fields: list[Field],
    path: Path,
    options: CopyOptions,
    rejected: RejectedRows,
) -> int:
    try:
        width = _width(table, fields, path, options)
        if width == 0:
            return 0
        values = [_from_text(field, options) for field in fields]
        if _is_plain(path, options):
            values, reader = _with_casts(
                fields, values, _reader(path, options, width), options.date_order
            )
            return load_file(work, table, fields, values, path, reader)
        return insert_records(
            work, table, [f.column for f in fields], values, path, options, width, rejected
        )
    except UnicodeError as error:
        raise failure("13812c", path, f"it is not in the encoding {options.encoding}") from error
    except (OSError, EOFError) as error:
        raise failure("13812c", path, "it cannot be decompressed or read") from error


def _width(table: SqlObject, fields: list[Field], path: Path, options: CopyOptions) -> int:
    """Fields that each record must have; 0 for a file without a record."""
    first = next(read_records(path, options), None)
    if first is None:
        return 0
    plain = [field.number for field in fields] == list(range(1, len(table.columns) + 1))
    return max(0 if plain else len(first.fields), *(field.number for field in fields))


def _is_plain(path: Path, options: CopyOptions) -> bool:
    """Whether DuckDB reads the file as COPY would: its line ends are those of ROWTERMINATOR."""
    if (
        options.max_errors
        or options.encoding != "utf-8"
        or options.row_end not in ("\n", "\r\n")
        or len(options.delimiter) > _LONGEST_DELIMITER
        or not options.quote
        or is_compressed(path, options)
    ):
        return False
    with path.open("rb") as file:
        line = file.readline(2**20)
    is_windows = options.row_end == "\r\n"
    return (
        line.endswith(b"\n")
        and line.endswith(b"\r\n") == is_windows
        and _has_one_line_end(path, is_windows=is_windows)
    )


def _has_one_line_end(path: Path, *, is_windows: bool) -> bool:
    """Whether all line ends of a file are the same: DuckDB refuses a mixture."""
    before = b""
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            if not is_windows:
                if b"\r" in chunk:
                    return False
                continue
            chunk = before + chunk
            # A \r at the end of the chunk may be half of a line end.
            chunk, before = (chunk[:-1], b"\r") if chunk.endswith(b"\r") else (chunk, b"")
            if not chunk.count(b"\r") == chunk.count(b"\n") == chunk.count(b"\r\n"):
                return False
    return not before


def _from_text(field: Field, options: CopyOptions) -> str:
    """The DuckDB expression of a target column's value, from the text q.f<number>."""
    column, source = field.column, f"q.f{field.number}"
    value = Typed(source, varchar(MAX))
    if column.type.is_binary:
        # Hexadecimal digits with or without 0x: how the model of a PREDICT is loaded.
        digits = Typed(f"regexp_replace({source}, '^0[xX]', '')", varchar(MAX))
        sql = convert(digits, column.type, 2).sql
    elif column.type.is_moment and column.type.name != "time" and options.date_order:
        ordered = Typed(_ordered(source, options.date_order), varchar(MAX))
        sql = assign(ordered, column.type, column=column.name).sql
    else:
        sql = assign(value, column.type, column=column.name).sql
    return with_default(sql, field)


def _with_casts(
    fields: list[Field], values: list[str], reader: str, date_order: str
) -> tuple[list[str], str]:
    """The values and the reader with DuckDB's own conversions, for the texts where they do."""
    casts, quick = "", list(values)
    for place, field in enumerate(fields):
        type_, text, value = field.column.type, f"q.f{field.number}", f"q.v{place}"
        usual = _USUAL.get(type_.name, "")
        if not usual or (date_order and type_.is_moment):
            continue
        casts += f", TRY_CAST(f{field.number} AS {type_.duckdb}) AS v{place}"
        condition = usual.format(text=text, value=value)
        quick[place] = f"CASE WHEN {condition} THEN {value} ELSE {values[place]} END"
    return quick, f"(SELECT *{casts} FROM {reader})"  # noqa: S608 # as above


def _ordered(source: str, order: str) -> str:
    """Text that starts with three numbers in a DATEFORMAT's order, as year-month-day.

    Two digits of a year mean 1950 to 2049, SQL Server's default. A year in front of another
    format than ymd or ydm is read as year-month-day.
    """
    number = r"(\d{1,4})[-/.](\d{1,4})[-/.](\d{1,4})(.*)"
    parts = {letter: f"regexp_extract({source}, '^\\s*{number}$', {i})" for i, letter in
             enumerate(order, 1)}  # fmt: skip
    rest = f"regexp_extract({source}, '^\\s*{number}$', 4)"
    year = (
        f"CASE length({parts['y']}) WHEN 4 THEN {parts['y']} ELSE CAST(CASE WHEN "
        f"CAST({parts['y']} AS INTEGER) < 50 THEN 2000 ELSE 1900 END + "
        f"CAST({parts['y']} AS INTEGER) AS VARCHAR) END"
    )
    written = (
        f"({year}) || '-' || lpad({parts['m']}, 2, '0') || '-' || lpad({parts['d']}, 2, '0') "
        f"|| {rest}"
    )
    leading = "" if order[0] == "y" else f" AND NOT regexp_matches({source}, '^\\s*\\d{{4}}[-/.]')"
    return (
        f"(CASE WHEN regexp_matches({source}, '^\\s*{number}$'){leading} "
        f"THEN {written} ELSE {source} END)"
    )


def _reader(path: Path, options: CopyOptions, width: int) -> str:
    """DuckDB's own reader of a file."""
    names = ", ".join(f"'f{i}': 'VARCHAR'" for i in range(1, width + 1))
    quote = text_literal(options.quote)
    return (
        f"read_csv({path_literal(path)}, auto_detect = false, header = false, "
        f"columns = {{{names}}}, delim = {text_literal(options.delimiter)}, quote = {quote}, "
        f"escape = {quote}, nullstr = '', allow_quoted_nulls = false, compression = 'none', "
        f"skip = {options.first_row - 1}, strict_mode = true)"
    )
