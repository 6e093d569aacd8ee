"""Conditions: comparison, LIKE, IN, BETWEEN, EXISTS, ANY and ALL (T-SQL keeps them from values)."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, describe, near
from bikecast.embedded.sql_pool.syntax.profile import only
from bikecast.embedded.sql_pool.values.operators import (
    comparable_type,
    comparison,
    convert_compared,
    like,
)
from bikecast.embedded.sql_pool.values.scope import Typed

if TYPE_CHECKING:
    from bikecast.embedded.sql_pool.values.scope import BoundQuery

COMPARISONS: dict[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}


class Conditions(ABC):
    """The conditions of one scope; the values in them are compiled by the class on top."""

    _conditions: dict[type, Callable[..., str]]

    @abstractmethod
    def value(self, node: exp.Expression) -> Typed:
        """Compile an expression that yields a value."""

    @abstractmethod
    def subquery(self, node: exp.Expression) -> BoundQuery:
        """Compile a query in parentheses."""

    def condition_table(self) -> dict[type, Callable[..., str]]:
        """The methods by the kind of node that they compile."""
        return {
            exp.And: lambda node: self._logic(node, "AND"),
            exp.Or: lambda node: self._logic(node, "OR"),
            exp.Not: self._not,
            exp.Paren: lambda node: self.condition(node.this),
            exp.Is: self._is,
            exp.In: self._in,
            exp.Between: self._between,
            exp.Like: lambda node: self._like(node, None),
            exp.Escape: self._escape,
            exp.Exists: self._exists,
        }

    def condition(self, node: exp.Expression) -> str:
        """Compile a condition (T-SQL keeps conditions and values apart)."""
        operator = COMPARISONS.get(type(node))
        if operator:
            only(node, "this", "expression")
            if isinstance(node.expression, exp.All | exp.Any):
                return self._quantified(node, operator)
            return comparison(operator, self.value(node.this), self.value(node.expression))
        compile_node = self._conditions.get(type(node))
        if compile_node is None:
            raise SqlError(
                4145,
                "An expression of non-boolean type specified in a context where a condition is "
                f"expected, near '{describe(node)}'.",
            )
        return compile_node(node)

    def _logic(self, node: exp.Expression, word: str) -> str:
        only(node, "this", "expression")
        return f"({self.condition(node.this)} {word} {self.condition(node.expression)})"

    def _not(self, node: exp.Not) -> str:
        return f"(NOT {self.condition(node.this)})"

    def _is(self, node: exp.Is) -> str:
        if not isinstance(node.expression, exp.Null):
            raise near("IS")
        return f"({self.value(node.this).sql} IS NULL)"

    def _in(self, node: exp.In) -> str:
        only(node, "this", "expressions", "query")
        subject = self.value(node.this)
        if node.args.get("query") is not None:
            query = self.subquery(node.args["query"])
            if len(query.columns) != 1:
                raise SqlError(116, "Only one expression can be specified in the select list.")
            inner = Typed("q.c1", query.columns[0][1])
            kind = comparable_type(subject.type, inner.type)
            left, right = convert_compared(subject, kind), convert_compared(inner, kind)
            return f"({left} IN (SELECT {right} FROM ({query.sql}) AS q))"
        if not node.expressions:
            raise near(")")
        items = [comparison("=", subject, self.value(item)) for item in node.expressions]
        return "(" + " OR ".join(items) + ")"

    def _quantified(self, node: exp.Expression, operator: str) -> str:
        """value operator ALL (query), or ANY, which is SOME."""
        only(node.expression, "this")
        word = "ALL" if isinstance(node.expression, exp.All) else "ANY"
        if not isinstance(node.expression.this, exp.Select | exp.Subquery | exp.SetOperation):
            raise near(word)
        subject, query = self.value(node.this), self.subquery(node.expression.this)
        if len(query.columns) != 1:
            raise SqlError(116, "Only one expression can be specified in the select list.")
        inner = Typed("q.c1", query.columns[0][1])
        kind = comparable_type(subject.type, inner.type)
        left, right = convert_compared(subject, kind), convert_compared(inner, kind)
        return f"({left} {operator} {word} (SELECT {right} FROM ({query.sql}) AS q))"

    def _between(self, node: exp.Between) -> str:
        only(node, "this", "low", "high")
        subject = self.value(node.this)
        low = comparison(">=", subject, self.value(node.args["low"]))
        return f"({low} AND {comparison('<=', subject, self.value(node.args['high']))})"

    def _like(self, node: exp.Like, escape: str | None) -> str:
        only(node, "this", "expression", "negate")
        found = like(self.value(node.this), self.value(node.expression), escape)
        return f"(NOT {found})" if node.args.get("negate") else found

    def _escape(self, node: exp.Escape) -> str:
        character = self.value(node.expression).constant
        if not isinstance(node.this, exp.Like) or character is None:
            raise near("ESCAPE")
        if len(character) != 1:
            raise SqlError(
                506,
                f'The invalid escape character "{character}" was specified in a LIKE predicate.',
            )
        return self._like(node.this, character)

    def _exists(self, node: exp.Exists) -> str:
        return f"EXISTS ({self.subquery(node.this).sql})"
