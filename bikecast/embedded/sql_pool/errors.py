"""SQL Server's error numbers and texts, and the translation of DuckDB's errors into them."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.sql import SqlError as SqlError

if TYPE_CHECKING:
    from sqlglot import exp

PARSE_ERROR = 103010
#: A fault of this engine, which no user should ever see.
INTERNAL_ERROR = 110802
#: Errors of names and types, found before a statement runs: TRY ... CATCH of the same batch or
#: procedure does not see them.
#: https://learn.microsoft.com/sql/t-sql/language-elements/try-catch-transact-sql
BINDING_ERRORS = frozenset(
    int(number)
    for number in (
        "104 107 108 109 110 116 120 121 130 137 141 144 145 147 164 174 189 195 205 206 207 208 "
        "209 213 243 402 529 1011 1033 4104 4108 4109 8117 8120 8121 8127 8155 8156 8158 103010"
    ).split()
)
#: Stands before an error that a function in Python returns; no text of a user's has it.
ERROR_MARK = "\uf8ff"


class Cancelled(BaseException):
    """The client gave the batch up; no CATCH of the batch sees it."""


_is_cancelled: ContextVar[Callable[[], bool] | None] = ContextVar("is_cancelled", default=None)


@contextlib.contextmanager
def interruptible(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Let `look` ask this function, in this thread, while the block runs."""
    token = _is_cancelled.set(is_cancelled)
    try:
        yield
    finally:
        _is_cancelled.reset(token)


def look() -> None:
    """Raise Cancelled where the client has given the batch up; called for every node of a tree."""
    is_cancelled = _is_cancelled.get()
    if is_cancelled is not None and is_cancelled():
        raise Cancelled


def parse_error(message: str, line: int = 1, column: int = 1) -> SqlError:
    """A parse error as a dedicated pool words it."""
    text = f"Parse error at line: {line}, column: {column}: {message}"
    return SqlError(PARSE_ERROR, text, line=line)


def near(text: str, line: int = 1, column: int = 1) -> SqlError:
    """A parse error at the token `text`."""
    return parse_error(f"Incorrect syntax near '{text}'.", line, column)


@dataclass(frozen=True)
class Construct:
    """A row of constructs.tsv: `fate` is runs, refused, missing or foreign."""

    fate: str
    name: str
    page: str = ""
    text: str = ""
    """What to do instead; what of an area runs."""

    @property
    def url(self) -> str:
        """The page that says so, or an empty text."""
        return f"https://learn.microsoft.com/{self.page}" if self.page else ""

    def message(self, what: str, instead: str) -> str:
        """The text of the error for this construct, written as `what`."""
        hint = "".join(f" {text}" for text in dict.fromkeys((instead, self.text)) if text)
        page = f" ({self.url})" if self.page else ""
        return {
            "refused": f"{what} is not supported in a dedicated SQL pool{page}.{hint}",
            "missing": f"{what} is not supported by the embedded SQL pool, although a dedicated "
            f"SQL pool has it{page}.{hint}",
            "foreign": f"{what} is not T-SQL.{hint}",
            "unknown": f"{what} is not supported by the embedded SQL pool; no page says that a "
            f"dedicated SQL pool has it.{hint}",
        }[self.fate]


@functools.cache
def constructs() -> tuple[Construct, ...]:
    """What becomes of every construct that is known; "words: a b" are two of them."""
    text = Path(__file__).with_name("constructs.tsv").read_text(encoding="utf-8")
    rows = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        fate, name, *rest = line.split("\t")
        head, _, words = name.partition(": ")
        space = "" if head == "@@" else " "
        rows += [Construct(fate, f"{head}{space}{word}", *rest) for word in words.split()]
        if not words:
            rows.append(Construct(fate, name, *rest))
    return tuple(rows)


@functools.lru_cache(maxsize=1024)
def construct(what: str) -> Construct | None:
    """The row that a construct, written as `what`, is in."""
    return next((c for c in constructs() if fnmatch.fnmatchcase(what, c.name)), None)


