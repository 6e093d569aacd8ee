"""Names: reserved words, and the pool's database in front: pool.dbo.t and pool..t are dbo.t.

A batch loses them here, before anything reads it, so nothing else knows of databases.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from bikecast.embedded.sql_pool.errors import SqlError, describe, refused
from bikecast.embedded.sql_pool.values.patterns import name_part

_database: ContextVar[str] = ContextVar("database", default="pool")
_NO_NAMES = frozenset((TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.NUMBER))


@dataclass(frozen=True)
class ObjectName:
    """A name of one or two parts; `schema` is dbo where it was left out; # marks a temp table.

    As text it is what was `written`, where that is known.
    """

    name: str
    schema: str = "dbo"
    written: str = field(default="", compare=False)

    @property
    def is_temporary(self) -> bool:
        """True for #name."""
        return self.name.startswith("#")

    @property
    def key(self) -> str:
        """Equal for all ways to write one name."""
        return (self.name if self.is_temporary else f"{self.schema}.{self.name}").lower()

    def __str__(self) -> str:
        if self.written or self.is_temporary:
            return self.written or self.name
        return f"{self.schema}.{self.name}"


def database() -> str:
    """The name of the one database there is: of the pool whose session is at work."""
    return _database.get()


@contextlib.contextmanager
def in_database(name: str) -> Iterator[None]:
    """Let names be read as in the pool of that name."""
    token = _database.set(name)
    try:
        yield
    finally:
        _database.reset(token)


def is_current(name: str) -> bool:
    """Whether a name is that of the database that the session is in."""
    return name.lower() == database().lower()


def named(text: str) -> ObjectName | None:
    """The object that a text names, by one to three parts; None where it names none here."""
    name, schema, owner = (name_part(text, piece) for piece in (1, 2, 3))
    temporary = (owner or "").lower() == "tempdb" and (name or "").startswith("#")
    if not name or name_part(text, 4) or not (owner is None or is_current(owner) or temporary):
        return None
    return ObjectName(name, schema or "dbo")


def cross_database(parts: Sequence[str]) -> SqlError:
    """The error for a name of another database."""
    name = f"The cross-database name {'.'.join(parts)}"
    return refused(name, f"The database here is {database()}.")


def without_database(tokens: list[Token]) -> list[Token]:
    """The tokens without the database in front of names of three parts and more.

    tempdb is the database of temp tables, and of nothing else.
    Raises SqlError for a.. where a is another database.
    """
    result: list[Token] = []
    index = 0
    while index < len(tokens):
        first, following = tokens[index], tokens[index + 1 : index + 4]
        index += 1
        result.append(first)
        if len(following) < 3 or following[0].token_type is not TokenType.DOT:
            continue
        is_inside = len(result) > 1 and result[-2].token_type in (
            TokenType.DOT,
            TokenType.PARAMETER,
        )
        no_schema = following[1].token_type is TokenType.DOT
        if is_inside or first.token_type in _NO_NAMES:
            continue
        last = index + (2 if no_schema else 3)
        if first.text.lower() == "tempdb" and _is_temporary(tokens[last : last + 1]):
            result.pop()
            index = last
            continue
        if no_schema and not is_current(first.text):
            raise cross_database([first.text, "", following[2].text])
        if no_schema:
            place = (first.line, first.col, first.start, first.end)
            result[-1] = Token(TokenType.VAR, "dbo", *place)
            index += 1
        elif is_current(first.text) and following[2].token_type is TokenType.DOT:
            result.pop()
            index += 1
    return result


def _is_temporary(tokens: list[Token]) -> bool:
    return bool(tokens) and tokens[0].text.startswith("#")


def table_name(node: exp.Expression) -> ObjectName:
    """The name that a Table node holds.

    Raises SqlError for a cross-database name.
    """
    if node.args.get("catalog"):
        parts = node.parts if isinstance(node, exp.Table) else [node]
        raise cross_database([part.name for part in parts])
    if not isinstance(node.this, exp.Identifier):
        raise refused(f"The table source {describe(node.this)}")
    if node.this.args.get("global_"):
        raise refused("A global temporary table")
    name, schema = node.this.name, node.args["db"].name if node.args.get("db") else ""
    return ObjectName(name, schema or "dbo", f"{schema}.{name}" if schema else name)


#: https://learn.microsoft.com/sql/t-sql/language-elements/reserved-keywords-transact-sql
RESERVED = frozenset(Path(__file__).with_name("reserved_words.txt").read_text("utf-8").split())
#: Of these, what the trees hold as names: functions without parentheses, and DEFAULT as a value.
NAMES_OF_VALUES = frozenset(
    "CURRENT_TIMESTAMP CURRENT_USER SESSION_USER SYSTEM_USER USER DEFAULT".split()
)
