"""The statements of a batch, control flow included, as the parser hands them to the executor.

Queries and expressions inside are sqlglot trees of the dialect in `dialect`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import dataclass_transform

from sqlglot import exp

from bikecast.embedded.sql_pool.syntax.names import ObjectName as ObjectName
from bikecast.embedded.sql_pool.syntax.names import table_name as table_name
from bikecast.embedded.sql_pool.values.types import SqlType


@dataclass_transform(frozen_default=True)
@dataclass(frozen=True)
class Statement:
    """Base of all statements, which are frozen dataclasses."""

    line: int

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True)(cls)


class Query(Statement):
    """SELECT, UNION and their kin; an assignment to variables too."""

    tree: exp.Expression


class Insert(Statement):
    """INSERT INTO with VALUES or a query."""

    tree: exp.Expression

    @property
    def target(self) -> tuple[exp.Expression, list[str] | None]:
        """The table, and the columns that are named."""
        target = self.tree.this
        if isinstance(target, exp.Schema):
            return target.this, [item.name for item in target.expressions]
        return target, None

    @property
    def values(self) -> list[exp.Expression]:
        """The items of VALUES' first row, or of a SELECT."""
        source = self.tree.expression
        if isinstance(source, exp.Values):
            row = source.expressions[0]
            return row.expressions if isinstance(row, exp.Tuple) else [row]
        return source.expressions if isinstance(source, exp.Select) else []


@dataclass(frozen=True)
class Assignment:
    """column = value of SET; the value DEFAULT is a Var."""

    column: str
    value: exp.Expression


class Update(Statement):
    """UPDATE; `rows` is SELECT * with its FROM, WHERE and OPTION, `target` a table or an alias."""

    target: ObjectName
    changes: tuple[Assignment, ...]
    rows: exp.Select | None = None
    top: exp.Expression | None = None


class Delete(Statement):
    """DELETE; `rows` and `target` as in Update."""

    target: ObjectName
    rows: exp.Select | None = None
    top: exp.Expression | None = None


@dataclass(frozen=True)
class MergeBranch:
    """WHEN `kind` [AND condition] THEN `action`."""

    kind: str
    action: str
    condition: exp.Expression | None = None
    changes: tuple[Assignment, ...] = ()
    names: tuple[str, ...] | None = None
    values: tuple[exp.Expression, ...] = ()


class Merge(Statement):
    """MERGE; `source` is SELECT * FROM the source."""

    target: ObjectName
    alias: str
    source: exp.Select
    condition: exp.Expression
    branches: tuple[MergeBranch, ...]


@dataclass(frozen=True)
class KeyConstraint:
    """PRIMARY KEY (`kind` is PK) or UNIQUE (UQ), never enforced; without a name it gets one."""

    kind: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ColumnDefinition:
    """One column of CREATE TABLE; `default_text` is a constant in T-SQL, or empty."""

    name: str
    type: SqlType
    nullable: bool = True
    default_text: str = ""
    identity: tuple[int, int] | None = None
    """Seed and increment of IDENTITY."""
    default_name: str = ""
    """The name that CONSTRAINT gives the default."""
    null_given: bool = False
    """Whether NULL is written, so that the column can be in no primary key."""
    keys: tuple[KeyConstraint, ...] = ()


@dataclass(frozen=True)
class TableOptions:
    """The WITH clause of CREATE TABLE, checked; they change no result, so they are kept as text."""

    distribution: str = ""
    index: str = ""
    hash_columns: tuple[str, ...] = ()
    index_columns: tuple[str, ...] = ()
    descending: tuple[str, ...] = ()
    partition_column: str = ""


class CreateTable(Statement):
    """CREATE TABLE, or CTAS where `query` is set."""

    name: ObjectName
    columns: tuple[ColumnDefinition, ...] = ()
    options: TableOptions = field(default_factory=TableOptions)
    query: exp.Expression | None = None
    column_names: tuple[str, ...] = ()
    keys: tuple[KeyConstraint, ...] = ()


class AlterTable(Statement):
    """ALTER TABLE; `action` is ADD, ADD DEFAULT, ADD KEY, ALTER COLUMN, DROP COLUMN or DROP
    CONSTRAINT."""

    name: ObjectName
    action: str
    columns: tuple[ColumnDefinition, ...] = ()
    names: tuple[str, ...] = ()
    label: str = ""
    text: str = ""
    if_exists: bool = False
    key: KeyConstraint | None = None


