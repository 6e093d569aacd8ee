"""The options of COPY INTO, checked.

Source: https://learn.microsoft.com/sql/t-sql/statements/copy-into-transact-sql (azure-sqldw)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bikecast.embedded.sql_pool.errors import SqlError, not_emulated, parse_error, unsupported

CSV, PARQUET = "CSV", "PARQUET"
_CREDENTIALS = frozenset({"CREDENTIAL", "ERRORFILE_CREDENTIAL"})
_CSV_ONLY = frozenset(
    "ERRORFILE ERRORFILE_CREDENTIAL MAXERRORS FIELDQUOTE FIELDTERMINATOR ROWTERMINATOR FIRSTROW "
    "DATEFORMAT ENCODING".split()
)
_KNOWN = _CSV_ONLY | frozenset(
    "FILE_TYPE FILE_FORMAT CREDENTIAL COMPRESSION IDENTITY_INSERT AUTO_CREATE_TABLE".split()
)
_COMPRESSIONS = {CSV: ("NONE", "GZIP"), PARQUET: ("NONE", "GZIP", "SNAPPY")}
_DATE_ORDERS = frozenset({"mdy", "dmy", "ymd", "ydm", "myd", "dym"})
_ESCAPES = {"\\n": "\r\n", "\\r\\n": "\r\n", "\\r": "\r", "\\t": "\t"}


@dataclass(frozen=True)
class CopyOptions:
    """What a COPY statement asks for, with Synapse's defaults."""

    file_type: str = CSV
    first_row: int = 1
    delimiter: str = ","
    quote: str = '"'
    row_end: str = "\r\n"
    encoding: str = "utf-8"
    max_errors: int = 0
    error_folder: str = ""
    date_order: str = ""
    """Such as dmy; empty for the order of the session."""
    compressed: bool | None = None
    """None where the file's name tells."""


def copy_options(options: dict[str, str]) -> CopyOptions:
    """The options by upper-case name, as the parser read them.

    Raises SqlError 103010 for an option or a value that COPY does not have, and for one that
    the embedded pool does not emulate.
    """
    for name in options:
        if name not in _KNOWN:
            raise unsupported(f"The COPY option {name}")
    if "FILE_FORMAT" in options:
        raise not_emulated("COPY with FILE_FORMAT")
    file_type = options.get("FILE_TYPE", CSV).upper()
    if file_type not in (CSV, PARQUET):
        exists = file_type == "ORC"
        text = f"COPY with FILE_TYPE = '{file_type}'"
        raise not_emulated(text) if exists else parse_error(f"{text} is not CSV, PARQUET or ORC.")
    for name in sorted(_CSV_ONLY & options.keys() if file_type == PARQUET else ()):
        raise unsupported(f"The COPY option {name} with FILE_TYPE = 'PARQUET'")
    for name in ("IDENTITY_INSERT", "AUTO_CREATE_TABLE"):
        if _choice(options, name, "OFF", ("ON", "OFF")) == "ON":
            raise not_emulated(f"COPY with {name} = 'ON'")
    for name in sorted(_CREDENTIALS & options.keys()):
        if not re.match(r"(?i)\(\s*IDENTITY\s*=\s*'", options[name]):
            raise parse_error(f"{name} needs an IDENTITY.")
    compression = _choice(options, "COMPRESSION", "", ("", *_COMPRESSIONS[file_type]))
    quote = _text(options, "FIELDQUOTE", '"')
    if len(quote) > 1 or not quote.isascii():
        raise parse_error("FIELDQUOTE must be one ASCII character.")
    order = options.get("DATEFORMAT", "").lower()
    if order and order not in _DATE_ORDERS:
        raise parse_error(f"DATEFORMAT = '{order}' is no date format.")
    return CopyOptions(
        file_type,
        _number(options, "FIRSTROW", 1, at_least=1),
        _terminator(options, "FIELDTERMINATOR", ","),
        quote,
        _terminator(options, "ROWTERMINATOR", "\\n"),
        {"UTF8": "utf-8", "UTF16": "utf-16"}[
            _choice(options, "ENCODING", "UTF8", ("UTF8", "UTF16"))
        ],
        _number(options, "MAXERRORS", 0, at_least=0),
        options.get("ERRORFILE", ""),
        order,
        compression == "GZIP" if compression else None,
    )


def _choice(options: dict[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = options.get(name, default).upper()
    if value not in choices:
        listed = ", ".join(choice for choice in choices if choice)
        raise parse_error(f"{name} = '{options[name]}' is none of {listed}.")
    return value


def _number(options: dict[str, str], name: str, default: int, *, at_least: int) -> int:
    text = options.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not at_least <= int(text) < 2**31:
        raise parse_error(f"{name} must be a whole number from {at_least}.")
    return int(text)


def _text(options: dict[str, str], name: str, default: str) -> str:
    """A terminator or quote; 0x and hexadecimal digits stand for bytes.

    Raises SqlError for hexadecimal digits that are no text.
    """
    text = options.get(name, default)
    if not re.match(r"0[xX]", text):
        return _ESCAPES.get(text, text)
    try:
        return bytes.fromhex(text[2:]).decode("utf-8")
    except ValueError as error:
        raise SqlError(
            103010, f"{name} = '{text}' is no hexadecimal notation of a text."
        ) from error


def _terminator(options: dict[str, str], name: str, default: str) -> str:
    text = _text(options, name, default)
    if not text or not text.isascii():
        raise parse_error(f"{name} must have one or more ASCII characters.")
    return text