def refused(what: str, instead: str = "") -> SqlError:
    """The error for a construct that does not run; the table of constructs knows the cause."""
    row = construct(what) or Construct("unknown", what)
    return SqlError(PARSE_ERROR, row.message(what, instead))


def refused_words(words: list[str]) -> SqlError | None:
    """The error for a statement that begins with these upper-case words, or None."""
    for count in range(len(words), 0, -1):
        row = construct(" ".join(words[:count]))
        if row is not None and "*" not in row.name:
            return SqlError(PARSE_ERROR, row.message(" ".join(words[: count + 1]).strip(), ""))
    return None


@functools.cache
def _messages() -> dict[str, str]:
    """The texts of messages.tsv by key: the number, and a letter where it has several texts."""
    text = Path(__file__).with_name("messages.tsv").read_text(encoding="utf-8")
    lines = (line.partition("\t") for line in text.splitlines() if not line.startswith("#"))
    return {key: message for key, _, message in lines}


def failure(key: str, *values: object) -> SqlError:
    """The error of a key of messages.tsv with its values."""
    number = int(key.rstrip("bcdefghij"))
    text = _messages()[key].format(*values)
    return SqlError(number, text, severity=11 if number == 3701 else 16)


def marked(error: SqlError) -> str:
    """An error as a text on which casts fail in DuckDB, and which `from_duckdb` reads."""
    return f"[[{error.number}]]{error.message}[[.]]"


def describe(node: exp.Expression) -> str:
    """The beginning of a tree's text, for messages."""
    try:
        return node.sql(dialect="tsql")[:60]
    except ValueError:  # a node of this dialect alone has no generator
        return node.key.upper()


#: Letters that the conversions of `conversion` hide from DuckDB's casts, to be shown again.
HIDDEN_LETTERS = ".eExXbB_nNiI"
_SHOWN = {0xE000 + i: letter for i, letter in enumerate(HIDDEN_LETTERS)}
_RAISED = re.compile(r"\[\[(\d+)\]\](.*?)(?:\[\[\.\]\]|\Z)", re.DOTALL)
_TYPES = {
    "INT8": "tinyint",
    "UINT8": "tinyint",
    "INT16": "smallint",
    "INT32": "int",
    "INT64": "bigint",
    "FLOAT": "real",
    "DOUBLE": "float",
    "DECIMAL": "numeric",
    "INT128": "numeric",
    "BOOL": "bit",
    "DATE": "date",
    "TIMESTAMP": "datetime2",
    "UUID": "uniqueidentifier",
}


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], int, str], ...]:
    """The table of DuckDB's errors: pattern, number, text."""
    text = Path(__file__).with_name("duckdb_errors.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return tuple((re.compile(pattern), int(number), message) for number, pattern, message in rows)


def duckdb_text(error: BaseException | None) -> str:
    """The text of an error of DuckDB, with the letters that conversions hide."""
    return str(error).translate(_SHOWN)


def from_duckdb(error: Exception) -> SqlError:
    """The SqlError that stands for an error of DuckDB (which a user never sees)."""
    text = duckdb_text(error)
    raised_here = _RAISED.search(text)
    if raised_here:
        return SqlError(int(raised_here[1]), raised_here[2].split("\n\nLINE")[0].strip())
    for pattern, number, message in _patterns():
        match = pattern.search(text)
        if match:
            groups = {key: value for key, value in match.groupdict().items() if value}
            if number == 232:
                groups["value"] = f"{float(groups['value']):f}"
            name = groups.get("type") or groups.get("type2") or "int"
            groups["type"] = _TYPES.get(name, name.lower())
            text = message.format(**groups)
            return refused(text) if number == PARSE_ERROR else SqlError(number, text)
    first_line = text.split("\n", 1)[0]
    return SqlError(
        INTERNAL_ERROR, f"An internal error occurred in the embedded SQL pool: {first_line}"
    )
