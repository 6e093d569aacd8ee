"""Typed DuckDB expressions, and the columns that a query's names may mean."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bikecast.core.sql import quoted as quoted
from bikecast.core.sql import text_literal as text_literal
from bikecast.embedded.sql_pool.errors import SqlError, failure
from bikecast.embedded.sql_pool.values.types import SqlType

_aliases = itertools.count(1)


def next_alias() -> str:
    """A DuckDB alias that no other item of a statement has."""
    return f"s{next(_aliases)}"


@dataclass(frozen=True)
class Typed:
    """A DuckDB expression and its SQL Server type; `sql` binds tighter than any operator."""

    sql: str
    type: SqlType
    constant: str | None = None
    """The text of a character constant (or a variable's value), where it is known."""
    ticks: int = 0
    """Hundreds of nanoseconds that a moment made of a constant has beyond its microseconds."""
    not_null: bool = False
    """Whether it is known that no value is NULL; a new table made of it keeps that."""


@dataclass(frozen=True)
class NamedColumn:
    """A column that a name can mean: its T-SQL name, type and the DuckDB expression for it."""

    name: str
    type: SqlType
    sql: str
    not_null: bool = False


def column_value(column: NamedColumn) -> Typed:
    """A column as an expression."""
    return Typed(column.sql, column.type, not_null=column.not_null)


@dataclass(frozen=True)
class Source:
    """An item of a FROM clause: the names that qualify its columns, and the columns."""

    alias: str
    columns: tuple[NamedColumn, ...]
    schema: str | None = None
    """The schema that may stand before the alias; None behind an explicit alias."""

    def nullable(self) -> Source:
        """As the side of an outer join that may be missing."""
        columns = tuple(replace(column, not_null=False) for column in self.columns)
        return replace(self, columns=columns)

    def matches(self, qualifier: str, schema: str | None) -> bool:
        """Whether `schema.qualifier` names this source."""
        if qualifier.lower() != self.alias.lower():
            return False
        return schema is None or (self.schema or "").lower() == schema.lower()


@dataclass(frozen=True)
class BoundQuery:
    """A compiled query: its DuckDB SQL has columns c1, c2, ... in this order."""

    sql: str
    columns: tuple[tuple[str, SqlType], ...]
    not_null: frozenset[int] = frozenset()
    """The places of columns, from 1, of which it is known that no value is NULL."""

    def source(self, alias: str, physical: str, names: tuple[str, ...] = ()) -> Source:
        """The query as a FROM item: `alias` in T-SQL, `physical` in DuckDB.

        Raises SqlError where a column has no name (8155), or two have the same (8156).
        """
        labels = names or tuple(name for name, _ in self.columns)
        if len(labels) != len(self.columns):
            raise failure("8158" if len(self.columns) > len(labels) else "8159", alias)
        lowered: set[str] = set()
        for position, name in enumerate(labels, 1):
            if not name:
                raise failure("8155", position, alias)
            if name.lower() in lowered:
                raise SqlError(8156, f"The column '{name}' was specified multiple times.")
            lowered.add(name.lower())
        columns = tuple(
            NamedColumn(name, type_, f"{physical}.c{position}", position in self.not_null)
            for position, (name, (_, type_)) in enumerate(
                zip(labels, self.columns, strict=True), start=1
            )
        )
        return Source(alias, columns)


@dataclass
class Scope:
    """The names in force at one place of a query; `parent` is the query around it."""

    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    ctes: dict[str, tuple[str, BoundQuery, tuple[str, ...]]] = field(default_factory=dict)
    """By lower-case name: DuckDB name, query, column names."""
    groups: dict[str, str] = field(default_factory=dict)
    """Behind GROUP BY: what stands for an expression of the source, where that is not itself."""

    def add(self, source: Source) -> None:
        """Add a FROM item.

        Raises SqlError 1011 for a repeated alias, 1013 for a table named twice without one.
        """
        for other in self.sources:
            if other.alias.lower() != source.alias.lower() or other.schema != source.schema:
                continue
            if source.schema is not None:
                name = f"{source.schema}.{source.alias}"
                raise failure("1013", name, name)
            raise failure("1011", source.alias)
        self.sources.append(source)

    @contextlib.contextmanager
    def ungrouped(self) -> Iterator[None]:
        """Read the rows of the source, as the argument of an aggregate does."""
        kept, self.groups = self.groups, {}
        try:
            yield
        finally:
            self.groups = kept

    def cte(self, name: str) -> tuple[str, BoundQuery, tuple[str, ...]] | None:
        """The common table expression of that name, here or further out."""
        if name.lower() in self.ctes:
            return self.ctes[name.lower()]
        return self.parent.cte(name) if self.parent is not None else None

    def own_column(self, name: str, qualifier: str | None, schema: str | None) -> str:
        """The alias and name of a column of this query's sources; "" where it has none."""
        for source in self.sources:
            if qualifier is not None and not source.matches(qualifier, schema):
                continue
            for column in source.columns:
                if column.name.lower() == name.lower():
                    return f"{source.alias}.{column.name}"
        return ""

    def column(self, name: str, qualifier: str | None, schema: str | None) -> NamedColumn:
        """The column that a name means, in this query or, correlated, in one around it.

        Raises SqlError 207 (none), 209 (several) or 4104 (unknown qualifier).
        """
        scope: Scope | None = self
        known_qualifier = qualifier is None
        while scope is not None:
            sources = [
                source
                for source in scope.sources
                if qualifier is None or source.matches(qualifier, schema)
            ]
            known_qualifier = known_qualifier or bool(sources)
            columns = [
                column
                for source in sources
                for column in source.columns
                if column.name.lower() == name.lower()
            ]
            if len(columns) > 1:
                raise failure("209", name)
            if columns:
                one = scope.groups.get(columns[0].sql)
                return columns[0] if one is None else replace(columns[0], sql=one)
            if sources and qualifier is not None:
                break
            scope = scope.parent
        if not known_qualifier:
            full = ".".join(part for part in (schema, qualifier, name) if part)
            raise SqlError(4104, f'The multi-part identifier "{full}" could not be bound.')
        raise failure("207", name)
