"""What a SQL pool answers (result sets, errors with SQL Server's numbers), and quotes of SQL."""

from __future__ import annotations

from dataclasses import dataclass

from bikecast.core.errors import BikecastError


def quoted(name: str) -> str:
    """A name as an identifier of DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(value: str) -> str:
    """A text as a constant of SQL."""
    return "'" + value.replace("'", "''") + "'"


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result set; `sql_type` is SQL Server's name of the type."""

    name: str
    sql_type: str


def result_columns(text: str) -> tuple[ResultColumn, ...]:
    """The columns of a result, each as NAME:type, with blanks between them."""
    return tuple(ResultColumn(*item.split(":")) for item in text.split())


@dataclass(frozen=True)
class ResultSet:
    """One result set: columns, and rows as tuples of Python values (None for NULL)."""

    columns: tuple[ResultColumn, ...]
    rows: list[tuple[object, ...]]

    def as_dicts(self) -> list[dict[str, object]]:
        """The rows as dicts by column name."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


class SqlError(BikecastError):
    """An error of the pool with SQL Server's number (103010 for a parse error)."""

    def __init__(
        self, number: int, message: str, *, line: int = 0, state: int = 1, severity: int = 16
    ) -> None:
        super().__init__(message)
        self.number = number
        self.message = message
        self.line = line
        self.state = state
        self.severity = severity

    def __str__(self) -> str:
        return f"Msg {self.number}: {self.message}"
