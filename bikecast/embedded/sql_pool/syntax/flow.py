"""The statements of control flow, variables, transactions and EXEC.

Expressions inside are sqlglot trees of the dialect in `dialect`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from bikecast.embedded.sql_pool.syntax.statements import ObjectName, Statement
from bikecast.embedded.sql_pool.values.types import SqlType


@dataclass(frozen=True)
class Declare(Statement):
    """DECLARE: name, type and initial value of each variable."""

    variables: tuple[tuple[str, SqlType, exp.Expression | None], ...]


@dataclass(frozen=True)
class SetVariable(Statement):
    """SET @name = value; a compound operator is already spelled out in the value."""

    name: str
    value: exp.Expression


@dataclass(frozen=True)
class SetOption(Statement):
    """SET NOCOUNT ON and its kin."""

    name: str
    value: str


@dataclass(frozen=True)
class SetIdentityInsert(Statement):
    """SET IDENTITY_INSERT table ON or OFF."""

    table: ObjectName
    on: bool


@dataclass(frozen=True)
class Use(Statement):
    """USE of the database that the session is in."""


@dataclass(frozen=True)
class Block(Statement):
    """BEGIN ... END."""

    body: tuple[Statement, ...]


@dataclass(frozen=True)
class If(Statement):
    """IF ... ELSE."""

    condition: exp.Expression
    then: Statement
    otherwise: Statement | None


@dataclass(frozen=True)
class While(Statement):
    """WHILE."""

    condition: exp.Expression
    body: Statement


@dataclass(frozen=True)
class Jump(Statement):
    """BREAK, CONTINUE or RETURN, which may have a value."""

    kind: str
    value: exp.Expression | None = None


@dataclass(frozen=True)
class TryCatch(Statement):
    """BEGIN TRY ... END TRY BEGIN CATCH ... END CATCH."""

    body: tuple[Statement, ...]
    handler: tuple[Statement, ...]


@dataclass(frozen=True)
class Print(Statement):
    """PRINT."""

    value: exp.Expression


@dataclass(frozen=True)
class Throw(Statement):
    """THROW number, message, state; without arguments it raises the caught error again."""

    arguments: tuple[exp.Expression, ...]


@dataclass(frozen=True)
class RaiseError(Statement):
    """RAISERROR(message, severity, state, argument ...)."""

    arguments: tuple[exp.Expression, ...]


@dataclass(frozen=True)
class Transaction(Statement):
    """BEGIN, COMMIT or ROLLBACK TRANSACTION."""

    action: str


@dataclass(frozen=True)
class Argument:
    """An argument of EXEC, by name or by position."""

    name: str | None
    value: exp.Expression | None
    output: bool = False


@dataclass(frozen=True)
class ExecuteProcedure(Statement):
    """EXEC of a procedure; `status` is the variable that takes its return value.

    `is_bare` is a call by one word alone, which may be a mistyped statement.
    """

    name: ObjectName
    arguments: tuple[Argument, ...]
    status: str | None = None
    is_bare: bool = False


@dataclass(frozen=True)
class ExecuteText(Statement):
    """EXEC('text')."""

    text: exp.Expression
