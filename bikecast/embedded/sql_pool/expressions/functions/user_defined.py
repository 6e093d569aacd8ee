"""Calls of user-defined scalar functions: the body becomes one expression.

DECLARE and SET substitute, IF becomes CASE, WHILE a recursive query over the variables, RETURN
ends; BREAK, or a query that changes something, has no such form and is refused.
"""

# ruff: noqa: S608 # the compiler writes SQL: values are bound

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.catalog.catalog import FUNCTION
from bikecast.embedded.sql_pool.errors import SqlError, failure, refused
from bikecast.embedded.sql_pool.expressions.context import Compiler
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.parser import parse_batch
from bikecast.embedded.sql_pool.values.conversion import assign, cast
from bikecast.embedded.sql_pool.values.scope import Scope, Typed, next_alias
from bikecast.embedded.sql_pool.values.types import NULL, SqlType

MAX_DEPTH = 32
_Body = tuple[st.Statement, ...]
_Values = dict[str, Typed]
"""The variables of a function by lower-case name."""


def call_function(compiler: Compiler, node: exp.Dot) -> Typed:
    """schema.function(arguments)."""
    schema, inner = node.this, node.expression
    if not isinstance(schema, exp.Identifier) or not isinstance(inner, exp.Anonymous):
        raise SqlError(4121, "A user-defined function is called by schema and name.")
    name = st.ObjectName(inner.name, schema.name)
    function = compiler.context.catalog.find(name)
    if function is None or function.type != FUNCTION:
        raise failure("4121", schema.name, name)
    (definition,) = parse_batch(function.definition)
    assert isinstance(definition, st.CreateFunction)  # noqa: S101 # it was stored as one
    if len(inner.expressions) < len(definition.parameters):
        raise failure("313", name)
    if len(inner.expressions) > len(definition.parameters):
        raise failure("8144", name)
    values = {
        parameter.name.lower(): assign(_argument(compiler, item, parameter), parameter.type)
        for parameter, item in zip(definition.parameters, inner.expressions, strict=True)
    }
    context = compiler.context
    outer, context.arguments = context.arguments, values
    context.view_depth += 1
    try:
        if context.view_depth > MAX_DEPTH:
            raise SqlError(217, f"Maximum function nesting level exceeded (limit {MAX_DEPTH}).")
        result = _result(compiler, definition.body, values, definition.returns)
    finally:
        context.arguments = outer
        context.view_depth -= 1
    return result or Typed("NULL", NULL)


def _argument(compiler: Compiler, node: exp.Expression, parameter: st.ParameterDefinition) -> Typed:
    """The value of an argument, or, for DEFAULT, of the parameter."""
    is_default = isinstance(node, exp.Column) and node.sql().upper() == "DEFAULT"
    if is_default and parameter.default is None:
        return Typed("NULL", NULL)
    return compiler.value(parameter.default if is_default and parameter.default else node)


def _result(compiler: Compiler, body: _Body, values: _Values, returns: SqlType) -> Typed | None:
    """The value that the rest of a body returns, with the variables of `values`."""
    context = compiler.context
    inside = compiler.in_scope(Scope())
    for position, statement in enumerate(body):
        context.arguments = values
        rest = body[position + 1 :]
        if isinstance(statement, st.Block):
            return _result(compiler, statement.body + rest, values, returns)
        if isinstance(statement, st.Jump) and statement.kind == "RETURN":
            if statement.value is None:
                raise SqlError(178, "A RETURN statement of a function must have a value.")
            return assign(inside.value(statement.value), returns)
        if isinstance(statement, st.If):
            condition = inside.condition(statement.condition)
            no = (statement.otherwise,) if statement.otherwise is not None else ()
            results = [
                _result(compiler, (*branch, *rest), values, returns) or Typed("NULL", NULL)
                for branch in ((statement.then,), no)
            ]
            return compiler.choose([condition], results)
        values = _after(compiler, statement, values)
    return None


def _after(compiler: Compiler, statement: st.Statement, values: _Values) -> _Values:
    """The variables behind a statement that returns nothing."""
    context = compiler.context
    inside = compiler.in_scope(Scope())
    context.arguments = values
    if isinstance(statement, st.Block):
        for part in statement.body:
            values = _after(compiler, part, values)
    elif isinstance(statement, st.Declare):
        for name, type_, tree in statement.variables:
            value = Typed("NULL", NULL) if tree is None else inside.value(tree)
            values = {**values, name.lower(): assign(value, type_)}
            context.arguments = values
    elif isinstance(statement, st.SetVariable):
        name = statement.name.lower()
        if name not in values:
            raise failure("137", statement.name)
        values = {**values, name: assign(inside.value(statement.value), values[name].type)}
    elif isinstance(statement, st.If):
        condition = inside.condition(statement.condition)
        yes = _after(compiler, statement.then, values)
        no = (
            values if statement.otherwise is None else _after(compiler, statement.otherwise, values)
        )
        values = {
            name: yes[name]
            if yes[name] == no[name]
            else assign(compiler.choose([condition], [yes[name], no[name]]), value.type)
            for name, value in values.items()
        }
    elif isinstance(statement, st.While):
        values = _loop(compiler, statement, values)
    else:
        kind = type(statement).__name__.upper()
        what = statement.kind if isinstance(statement, st.Jump) else kind
        raise refused(f"{what} inside of a function")
    return values


def _loop(compiler: Compiler, statement: st.While, values: _Values) -> _Values:
    """The variables behind WHILE: a row a turn, of which the last one counts."""
    loop = next_alias()
    places = dict(zip(values, (f"v{i}" for i in range(len(values))), strict=True))
    state = {name: Typed(f"{loop}.{places[name]}", v.type) for name, v in values.items()}
    compiler.context.arguments = state
    condition = compiler.in_scope(Scope()).condition(statement.condition)
    following = _after(compiler, statement.body, state)
    first = ", ".join(f"{cast(v.sql, v.type)} AS {places[name]}" for name, v in values.items())
    turn = ", ".join(cast(following[name].sql, v.type) for name, v in values.items())
    row = ", ".join(f"{place} := {loop}.{place}" for place in places.values())
    sql = (
        f"(WITH RECURSIVE {loop} AS (SELECT 0 AS turn, {first} UNION ALL "
        f"SELECT {loop}.turn + 1, {turn} FROM {loop} WHERE {condition}) "
        f"SELECT max_by(struct_pack({row}), {loop}.turn) FROM {loop})"
    )
    return {name: Typed(f"({sql}).{places[name]}", v.type) for name, v in values.items()}
