"""The types of a batch's parameters that nobody declared: those of the columns that they meet."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from bikecast.embedded.sql_pool.catalog.catalog import Catalog, TableColumn
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.parser import parse_batch
from bikecast.embedded.sql_pool.syntax.statements import table_name
from bikecast.embedded.sql_pool.values.types import SqlType

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like)


def undeclared_parameters(
    catalog: Catalog, batch: str, declared: set[str]
) -> dict[str, SqlType | None]:
    """The parameters but those of `declared` (lower case, without the @), in the batch's order.

    Each has the type of the column that it meets, None where it meets none. Raises SqlError for a
    batch that cannot be parsed.
    """
    parameters: dict[str, SqlType | None] = {}
    for statement in parse_batch(batch):
        types = _inferred(catalog, statement)
        for node in _parameters(statement):
            name = node.name
            if name.lower() not in declared and parameters.get(name) is None:
                parameters[name] = types.get(name.lower())
    return parameters


def _trees(statement: st.Statement) -> list[exp.Expression]:
    if isinstance(statement, st.Query | st.Insert):
        return [statement.tree]
    if isinstance(statement, st.Update | st.Delete):
        return [statement.rows] if statement.rows is not None else []
    return []


def _parameters(statement: st.Statement) -> Iterator[exp.Parameter]:
    """The parameters of a statement, in its order."""
    if isinstance(statement, st.Update):
        for change in statement.changes:
            yield from change.value.find_all(exp.Parameter)
    for tree in _trees(statement):
        yield from tree.find_all(exp.Parameter, bfs=False)


def _inferred(catalog: Catalog, statement: st.Statement) -> dict[str, SqlType]:
    columns: dict[str, SqlType] = {}
    tables = [table_name(t) for tree in _trees(statement) for t in tree.find_all(exp.Table)]
    if isinstance(statement, st.Update | st.Delete):
        tables.insert(0, statement.target)
    for table in tables:
        for column in _columns(catalog, table):
            columns.setdefault(column.name.lower(), column.type)
    types: dict[str, SqlType] = {}
    if isinstance(statement, st.Update):
        for change in statement.changes:
            if isinstance(change.value, exp.Parameter) and change.column.lower() in columns:
                types.setdefault(change.value.name.lower(), columns[change.column.lower()])
    for tree in _trees(statement):
        if isinstance(statement, st.Insert):
            _from_insert(catalog, statement, types)
        _from_comparisons(tree, columns, types)
    return types


def _columns(catalog: Catalog, name: st.ObjectName) -> tuple[TableColumn, ...]:
    """The columns of a table; none where there is no such table."""
    table = catalog.find(name)
    return table.columns if table is not None else ()


def _from_comparisons(
    tree: exp.Expression, columns: dict[str, SqlType], types: dict[str, SqlType]
) -> None:
    for node in tree.find_all(*_COMPARISONS):
        for left, right in ((node.this, node.expression), (node.expression, node.this)):
            if isinstance(left, exp.Column) and isinstance(right, exp.Parameter):
                sql_type = columns.get(left.name.lower())
                if sql_type is not None:
                    types.setdefault(right.name.lower(), sql_type)


def _from_insert(catalog: Catalog, statement: st.Insert, types: dict[str, SqlType]) -> None:
    target, names = statement.target
    columns = _columns(catalog, table_name(target))
    by_name = {column.name.lower(): column.type for column in columns}
    for name, item in zip(names or list(by_name), statement.values, strict=False):
        if isinstance(item, exp.Parameter) and name.lower() in by_name:
            types.setdefault(item.name.lower(), by_name[name.lower()])
