"""UPDATE, DELETE and MERGE of tables, with joins: the rows are found by a query, by their rowid."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from bikecast.embedded.sql_pool.catalog.catalog import SqlObject, TableColumn
from bikecast.embedded.sql_pool.errors import SqlError, invalid_column
from bikecast.embedded.sql_pool.expressions.compiler import ExpressionCompiler
from bikecast.embedded.sql_pool.queries.grouping import has_aggregate
from bikecast.embedded.sql_pool.queries.queries import QueryCompiler
from bikecast.embedded.sql_pool.queries.sources import SourceCompiler
from bikecast.embedded.sql_pool.statements.definitions import existing_table
from bikecast.embedded.sql_pool.statements.reads import default_value, target_columns
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.profile import check_query_options, only
from bikecast.embedded.sql_pool.values.conversion import assign, convert
from bikecast.embedded.sql_pool.values.scope import NamedColumn, Scope, Source, next_alias, quoted
from bikecast.embedded.sql_pool.values.types import BIGINT
from bikecast.embedded.sql_pool.work import Work


@dataclass
class _Rows:
    """The rows that a statement changes: the FROM and WHERE clauses that find them."""

    table: SqlObject
    physical: str
    compiler: ExpressionCompiler
    clauses: str


def _find(work: Work, name: st.ObjectName, rows: exp.Select | None) -> _Rows:
    scope = Scope()
    query = QueryCompiler(work.context).query
    source = rows.args.get("from_") if rows is not None else None
    if rows is not None:
        only(rows, "expressions", "from_", "joins", "where", "options")
        check_query_options(rows.args.get("options"))
    text = ""
    if source is not None and rows is not None:
        text = SourceCompiler(work.context, scope, query).clause(
            source.this, rows.args.get("joins") or []
        )
    target = next((found for found in scope.sources if found.matches(name.name, None)), None)
    if target is None and rows is not None:
        target = _mentioned(name, rows, scope)
    if target is None or rows is None:
        table = existing_table(work, name)
        target = _source(table, next_alias(), name.name, name.schema)
        scope.add(target)
        text += f"{' CROSS JOIN ' if text else ''}{table.duckdb_name} AS {_physical(target)}"
    else:
        table = existing_table(work, _table_of(target.alias, rows))
    compiler = ExpressionCompiler(work.context, scope, query)
    where = rows.args.get("where") if rows is not None else None
    if where is not None:
        text += f" WHERE {compiler.condition(where.this)}"
    return _Rows(table, _physical(target), compiler, text)


def _items(rows: exp.Select) -> list[exp.Table]:
    """The tables of a FROM clause."""
    source = rows.args.get("from_")
    items = [source.this] if source is not None else []
    items += [join.this for join in rows.args.get("joins") or []]
    return [table for item in items for table in _joined_tables(item)]


def _mentioned(name: st.ObjectName, rows: exp.Select, scope: Scope) -> Source | None:
    """The item of the FROM clause that is the target under another name.

    Raises SqlError 8154 where there are several.
    """
    wanted = name.key
    found = [
        item.alias
        for item in _items(rows)
        if item.alias
        and isinstance(item.this, exp.Identifier)
        and st.table_name(item).key == wanted
    ]
    if len(found) > 1:
        raise SqlError(8154, f"The table '{name.name}' is ambiguous.")
    return next((s for s in scope.sources if found and s.matches(found[0], None)), None)


def _source(table: SqlObject, physical: str, alias: str, schema: str | None) -> Source:
    columns = tuple(
        NamedColumn(column.name, column.type, f"{physical}.{quoted(column.name)}")
        for column in table.columns
    )
    return Source(alias, columns, schema)


def _physical(source: Source) -> str:
    return source.columns[0].sql.split(".", 1)[0]


def _table_of(alias: str, rows: exp.Select) -> st.ObjectName:
    """The table that an alias of the FROM clause, or a table's own name, means."""
    wanted = alias.lower()
    for item in _items(rows):
        if item.alias_or_name.lower() == wanted:
            return st.table_name(item)
    raise SqlError(4406, f"'{alias}' is no table and cannot be changed.")


def _joined_tables(item: exp.Expression) -> Iterator[exp.Table]:
    """The tables of an item of a FROM clause: one, or those of a join in parentheses."""
    if isinstance(item, exp.Table):
        yield item
    elif isinstance(item, exp.Subquery) and isinstance(item.this, exp.Table | exp.Subquery):
        yield from _joined_tables(item.this)
    for join in item.args.get("joins") or ():
        yield from _joined_tables(join.this)


def _limit(found: _Rows, top: exp.Expression | None) -> str:
    if top is None:
        return ""
    count = found.compiler.value(top)
    if not count.type.is_integer:
        raise SqlError(1060, "The number of rows provided for a TOP clause must be an integer.")
    return f" LIMIT {convert(count, BIGINT).sql}"


