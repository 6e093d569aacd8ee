"""Built-in scalar functions by T-SQL name. A function that is not here does not exist.

Source: https://learn.microsoft.com/sql/t-sql/functions/functions
"""

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, failure, refused
from bikecast.embedded.sql_pool.expressions.context import Compiler, Function
from bikecast.embedded.sql_pool.expressions.functions.dates import DATE_FUNCTIONS, ZONE_FUNCTIONS
from bikecast.embedded.sql_pool.expressions.functions.metadata import METADATA_FUNCTIONS
from bikecast.embedded.sql_pool.expressions.functions.numbers import MATH_FUNCTIONS
from bikecast.embedded.sql_pool.expressions.functions.templates import template
from bikecast.embedded.sql_pool.expressions.functions.text import TEXT_FUNCTIONS
from bikecast.embedded.sql_pool.values.conversion import assign, convert
from bikecast.embedded.sql_pool.values.operators import comparison, equality_key
from bikecast.embedded.sql_pool.values.scope import Typed
from bikecast.embedded.sql_pool.values.types import (
    APPROXIMATE,
    FLOAT,
    INT,
    INTEGERS,
    MAX,
    SqlType,
    nvarchar,
    varbinary,
)


def _is_null(compiler: Compiler, node: exp.Expression) -> Typed:
    first, second = (compiler.value(item) for item in compiler.arguments(node, 2, 2))
    type_ = second.type if first.type.name == "null" else first.type
    sql = f"coalesce({convert(first, type_).sql}, {assign(second, type_).sql})"
    return Typed(sql, type_, not_null=first.not_null or second.not_null)


def _coalesce(compiler: Compiler, node: exp.Expression) -> Typed:
    values = [compiler.value(item) for item in compiler.arguments(node, 2, 1000)]
    type_ = compiler.unify(values)
    if type_.name == "null":
        raise SqlError(4127, "At least one of the arguments to COALESCE must not be NULL.")
    return Typed(f"coalesce({', '.join(assign(v, type_).sql for v in values)})", type_)


def _null_if(compiler: Compiler, node: exp.Expression) -> Typed:
    first, second = (compiler.value(item) for item in compiler.arguments(node, 2, 2))
    if first.type.name == "null":
        raise failure("4151")
    equal = comparison("=", first, second)
    return Typed(f"(CASE WHEN {equal} THEN NULL ELSE {first.sql} END)", first.type)


def _iif(compiler: Compiler, node: exp.Expression) -> Typed:
    test, yes, no = compiler.arguments(node, 3, 3)
    condition = compiler.condition(test)
    return compiler.choose([condition], [compiler.value(yes), compiler.value(no)])


def _grouping(compiler: Compiler, node: exp.Expression) -> Typed:
    """GROUPING: 1 where ROLLUP has put NULL for the column."""
    with compiler.scope.ungrouped():
        value = compiler.value(compiler.arguments(node, 1, 1)[0])
    return Typed(f"CAST(grouping({equality_key(value)}) AS UTINYINT)", SqlType("tinyint"))


_HASHES = {
    "MD5": ("md5", 16),
    "SHA": ("sha1", 20),
    "SHA1": ("sha1", 20),
    "SHA2_256": ("sha256", 32),
    "SHA2_512": ("sha512", 64),
}


def _hash_bytes(compiler: Compiler, node: exp.Expression) -> Typed:
    algorithm, value = (compiler.value(item) for item in compiler.arguments(node, 2, 2))
    name, size = _HASHES.get((algorithm.constant or "").upper(), ("", 0))
    if not name:
        raise refused("HASHBYTES by this algorithm, or by one that is not a constant")
    if not (value.type.is_text or value.type.is_binary or value.type.name == "null"):
        raise SqlError(8116, f"Argument data type {value.type.name} is invalid for hashbytes.")
    hashed = f"python_hash('{name}', hex({convert(value, varbinary(MAX)).sql}))"
    return Typed(f"unhex({hashed})", varbinary(size))


_SESSION_VALUES = (
    "XACT_STATE ERROR_NUMBER ERROR_MESSAGE ERROR_SEVERITY ERROR_STATE ERROR_PROCEDURE".split()
)


def _server(name: str) -> Function:
    """A function without arguments whose value the session knows."""

    def compile_call(compiler: Compiler, node: exp.Expression) -> Typed:
        compiler.arguments(node, 0, 0)
        value, type_ = compiler.context.server[name]
        return Typed(compiler.context.bind(value, type_), type_)

    return compile_call


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
        raise failure("8116b", name, place, function)
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


FUNCTIONS: dict[str, Function] = {
    "ISNULL": _is_null,
    "COALESCE": _coalesce,
    "NULLIF": _null_if,
    "IIF": _iif,
    "GROUPING": _grouping,
    "HASHBYTES": _hash_bytes,
    "NEWID": template("uuid()", SqlType("uniqueidentifier")),
    "PI": template("pi()", FLOAT),
    **{name: _server(name) for name in _SESSION_VALUES},
    **MATH_FUNCTIONS,
    **TEXT_FUNCTIONS,
    **DATE_FUNCTIONS,
    **ZONE_FUNCTIONS,
    **JSON_FUNCTIONS,
    **METADATA_FUNCTIONS,
}