class TableNote(Statement):
    """CREATE, UPDATE or DROP of an index or of statistics; `kind` is indexes or statistics."""

    table: ObjectName
    kind: str
    name: str
    columns: tuple[str, ...]
    descending: tuple[str, ...] = ()
    update: bool = False
    drop: bool = False
    if_exists: bool = False


@dataclass(frozen=True)
class ParameterDefinition:
    """A parameter of a procedure or a function."""

    name: str
    type: SqlType
    output: bool = False
    default: exp.Expression | None = None


class CreateFunction(Statement):
    """CREATE FUNCTION of a scalar function; `text` is the whole definition."""

    name: ObjectName
    text: str
    parameters: tuple[ParameterDefinition, ...]
    returns: SqlType
    body: tuple[Statement, ...]
    alter: bool = False


class CreateView(Statement):
    """CREATE VIEW or ALTER VIEW; `text` is the query's T-SQL, `definition` the whole batch."""

    name: ObjectName
    columns: tuple[str, ...]
    text: str
    alter: bool = False
    definition: str = ""


class CreateProcedure(Statement):
    """CREATE PROCEDURE or ALTER PROCEDURE; `text` is the whole definition."""

    name: ObjectName
    text: str
    parameters: tuple[ParameterDefinition, ...]
    body: tuple[Statement, ...]
    alter: bool = False


class CreateSchema(Statement):
    """CREATE SCHEMA name AUTHORIZATION owner."""

    name: str
    owner: str = "dbo"


class Drop(Statement):
    """DROP TABLE, VIEW, PROCEDURE or SCHEMA."""

    kind: str
    names: tuple[ObjectName, ...]
    if_exists: bool


class Truncate(Statement):
    """TRUNCATE TABLE."""

    name: ObjectName


class Rename(Statement):
    """RENAME OBJECT name TO new_name."""

    name: ObjectName
    new_name: str


class Transfer(Statement):
    """ALTER SCHEMA schema TRANSFER name."""

    name: ObjectName
    schema: str


@dataclass(frozen=True)
class CopyColumn:
    """An entry of COPY INTO's column list; `field` counts from 1."""

    name: str
    field: int | None = None
    default: exp.Expression | None = None


class CopyInto(Statement):
    """COPY INTO; `options` by upper-case name, values as text."""

    name: ObjectName
    columns: tuple[CopyColumn, ...]
    locations: tuple[str, ...]
    options: dict[str, str]


class Declare(Statement):
    """DECLARE: name, type and initial value of each variable."""

    variables: tuple[tuple[str, SqlType, exp.Expression | None], ...]


class SetVariable(Statement):
    """SET @name = value; a compound operator is already spelled out in the value."""

    name: str
    value: exp.Expression


class SetOption(Statement):
    """SET NOCOUNT ON and its kin."""

    name: str
    value: str


class SetIdentityInsert(Statement):
    """SET IDENTITY_INSERT table ON or OFF."""

    table: ObjectName
    on: bool


class Use(Statement):
    """USE of the database that the session is in."""


class Block(Statement):
    """BEGIN ... END."""

    body: tuple[Statement, ...]


class If(Statement):
    """IF ... ELSE."""

    condition: exp.Expression
    then: Statement
    otherwise: Statement | None


class While(Statement):
    """WHILE."""

    condition: exp.Expression
    body: Statement


class Jump(Statement):
    """BREAK, CONTINUE or RETURN, which may have a value."""

    kind: str
    value: exp.Expression | None = None


class TryCatch(Statement):
    """BEGIN TRY ... END TRY BEGIN CATCH ... END CATCH."""

    body: tuple[Statement, ...]
    handler: tuple[Statement, ...]


class Print(Statement):
    """PRINT."""

    value: exp.Expression


class Throw(Statement):
    """THROW number, message, state; without arguments it raises the caught error again."""

    arguments: tuple[exp.Expression, ...]


class RaiseError(Statement):
    """RAISERROR(message, severity, state, argument ...)."""

    arguments: tuple[exp.Expression, ...]


class Transaction(Statement):
    """BEGIN, COMMIT or ROLLBACK TRANSACTION."""

    action: str


@dataclass(frozen=True)
class Argument:
    """An argument of EXEC, by name or by position."""

    name: str | None
    value: exp.Expression | None
    output: bool = False


class ExecuteProcedure(Statement):
    """EXEC of a procedure; `status` is the variable that takes its return value.

    `is_bare` is a call by one word alone, which may be a mistyped statement.
    """

    name: ObjectName
    arguments: tuple[Argument, ...]
    status: str | None = None
    is_bare: bool = False


class ExecuteText(Statement):
    """EXEC('text')."""

    text: exp.Expression
