"""The options of COPY INTO, checked; the files that it reads, and those of rejected rows.

Source: https://learn.microsoft.com/sql/t-sql/statements/copy-into-transact-sql (azure-sqldw)
"""

from __future__ import annotations

import datetime
import os
import re
import uuid
from dataclasses import dataclass
from pathlib import Path

from bikecast.embedded.sql_pool.errors import failure, parse_error, refused

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
            raise refused(f"The COPY option {name}")
    if "FILE_FORMAT" in options:
        raise refused("COPY with FILE_FORMAT")
    file_type = options.get("FILE_TYPE", CSV).upper()
    if file_type not in (CSV, PARQUET):
        exists = file_type == "ORC"
        text = f"COPY with FILE_TYPE = '{file_type}'"
        raise refused(text) if exists else parse_error(f"{text} is not CSV, PARQUET or ORC.")
    for name in sorted(_CSV_ONLY & options.keys() if file_type == PARQUET else ()):
        raise refused(f"The COPY option {name} with FILE_TYPE = 'PARQUET'")
    for name in ("IDENTITY_INSERT", "AUTO_CREATE_TABLE"):
        if _choice(options, name, "OFF", ("ON", "OFF")) == "ON":
            raise refused(f"COPY with {name} = 'ON'")
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
        raise failure("103010", name, text) from error


def _terminator(options: dict[str, str], name: str, default: str) -> str:
    text = _text(options, name, default)
    if not text or not text.isascii():
        raise parse_error(f"{name} must have one or more ASCII characters.")
    return text


_WILDCARD = re.compile(r"(?<!\\)\*")


def find_files(location: str, lake_root: Path) -> list[Path]:
    """The files of a location in the order of their names.

    A location is file:///path or an absolute path of a file, of a folder (with all below it), or
    with wildcards, where * stands for any text, folders included, and \\* for a star. What
    starts with _ or . is left out unless the location itself names it. Raises SqlError for a
    location outside of the lake or without a file.
    """
    root = lake_root.resolve()
    if re.match(r"(?i)(?!file:)[a-z]+://", location):
        raise failure("13807", location)
    text = location.removeprefix("file://")
    wildcard = _WILDCARD.search(text)
    # Wildcards are matched below the folder before the first of them.
    plain = text[: wildcard.start()].rpartition("/")[0] if wildcard else text
    base = Path(plain.replace("\\*", "*"))
    if not base.is_absolute() or not _inside(base, root):
        raise failure("13807b", location, root)
    if base.is_dir():
        rest = text[len(plain) :].lstrip("/") if wildcard else "*"
        paths = sorted(path for path in base.rglob("*") if _matches(path, base, rest))
    else:
        paths = [base] if base.is_file() and not wildcard else []
    if not paths:
        raise failure("13807c", location)
    for path in paths:
        if not _inside(path, root):
            raise failure("13807d", path, root)
    return [path.resolve() for path in paths]


def in_lake(location: str, lake_root: Path, lake_url: str) -> str:
    """The location below `lake_root` that an https location below `lake_url` stands for.

    Any other location comes back as it is. An account's blob and dfs hosts are the same lake.
    """
    if not lake_url:
        return location
    prefix = _dfs(lake_url).rstrip("/") + "/"
    url = _dfs(location)
    if not url.lower().startswith(prefix.lower()):
        return location
    return f"file://{lake_root.resolve()}/{url[len(prefix) :]}"


def _dfs(url: str) -> str:
    return url.replace(".blob.core.windows.net", ".dfs.core.windows.net", 1)


def _matches(path: Path, base: Path, pattern: str) -> bool:
    relative = path.relative_to(base)
    hidden = any(part.startswith(("_", ".")) for part in relative.parts)
    named = any(part.startswith(("_", ".")) for part in pattern.split("/"))
    parts = (re.escape(part.replace("\\*", "*")) for part in _WILDCARD.split(pattern))
    return (
        (named or not hidden)
        and re.fullmatch(".*".join(parts), relative.as_posix()) is not None
        and path.is_file()
    )


def _inside(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root)


def error_folder(location: str, lake_root: Path) -> Path | None:
    """The folder of ERRORFILE: file:///path, or a path from the root of the lake.

    Raises SqlError for a folder outside of the lake.
    """
    if not location:
        return None
    root = lake_root.resolve()
    path = Path(location.removeprefix("file://"))
    if not location.startswith("file://"):
        path = root / location.lstrip("/")
    if "://" in location.removeprefix("file://") or not path.resolve().is_relative_to(root):
        raise failure("13807e", location, root)
    return path


class RejectedRows:
    """The rejected rows of one COPY statement."""

    def __init__(self, max_errors: int, folder: Path | None) -> None:
        self._max_errors = max_errors
        self._folder = folder
        self._started = datetime.datetime.now(tz=datetime.UTC)
        self._rows: list[tuple[str, int, str, str]] = []

    def add(self, file: Path, row: int, text: str, reason: str) -> None:
        """Count a row; `text` is the record as the file has it.

        Raises SqlError with the row's reason for the first one over MAXERRORS.
        """
        self._rows.append((str(file), row, text, reason))
        if len(self._rows) <= self._max_errors:
            return
        self.write()
        if self._max_errors:
            reason = (
                f"Query aborted: the maximum reject threshold ({self._max_errors} rows) was "
                f"reached: {len(self._rows)} rows were rejected; the last one: {reason}"
            )
        raise failure("13812", file, row, reason)

    def write(self) -> None:
        """Write reasons and rows below ERRORFILE; each file is there as a whole or not at all."""
        if self._folder is None or not self._rows:
            return
        folder = self._folder / "_rejectedrows" / self._started.strftime("%Y%m%d-%H%M%S")
        folder.mkdir(parents=True, exist_ok=True)
        prefix = f"QID{os.getpid()}_1_{uuid.uuid4().hex}"
        reasons = "".join(f"{file}, row {row}: {reason}\n" for file, row, _, reason in self._rows)
        _write(folder / f"{prefix}.Error.Txt", reasons)
        _write(folder / f"{prefix}.Row.Txt", "".join(f"{text}\n" for _, _, text, _ in self._rows))


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8", newline="")
    partial.replace(path)
