"""INSERT, UPDATE, DELETE and MERGE.

UPDATE and DELETE find their rows, joins included, by a query for their rowid.
"""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from bikecast.embedded.sql_pool.catalog.catalog import SqlObject, TableColumn
from bikecast.embedded.sql_pool.errors import SqlError, failure, near, refused
from bikecast.embedded.sql_pool.expressions.compiler import ExpressionCompiler
from bikecast.embedded.sql_pool.queries.compiler import QueryCompiler
from bikecast.embedded.sql_pool.queries.grouping import has_aggregate
from bikecast.embedded.sql_pool.queries.sources import SourceCompiler, table_source
from bikecast.embedded.sql_pool.statements.definitions import existing_table
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.profile import check_query_options, only
from bikecast.embedded.sql_pool.syntax.reader import Reader
from bikecast.embedded.sql_pool.values.conversion import assign, convert
from bikecast.embedded.sql_pool.values.scope import Scope, Source, Typed, next_alias, quoted
from bikecast.embedded.sql_pool.values.types import BIGINT
from bikecast.embedded.sql_pool.work import Work

_CONSTANTS = (exp.Literal, exp.National, exp.HexString, exp.Null, exp.Parameter)


def insert(work: Work, statement: st.Insert, source: str = "") -> int:
    """INSERT INTO with one row of constants, or with a query; the number of rows.

    `source` is the DuckDB clause that gives the variables of VALUES many rows.
    """
    tree = statement.tree
    only(tree, "this", "expression", "with_")
    if tree.args.get("with_") is not None:
        raise refused("A common table expression before INSERT")
    target, names = statement.target
    only(target, "this", "db", "catalog")
    table = existing_table(work, st.table_name(target))
    columns = target_columns(table, names)
    if isinstance(tree.expression, exp.Values):
        values = _row(work, statement, columns)
    elif tree.expression is None:
        raise refused("INSERT ... DEFAULT VALUES")
    else:
        if tree.expression.args.get("with_") is not None:
            raise near("WITH")
        check_query_options(tree.expression.args.get("options"))
        compiled = QueryCompiler(work.context).statement(tree.expression)
        values = [Typed(f"q.c{i}", type_) for i, (_, type_) in enumerate(compiled.columns, 1)]
        source = f" FROM ({compiled.sql}) AS q"
    identity = table.details.get("identity")
    if names is None and identity and len(values) == len(table.columns):
        raise failure("8101", table.name.name)
    if len(values) != len(columns):
        constants = isinstance(tree.expression, exp.Values)
        raise _count_error(names is not None, len(values) > len(columns), constants=constants)
    assigned = {
        column.name: assign(value, column.type, column=column.name).sql
        for value, column in zip(values, columns, strict=True)
    }
    row = _with_defaults(work, table, assigned)
    takes_values = bool(identity) and work.identity_insert == table.name.key
    if takes_values and identity not in assigned:
        raise failure("545", table.name.name)
    if identity in assigned and not takes_values:
        raise failure("544", table.name.name)
    if identity and not takes_values:
        row[identity] = f"nextval('{table.sequence}')"
    return work.count(
        f"INSERT INTO {table.duckdb_name} ({', '.join(map(quoted, row))}) "
        f"SELECT {', '.join(row.values())}{source}"
    )


def identity_insert(work: Work, statement: st.SetIdentityInsert, current: str) -> str:
    """The key of the table that SET IDENTITY_INSERT leaves ON, or an empty text.

    Source: https://learn.microsoft.com/sql/t-sql/statements/set-identity-insert-transact-sql
    """
    table = existing_table(work, statement.table)
    if not table.details.get("identity"):
        raise failure("8106", statement.table)
    if statement.on and current and current != table.name.key:
        raise failure("8107", current, statement.table)
    if statement.on:
        return table.name.key
    return "" if current == table.name.key else current


def _with_defaults(work: Work, table: SqlObject, values: dict[str, str]) -> dict[str, str]:
    """The values of a new row by column, with the defaults of the columns that have none."""
    defaults = {
        column.name: assign(default_value(work, column), column.type, column=column.name).sql
        for column in table.columns
        if column.name not in values and column.default_text
    }
    return {**values, **defaults}


