"""Conditions: comparison, LIKE, IN, BETWEEN, EXISTS, ANY and ALL (T-SQL keeps them from values)."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import describe, failure, near
from bikecast.embedded.sql_pool.expressions.context import Compiler
from bikecast.embedded.sql_pool.syntax.profile import only
from bikecast.embedded.sql_pool.values.operators import (
    comparable_type,
    comparison,
    convert_compared,
    like,
)
from bikecast.embedded.sql_pool.values.scope import Typed

_COMPARISONS: dict[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}


def compile_condition(compiler: Compiler, node: exp.Expression) -> str:
    """Compile a condition (T-SQL keeps conditions and values apart)."""
    operator = _COMPARISONS.get(type(node))
    if operator:
        only(node, "this", "expression")
        if isinstance(node.expression, exp.All | exp.Any):
            return _quantified(compiler, node, operator)
        return comparison(operator, compiler.value(node.this), compiler.value(node.expression))
    compile_node = _CONDITIONS.get(type(node))
    if compile_node is None:
        raise failure("4145", describe(node))
    return compile_node(compiler, node)


def _logic(compiler: Compiler, node: exp.And | exp.Or) -> str:
    only(node, "this", "expression")
    left = compile_condition(compiler, node.this)
    return f"({left} {node.key.upper()} {compile_condition(compiler, node.expression)})"


def _not(compiler: Compiler, node: exp.Not) -> str:
    return f"(NOT {compile_condition(compiler, node.this)})"


def _is(compiler: Compiler, node: exp.Is) -> str:
    if not isinstance(node.expression, exp.Null):
        raise near("IS")
    return f"({compiler.value(node.this).sql} IS NULL)"


def _in(compiler: Compiler, node: exp.In) -> str:
    only(node, "this", "expressions", "query")
    if node.args.get("query") is not None:
        return _with_query(compiler, node.this, "IN", node.args["query"])
    subject = compiler.value(node.this)
    if not node.expressions:
        raise near(")")
    items = [comparison("=", subject, compiler.value(item)) for item in node.expressions]
    return "(" + " OR ".join(items) + ")"


def _quantified(compiler: Compiler, node: exp.Expression, operator: str) -> str:
    """value operator ALL (query), or ANY, which is SOME."""
    only(node.expression, "this")
    word = "ALL" if isinstance(node.expression, exp.All) else "ANY"
    if not isinstance(node.expression.this, exp.Select | exp.Subquery | exp.SetOperation):
        raise near(word)
    return _with_query(compiler, node.this, f"{operator} {word}", node.expression.this)


def _with_query(
    compiler: Compiler, node: exp.Expression, operator: str, query_node: exp.Expression
) -> str:
    """A value compared with the rows of a query, by IN or by an operator and ALL or ANY."""
    subject, query = compiler.value(node), compiler.subquery(query_node)
    if len(query.columns) != 1:
        raise failure("116")
    inner = Typed("q.c1", query.columns[0][1])
    type_ = comparable_type(subject.type, inner.type)
    left, right = convert_compared(subject, type_), convert_compared(inner, type_)
    return f"({left} {operator} (SELECT {right} FROM ({query.sql}) AS q))"


def _between(compiler: Compiler, node: exp.Between) -> str:
    only(node, "this", "low", "high")
    subject = compiler.value(node.this)
    low = comparison(">=", subject, compiler.value(node.args["low"]))
    return f"({low} AND {comparison('<=', subject, compiler.value(node.args['high']))})"


def _like(compiler: Compiler, node: exp.Like, escape: str | None = None) -> str:
    only(node, "this", "expression", "negate")
    condition = like(compiler.value(node.this), compiler.value(node.expression), escape)
    return f"(NOT {condition})" if node.args.get("negate") else condition


def _escape(compiler: Compiler, node: exp.Escape) -> str:
    character = compiler.value(node.expression).constant
    if not isinstance(node.this, exp.Like) or character is None:
        raise near("ESCAPE")
    if len(character) != 1:
        raise failure("506", character)
    return _like(compiler, node.this, character)


def _exists(compiler: Compiler, node: exp.Exists) -> str:
    return f"EXISTS ({compiler.subquery(node.this).sql})"


_CONDITIONS: dict[type[exp.Expression], Callable[..., str]] = {
    exp.And: _logic,
    exp.Or: _logic,
    exp.Not: _not,
    exp.Paren: lambda compiler, node: compile_condition(compiler, node.this),
    exp.Is: _is,
    exp.In: _in,
    exp.Between: _between,
    exp.Like: _like,
    exp.Escape: _escape,
    exp.Exists: _exists,
}
#: The nodes that are conditions, or, in parentheses, may be.
CONDITIONS = frozenset(_CONDITIONS) | frozenset(_COMPARISONS)
