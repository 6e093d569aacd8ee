"""ISJSON, JSON_VALUE, JSON_QUERY and JSON_MODIFY.

Source: https://learn.microsoft.com/sql/t-sql/functions/json-functions-transact-sql
"""

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import invalid_argument
from bikecast.embedded.sql_pool.expressions.protocol import Compiler, Function
from bikecast.embedded.sql_pool.values.conversion import convert
from bikecast.embedded.sql_pool.values.scope import Typed
from bikecast.embedded.sql_pool.values.types import (
    APPROXIMATE,
    INT,
    INTEGERS,
    MAX,
    SqlType,
    nvarchar,
)

#: Functions whose text JSON_MODIFY takes for JSON.
_JSON = frozenset({"JSON_QUERY", "JSON_MODIFY"})
_TEXTS = frozenset({"char", "varchar", "nchar", "nvarchar"})
_NEW_VALUES = _TEXTS | frozenset(INTEGERS) | frozenset(APPROXIMATE) | {"bit", "decimal", "null"}
_SCIENTIFIC = 2
"""The style of CONVERT that writes a float with 16 digits, as JSON_MODIFY does."""


def _argument(value: Typed, place: int, function: str, types: frozenset[str]) -> Typed:
    """An argument of one of these types.

    Raises SqlError 8116 for any other.
    """
    if value.type.name not in types:
        name = "NULL" if value.type.name == "null" else value.type.name
        raise invalid_argument(name, place, function)
    return value


def _call(macro: str, function: str, type_: SqlType, path: str = "") -> Function:
    """A function of a text and a path; `path` is what the path is where it is left out."""
    most = 2 if function != "isjson" else 1
    least = 1 if path or most == 1 else 2

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        values = [compiler.value(item) for item in compiler.arguments(node, least, most)]
        texts = [_argument(values[0], 1, function, _TEXTS | {"null"})]
        texts += [_argument(value, 2, function, _TEXTS) for value in values[1:]]
        arguments = [convert(text, nvarchar(MAX)).sql for text in texts]
        if len(arguments) < most:
            arguments.append(path)
        return Typed(f"{macro}({', '.join(arguments)})", type_)

    return compile_call


def _modify(compiler: Compiler, node: exp.Expression) -> Typed:
    """JSON_MODIFY; numbers and bits stay such, and a text is quoted unless it is known as JSON."""
    nodes = compiler.arguments(node, 3, 3)
    text, path, new = (compiler.value(item) for item in nodes)
    _argument(text, 1, "json_modify", _TEXTS | {"null"})
    _argument(path, 2, "json_modify", _TEXTS)
    _argument(new, 3, "json_modify", _NEW_VALUES)
    type_ = nvarchar(MAX)
    if new.type.name == "bit":
        value = f"CAST({new.sql} AS VARCHAR)"
    else:
        value = convert(new, type_, _SCIENTIFIC if new.type.name in APPROXIMATE else None).sql
    quoted = new.type.is_text and not _is_json(nodes[2])
    arguments = f"{convert(text, type_).sql}, {convert(path, type_).sql}, {value}"
    return Typed(f"tsql_json_modify({arguments}, {str(quoted).lower()})", type_)


def _is_json(node: exp.Expression) -> bool:
    while isinstance(node, exp.Paren):
        node = node.this
    return isinstance(node, exp.Anonymous) and node.name.upper() in _JSON


JSON_FUNCTIONS: dict[str, Function] = {
    "ISJSON": _call("tsql_is_json", "isjson", INT),
    "JSON_VALUE": _call("tsql_json_value", "json_value", nvarchar(4000)),
    "JSON_QUERY": _call("tsql_json_query", "json_query", nvarchar(MAX), "'$'"),
    "JSON_MODIFY": _modify,
}