def target_columns(table: SqlObject, names: list[str] | None) -> list[TableColumn]:
    """The columns that INSERT fills: those named, or all but the identity column.

    Raises SqlError 207 or 264 for unknown or repeated names.
    """
    if names is None:
        identity = table.details.get("identity")
        return [column for column in table.columns if column.name != identity]
    by_name = {column.name.lower(): column for column in table.columns}
    columns: list[TableColumn] = []
    for name in names:
        column = by_name.get(name.lower())
        if column is None:
            raise failure("207", name)
        if column in columns:
            raise failure("264", name)
        columns.append(column)
    return columns


def _count_error(named: bool, more_values: bool, *, constants: bool = True) -> SqlError:
    if not named:
        return failure("213")
    if not constants:
        return failure("121" if more_values else "120")
    if more_values:
        return failure("110b")
    return SqlError(109, "There are more columns in the INSERT statement than values specified.")


def _row(work: Work, statement: st.Insert, columns: list[TableColumn]) -> list[Typed]:
    """The one row of VALUES: constants, variables and DEFAULT."""
    if len(statement.tree.expression.expressions) != 1:
        raise refused("More than one row in VALUES", "Use INSERT ... SELECT ... UNION ALL.")
    compiler = QueryCompiler(work.context).expressions(Scope())
    values: list[Typed] = []
    for position, item in enumerate(statement.values):
        inner = item.this if isinstance(item, exp.Neg) else item
        if isinstance(item, exp.Column | exp.Var) and item.name.upper() == "DEFAULT":
            column = columns[position] if position < len(columns) else None
            if column is None:
                raise _count_error(named=False, more_values=True)
            values.append(default_value(work, column))
            continue
        if not isinstance(inner, _CONSTANTS):
            raise failure("104334")
        values.append(compiler.value(item))
    return values


def default_value(work: Work, column: TableColumn) -> Typed:
    """The default of a column, or NULL."""
    tree = Reader(column.default_text or "NULL").expression()
    return QueryCompiler(work.context).expressions(Scope()).value(tree)


@dataclass
class _Rows:
    """The rows that a statement changes: the FROM and WHERE clauses that find them."""

    table: SqlObject
    physical: str
    compiler: ExpressionCompiler
    clauses: str


def _find(work: Work, name: st.ObjectName, rows: exp.Select | None) -> _Rows:
    scope = Scope()
    queries = QueryCompiler(work.context)
    rows = exp.Select() if rows is None else rows
    only(rows, "expressions", "from_", "joins", "where", "options")
    check_query_options(rows.args.get("options"))
    source, where = rows.args.get("from_"), rows.args.get("where")
    text = ""
    if source is not None:
        text = SourceCompiler(work.context, scope, queries.query).clause(
            source.this, rows.args.get("joins") or []
        )
    target = next((item for item in scope.sources if item.matches(name.name, None)), None)
    target = target or _mentioned(name, rows, scope)
    if target is None:
        table = existing_table(work, name)
        target = table_source(table, next_alias(), name.name, name.schema)
        scope.add(target)
        text += f"{' CROSS JOIN ' if text else ''}{table.duckdb_name} AS {_physical(target)}"
    else:
        table = existing_table(work, _table_of(target.alias, rows))
    compiler = queries.expressions(scope)
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
    key = name.key
    aliases = [
        item.alias
        for item in _items(rows)
        if item.alias and isinstance(item.this, exp.Identifier) and st.table_name(item).key == key
    ]
    if len(aliases) > 1:
        raise SqlError(8154, f"The table '{name.name}' is ambiguous.")
    return next((s for s in scope.sources if aliases and s.matches(aliases[0], None)), None)


def _physical(source: Source) -> str:
    return source.columns[0].sql.split(".", 1)[0]


def _table_of(alias: str, rows: exp.Select) -> st.ObjectName:
    """The table that an alias of the FROM clause, or a table's own name, means."""
    label = alias.lower()
    for item in _items(rows):
        if item.alias_or_name.lower() == label:
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


