"""Calls of user-defined scalar functions: the body becomes one expression.

DECLARE and SET substitute, IF becomes CASE, RETURN ends; a loop or a query that changes something
has no such form and is refused.
"""

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.catalog.catalog import FUNCTION
from bikecast.embedded.sql_pool.errors import SqlError, not_emulated, undeclared
from bikecast.embedded.sql_pool.expressions.protocol import Compiler
from bikecast.embedded.sql_pool.syntax import flow
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.parser import parse_batch
from bikecast.embedded.sql_pool.values.conversion import assign
from bikecast.embedded.sql_pool.values.scope import Scope, Typed
from bikecast.embedded.sql_pool.values.types import NULL, SqlType

MAX_DEPTH = 32
_Body = tuple[st.Statement, ...]


def call_function(compiler: Compiler, node: exp.Dot) -> Typed:
    """schema.function(arguments)."""
    schema, inner = node.this, node.expression
    if not isinstance(schema, exp.Identifier) or not isinstance(inner, exp.Anonymous):
        raise SqlError(4121, "A user-defined function is called by schema and name.")
    name = st.ObjectName(inner.name, schema.name)
    function = compiler.context.catalog.find(name)
    if function is None or function.type != FUNCTION:
        raise SqlError(
            4121,
            f'Cannot find either column "{schema.name}" or the user-defined function or aggregate '
            f'"{name}", or the name is ambiguous.',
        )
    (definition,) = parse_batch(function.definition)
    assert isinstance(definition, st.CreateFunction)  # noqa: S101 # it was stored as one
    if len(inner.expressions) < len(definition.parameters):
        raise SqlError(
            313,
            "An insufficient number of arguments were supplied for the procedure or function "
            f"{name}.",
        )
    if len(inner.expressions) > len(definition.parameters):
        raise SqlError(8144, f"Procedure or function {name} has too many arguments specified.")
    values = {
        parameter.name.lower(): assign(compiler.value(item), parameter.type)
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


def _result(
    compiler: Compiler, body: _Body, values: dict[str, Typed], returns: SqlType
) -> Typed | None:
    """The value that the rest of a body returns, with the variables of `values`."""
    context = compiler.context
    inside = compiler.in_scope(Scope())
    for position, statement in enumerate(body):
        context.arguments = values
        rest = body[position + 1 :]
        if isinstance(statement, flow.Block):
            return _result(compiler, statement.body + rest, values, returns)
        if isinstance(statement, flow.Declare):
            for name, type_, tree in statement.variables:
                value = Typed("NULL", NULL) if tree is None else inside.value(tree)
                values = {**values, name.lower(): assign(value, type_)}
                context.arguments = values
        elif isinstance(statement, flow.SetVariable):
            name = statement.name.lower()
            if name not in values:
                raise undeclared(statement.name)
            values = {**values, name: assign(inside.value(statement.value), values[name].type)}
        elif isinstance(statement, flow.Jump) and statement.kind == "RETURN":
            if statement.value is None:
                raise SqlError(178, "A RETURN statement of a function must have a value.")
            return assign(inside.value(statement.value), returns)
        elif isinstance(statement, flow.If):
            condition = inside.condition(statement.condition)
            no = (statement.otherwise,) if statement.otherwise is not None else ()
            results = [
                _result(compiler, (*branch, *rest), values, returns) or Typed("NULL", NULL)
                for branch in ((statement.then,), no)
            ]
            return compiler.choose([condition], results)
        else:
            raise not_emulated(f"{type(statement).__name__.upper()} inside of a function")
    return None