def update(work: Work, statement: st.Update) -> int:
    """UPDATE; where a join finds a row more than once, one of the matches counts."""
    found = _find(work, statement.target, statement.rows)
    values = _assigned(work, found.table, found.compiler, statement.changes)
    listed = ", ".join(f"{value} AS v{i}" for i, (_, value) in enumerate(values))
    rows = f"SELECT {found.physical}.rowid AS r, {listed} FROM {found.clauses}"
    changes = ", ".join(f"{quoted(column)} = q.v{i}" for i, (column, _) in enumerate(values))
    alias = next_alias()
    return work.count(
        f"UPDATE {found.table.duckdb_name} AS {alias} SET {changes} "
        f"FROM ({rows}{_limit(found, statement.top)}) AS q WHERE {alias}.rowid = q.r"
    )


def _assigned(
    work: Work,
    table: SqlObject,
    compiler: ExpressionCompiler,
    changes: tuple[st.Assignment, ...],
) -> list[tuple[str, str]]:
    by_name = {column.name.lower(): column for column in table.columns}
    found: list[tuple[str, str]] = []
    for change in changes:
        column = by_name.get(change.column.lower())
        if column is None:
            raise invalid_column(change.column)
        if column.name in dict(found):
            raise SqlError(264, f"The column name '{column.name}' is specified more than once.")
        if column.name == table.details.get("identity"):
            raise SqlError(8102, f"Cannot update identity column '{column.name}'.")
        if any(isinstance(node, exp.Window) for node in change.value.walk(prune=_is_query)):
            raise SqlError(
                4108, "Windowed functions can only appear in the SELECT or ORDER BY clauses."
            )
        if has_aggregate(change.value):
            raise SqlError(
                157, "An aggregate may not appear in the set list of an UPDATE statement."
            )
        found.append((column.name, _value(work, compiler, column, change.value)))
    return found


def _is_query(node: exp.Expr) -> bool:
    return isinstance(node, exp.Select)


def _value(
    work: Work, compiler: ExpressionCompiler, column: TableColumn, tree: exp.Expression
) -> str:
    value = default_value(work, column) if isinstance(tree, exp.Var) else compiler.value(tree)
    return assign(value, column.type, column=column.name).sql


def delete(work: Work, statement: st.Delete) -> int:
    """DELETE."""
    found = _find(work, statement.target, statement.rows)
    rows = f"SELECT {found.physical}.rowid FROM {found.clauses}{_limit(found, statement.top)}"
    return work.count(f"DELETE FROM {found.table.duckdb_name} WHERE rowid IN ({rows})")


def merge(work: Work, statement: st.Merge) -> int:
    """MERGE into a table."""
    table = existing_table(work, statement.target)
    physical = next_alias()
    scope = Scope()
    name = statement.target
    alias = statement.alias or name.name
    scope.add(_source(table, physical, alias, None if statement.alias else name.schema))
    query = QueryCompiler(work.context).query
    only(statement.source, "expressions", "from_", "joins")
    source_scope = Scope()
    clause = SourceCompiler(work.context, source_scope, query).clause(
        statement.source.args["from_"].this, statement.source.args.get("joins") or []
    )
    for source in source_scope.sources:
        scope.add(source)
    compiler = ExpressionCompiler(work.context, scope, query)
    target = ExpressionCompiler(work.context, _only(scope, 0), query)
    branches = " ".join(
        _branch(work, table, branch, target if branch.kind.endswith("SOURCE") else compiler)
        for branch in statement.branches
    )
    return work.count(
        f"MERGE INTO {table.duckdb_name} AS {physical} USING {clause} ON "
        f"({compiler.condition(statement.condition)}) {branches}"
    )


def _only(scope: Scope, position: int) -> Scope:
    return Scope(sources=[scope.sources[position]])


def _branch(
    work: Work, table: SqlObject, branch: st.MergeBranch, compiler: ExpressionCompiler
) -> str:
    condition = f" AND {compiler.condition(branch.condition)}" if branch.condition else ""
    head = f"WHEN {branch.kind}{condition} THEN"
    if branch.action == "DELETE":
        return f"{head} DELETE"
    if branch.action == "UPDATE":
        values = _assigned(work, table, compiler, branch.changes)
        return f"{head} UPDATE SET " + ", ".join(f"{quoted(c)} = {v}" for c, v in values)
    columns = target_columns(table, list(branch.names) if branch.names is not None else None)
    if len(columns) != len(branch.values):
        raise SqlError(
            110, "The numbers of columns and values of the INSERT clause of MERGE differ."
        )
    values = [
        (column.name, _value(work, compiler, column, tree))
        for column, tree in zip(columns, branch.values, strict=True)
    ]
    given = {column for column, _ in values}
    for column in table.columns:
        if column.name not in given and column.default_text:
            default = assign(default_value(work, column), column.type, column=column.name)
            values.append((column.name, default.sql))
    names = ", ".join(quoted(column) for column, _ in values)
    return f"{head} INSERT ({names}) VALUES ({', '.join(value for _, value in values)})"