def _limit(target: _Rows, top: exp.Expression | None) -> str:
    if top is None:
        return ""
    count = target.compiler.value(top)
    if not count.type.is_integer:
        raise failure("1060")
    return f" LIMIT {convert(count, BIGINT).sql}"


def update(work: Work, statement: st.Update) -> int:
    """UPDATE; where a join finds a row more than once, one of the matches counts."""
    target = _find(work, statement.target, statement.rows)
    values = _assigned(work, target.table, target.compiler, statement.changes)
    listed = ", ".join(f"{value} AS v{i}" for i, (_, value) in enumerate(values))
    rows = f"SELECT {target.physical}.rowid AS r, {listed} FROM {target.clauses}"
    changes = ", ".join(f"{quoted(column)} = q.v{i}" for i, (column, _) in enumerate(values))
    alias = next_alias()
    return work.count(
        f"UPDATE {target.table.duckdb_name} AS {alias} SET {changes} "
        f"FROM ({rows}{_limit(target, statement.top)}) AS q WHERE {alias}.rowid = q.r"
    )


def _assigned(
    work: Work,
    table: SqlObject,
    compiler: ExpressionCompiler,
    changes: tuple[st.Assignment, ...],
) -> list[tuple[str, str]]:
    by_name = {column.name.lower(): column for column in table.columns}
    assigned: list[tuple[str, str]] = []
    for change in changes:
        column = by_name.get(change.column.lower())
        if column is None:
            raise failure("207", change.column)
        if column.name in dict(assigned):
            raise failure("264", column.name)
        if column.name == table.details.get("identity"):
            raise SqlError(8102, f"Cannot update identity column '{column.name}'.")
        if any(isinstance(node, exp.Window) for node in change.value.walk(prune=_is_query)):
            raise failure("4108")
        if has_aggregate(change.value):
            raise failure("157")
        assigned.append((column.name, _value(work, compiler, column, change.value)))
    return assigned


def _is_query(node: exp.Expr) -> bool:
    return isinstance(node, exp.Select)


def _value(
    work: Work, compiler: ExpressionCompiler, column: TableColumn, tree: exp.Expression
) -> str:
    value = default_value(work, column) if isinstance(tree, exp.Var) else compiler.value(tree)
    return assign(value, column.type, column=column.name).sql


def delete(work: Work, statement: st.Delete) -> int:
    """DELETE."""
    target = _find(work, statement.target, statement.rows)
    rows = f"SELECT {target.physical}.rowid FROM {target.clauses}{_limit(target, statement.top)}"
    return work.count(f"DELETE FROM {target.table.duckdb_name} WHERE rowid IN ({rows})")


def merge(work: Work, statement: st.Merge) -> int:
    """MERGE into a table."""
    table = existing_table(work, statement.target)
    physical = next_alias()
    scope = Scope()
    name = statement.target
    alias = statement.alias or name.name
    scope.add(table_source(table, physical, alias, None if statement.alias else name.schema))
    queries = QueryCompiler(work.context)
    only(statement.source, "expressions", "from_", "joins")
    source_scope = Scope()
    clause = SourceCompiler(work.context, source_scope, queries.query).clause(
        statement.source.args["from_"].this, statement.source.args.get("joins") or []
    )
    for source in source_scope.sources:
        scope.add(source)
    compiler = queries.expressions(scope)
    # A branch sees the rows that it has: those of both sides, of the target, or of the source.
    visible = {
        "MATCHED": compiler,
        "NOT MATCHED BY SOURCE": queries.expressions(Scope(sources=scope.sources[:1])),
        "NOT MATCHED": queries.expressions(Scope(sources=scope.sources[1:])),
    }
    branches = " ".join(
        _branch(work, table, branch, visible[branch.kind]) for branch in statement.branches
    )
    return work.count(
        f"MERGE INTO {table.duckdb_name} AS {physical} USING {clause} ON "
        f"({compiler.condition(statement.condition)}) {branches}"
    )


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
        raise failure("110")
    row = {
        column.name: _value(work, compiler, column, tree)
        for column, tree in zip(columns, branch.values, strict=True)
    }
    row = _with_defaults(work, table, row)
    return f"{head} INSERT ({', '.join(map(quoted, row))}) VALUES ({', '.join(row.values())})"
