"""What the compilers of conditions and functions need of the compiler of expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sqlglot import exp

from bikecast.embedded.sql_pool.expressions.context import Context
from bikecast.embedded.sql_pool.values.scope import BoundQuery, Scope, Typed
from bikecast.embedded.sql_pool.values.types import SqlType


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
