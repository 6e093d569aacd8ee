"""What a compiler needs: of the session (catalog, variables, models), and of other compilers."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sqlglot import exp

from bikecast.embedded.sql_pool.catalog.catalog import Catalog
from bikecast.embedded.sql_pool.errors import failure
from bikecast.embedded.sql_pool.predict.scorers import Scorers
from bikecast.embedded.sql_pool.values.scope import BoundQuery, Scope, Typed
from bikecast.embedded.sql_pool.values.types import SqlType


@dataclass
class Variable:
    """A variable of a batch: its type and its value as DuckDB takes and returns it."""

    type: SqlType
    value: object = None


def declared(variables: dict[str, Variable], name: str) -> Variable:
    """The variable @name of those by lower-case name.

    Raises SqlError 137 where there is none.
    """
    variable = variables.get(name.lower())
    if variable is None:
        raise failure("137", name)
    return variable


@dataclass
class Context:
    """Shared by all compiler steps of one statement.

    `parameters` collects the values that the compiled SQL refers to as $name.
    """

    catalog: Catalog
    variables: dict[str, Variable]
    server: dict[str, tuple[object, SqlType]]
    """Values of @@NAME and of functions such as ERROR_NUMBER, by upper-case name."""
    scorers: Scorers
    run_scalar: Callable[[BoundQuery, dict[str, object]], object]
    """Run a query of one row and column now, in the current transaction."""
    parameters: dict[str, object] = field(default_factory=dict)
    now: datetime.datetime = field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    )
    """One moment for all clocks of a statement; DuckDB's now() is the transaction's start."""
    view_depth: int = 0
    _bound: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, Typed] | None = None
    """The variables of the user-defined function whose body is compiled, by lower-case name."""

    def variable(self, name: str) -> Typed:
        """A reference to @name.

        Raises SqlError 137 where it is not declared.
        """
        if self.arguments is not None:
            if name.lower() not in self.arguments:
                raise failure("137", name)
            return self.arguments[name.lower()]
        variable = declared(self.variables, name)
        constant = (
            variable.value if variable.type.is_text and isinstance(variable.value, str) else None
        )
        # One name for all places, so that an expression with a variable can be grouped by.
        bound = self._bound.get(name.lower(), "")
        if bound not in self.parameters or self.parameters[bound] is not variable.value:
            bound = self._bound[name.lower()] = f"bound_{len(self.parameters)}_"
            self.parameters[bound] = variable.value
        return Typed(f"CAST(${bound} AS {variable.type.duckdb})", variable.type, constant)

    def bind(self, value: object, type_: SqlType, *, is_list: bool = False) -> str:
        """A DuckDB expression for a Python value, or a list of them: it never becomes SQL text."""
        name = f"bound_{len(self.parameters)}_"
        self.parameters[name] = value
        return f"CAST(${name} AS {type_.duckdb}{'[]' if is_list else ''})"


class Compiler(Protocol):
    """Compiles the expressions of one scope."""

    context: Context
    scope: Scope

    def value(self, node: exp.Expression) -> Typed:
        """Compile an expression that yields a value."""

    def condition(self, node: exp.Expression) -> str:
        """Compile a condition."""

    def subquery(self, node: exp.Expression) -> BoundQuery:
        """Compile a query in parentheses; it sees this scope's columns."""

    def arguments(self, node: exp.Expression, least: int, most: int) -> list[exp.Expression]:
        """The arguments of a function call.

        Raises SqlError 174 or 189 where there are fewer than `least` or more than `most`.
        """

    def unify(self, values: list[Typed]) -> SqlType:
        """The common type of several values."""

    def choose(self, conditions: list[str], results: list[Typed]) -> Typed:
        """CASE over typed results; the last result is the ELSE."""

    def in_scope(self, scope: Scope) -> Compiler:
        """A compiler of the same statement for another scope."""


#: Compiles a query in a scope.
CompileQuery = Callable[[exp.Expression, Scope], BoundQuery]
#: Compiles a call of a function of T-SQL.
Function = Callable[[Compiler, exp.Expression], Typed]
