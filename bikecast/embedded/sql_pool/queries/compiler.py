"""Queries: SELECT, set operators and common table expressions to DuckDB SQL.

A compiled query names its columns c1, c2, ...; T-SQL's names stay beside it, so they may repeat
or be missing.
"""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, describe, failure, near, refused
from bikecast.embedded.sql_pool.expressions.compiler import ExpressionCompiler
from bikecast.embedded.sql_pool.expressions.context import Context
from bikecast.embedded.sql_pool.expressions.functions.aggregates import direction
from bikecast.embedded.sql_pool.queries.grouping import (
    check_grouped,
    combined,
    distinct_clause,
    group_clause,
    output_place,
    refuse_constant,
    selected_place,
)
from bikecast.embedded.sql_pool.queries.sources import SourceCompiler
from bikecast.embedded.sql_pool.syntax.profile import check_query_options, only
from bikecast.embedded.sql_pool.values.conversion import assign, cast, convert
from bikecast.embedded.sql_pool.values.operators import equality_key
from bikecast.embedded.sql_pool.values.scope import (
    BoundQuery,
    Scope,
    Typed,
    column_value,
    next_alias,
)
from bikecast.embedded.sql_pool.values.types import BIGINT, SqlType, common_type

_SET_OPERATORS: dict[type[exp.Expression], str] = {
    exp.Union: "UNION",
    exp.Except: "EXCEPT",
    exp.Intersect: "INTERSECT",
}
_SELECT_PARTS = (
    "expressions distinct limit from_ joins where group having order options with_ kind hint "
    "operation_modifiers"
).split()


@dataclass(frozen=True)
class _Projection:
    name: str
    value: Typed


class QueryCompiler:
    """Compiles the queries of one statement."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def statement(self, tree: exp.Expression) -> BoundQuery:
        """A query at the top of a statement, where hints and ORDER BY are free."""
        check_query_options(tree.args.get("options"))
        return self.query(tree, Scope(), top_level=True)

    def query(self, tree: exp.Expression, scope: Scope, *, top_level: bool = False) -> BoundQuery:
        """Compile a query; `scope` holds nothing but the scopes around it."""
        if isinstance(tree, exp.Subquery):
            only(tree, "this")
            return self.query(tree.this, scope, top_level=top_level)
        if not top_level and tree.args.get("options"):
            raise near("OPTION")
        if not top_level and tree.args.get("order") is not None and not tree.args.get("limit"):
            raise failure("1033")
        prefix = self._ctes(tree.args.get("with_"), scope)
        if type(tree) in _SET_OPERATORS:
            query = self._set_operation(tree, scope)
        elif isinstance(tree, exp.Select):
            query = self._select(tree, scope)
        else:
            raise refused(f"The query {describe(tree)}")
        return replace(query, sql=prefix + query.sql) if prefix else query

    def expressions(self, scope: Scope) -> ExpressionCompiler:
        """The compiler of the expressions of a scope."""
        return ExpressionCompiler(self.context, scope, self.query)

    def _ctes(self, node: exp.Expression | None, scope: Scope) -> str:
        if node is None:
            return ""
        if scope.parent is not None:
            raise near("WITH")
        only(node, "expressions")
        parts = []
        for cte in node.expressions:
            only(cte, "this", "alias")
            name = cte.alias
            if name.lower() in scope.ctes:
                raise failure("239", name)
            query = self.query(cte.this, Scope(ctes=dict(scope.ctes)))
            columns = tuple(cte.alias_column_names)
            query.source(name, name, columns)  # names must be there, and differ
            physical = next_alias()
            scope.ctes[name.lower()] = (physical, query, columns)
            parts.append(f"{physical} AS ({query.sql})")
        return "WITH " + ", ".join(parts) + " "

    def _set_operation(self, tree: exp.Expression, scope: Scope) -> BoundQuery:
        only(tree, "this", "expression", "distinct", "order", "with_", "options")
        if tree.this.args.get("order") is not None:
            raise near(tree.key.upper())
        left = self.query(tree.this, Scope(parent=scope.parent, ctes=scope.ctes))
        right = self.query(tree.expression, Scope(parent=scope.parent, ctes=scope.ctes))
        operator = _SET_OPERATORS[type(tree)]
        if len(left.columns) != len(right.columns):
            raise failure("205")
        distinct = tree.args.get("distinct")
        if not distinct and operator != "UNION":
            raise near("ALL")
        columns = tuple(
            (name, common_type(type_, other))
            for (name, type_), (_, other) in zip(left.columns, right.columns, strict=True)
        )
        sides = _converted(left, columns), _converted(right, columns)
        types = [type_ for _, type_ in columns]
        sql = combined(operator, sides, types) if distinct else " UNION ALL ".join(sides)
        query = BoundQuery(sql, columns, left.not_null & right.not_null)
        order = tree.args.get("order")
        if order is None:
            return query
        items = []
        for item in order.expressions:
            place = output_place(item.this, columns) or selected_place(item.this, tree)
            if place is None:
                if isinstance(item.this, exp.Column) and not item.this.table:
                    raise failure("207", item.this.name)
                raise failure("104")
            key = equality_key(Typed(f"c{place}", columns[place - 1][1]))
            items.append(f"{key} {direction(item)}")
        return replace(query, sql=f"SELECT * FROM ({sql}) ORDER BY {', '.join(items)}")

    def _select(self, tree: exp.Select, scope: Scope) -> BoundQuery:
        only(tree, *_SELECT_PARTS)
        for name in ("kind", "hint", "operation_modifiers"):
            if tree.args.get(name):
                raise near(str(tree.args[name]))
        source = ""
        if tree.args.get("from_") is not None:
            only(tree.args["from_"], "this")
            sources = SourceCompiler(self.context, scope, self.query)
            source = sources.clause(tree.args["from_"].this, tree.args.get("joins") or [])
        compiler = self.expressions(scope)
        where = tree.args.get("where")
        filters = f" WHERE {compiler.condition(where.this)}" if where is not None else ""
        groups = group_clause(compiler, tree.args.get("group"))
        check_grouped(compiler, tree)
        having = tree.args.get("having")
        if having is not None:
            groups += f" HAVING {compiler.condition(having.this)}"
        projections = self._projections(compiler, tree.expressions)
        columns = tuple((item.name, item.value.type) for item in projections)
        selected = ", ".join(
            f"{_final(item.value)} AS c{i}" for i, item in enumerate(projections, 1)
        )
        distinct = ""
        if tree.args.get("distinct") is not None:
            only(tree.args["distinct"])
            distinct = distinct_clause([item.value for item in projections])
        order = self._order(compiler, tree, projections, distinct=bool(distinct))
        rest = f"{' FROM ' + source if source else ''}{filters}{groups}"
        if _with_ties(tree):
            sql = self._ties(compiler, tree, (selected, rest), projections)
        else:
            top = self._top(compiler, tree.args.get("limit"))
            sql = f"SELECT {distinct}{selected}{rest}{order}{top}"
        not_null = frozenset(i for i, item in enumerate(projections, 1) if item.value.not_null)
        return BoundQuery(sql, columns, frozenset() if tree.find(exp.Rollup) else not_null)

    def _ties(
        self,
        compiler: ExpressionCompiler,
        tree: exp.Select,
        core: tuple[str, str],
        projections: list[_Projection],
    ) -> str:
        """TOP (n) WITH TIES: the rows whose rank by ORDER BY is up to n."""
        order = tree.args.get("order")
        if order is None or tree.args.get("distinct"):
            raise SqlError(1062, "The TOP N WITH TIES clause is not allowed without ORDER BY.")
        columns = tuple((item.name, item.value.type) for item in projections)
        keys, items = [], []
        for number, item in enumerate(order.expressions, 1):
            place = output_place(item.this, columns)
            value = projections[place - 1].value if place else compiler.value(item.this)
            keys.append(f"{equality_key(value)} AS k{number}")
            items.append(f"o.k{number} {direction(item)}")
        # A window function may be a key, and none stands inside of another.
        keyed = f"SELECT {core[0]}, {', '.join(keys)}{core[1]}"
        ranked = f"SELECT o.*, rank() OVER (ORDER BY {', '.join(items)}) AS r FROM ({keyed}) AS o"
        count = self._top(compiler, tree.args["limit"], ties=True)
        names = ", ".join(f"q.c{i}" for i in range(1, len(columns) + 1))
        return f"SELECT {names} FROM ({ranked}) AS q WHERE q.r <= {count} ORDER BY q.r"

    def _projections(
        self, compiler: ExpressionCompiler, nodes: list[exp.Expression]
    ) -> list[_Projection]:
        projections: list[_Projection] = []
        for node in nodes:
            if isinstance(node, exp.Star):
                only(node)
                projections += self._star(compiler.scope, None, None)
            elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
                only(node, "this", "table", "db")
                only(node.this)
                projections += self._star(compiler.scope, node.table, node.db or None)
            elif isinstance(node, exp.Alias):
                only(node, "this", "alias")
                if not node.alias:
                    raise SqlError(1038, "An object or column name is missing or empty.")
                projections.append(_Projection(node.alias, compiler.value(node.this)))
            else:
                name = node.name if isinstance(node, exp.Column) else ""
                projections.append(_Projection(name, compiler.value(node)))
        if not projections:
            raise near("SELECT")
        return projections

    def _star(self, scope: Scope, qualifier: str | None, schema: str | None) -> list[_Projection]:
        sources = [
            source
            for source in scope.sources
            if qualifier is None or source.matches(qualifier, schema)
        ]
        if not sources and qualifier is None:
            raise SqlError(263, "Must specify table to select from.")
        if not sources:
            raise failure("107", qualifier)
        return [
            _Projection(column.name, column_value(column))
            for source in sources
            for column in source.columns
        ]

    def _order(
        self,
        compiler: ExpressionCompiler,
        tree: exp.Select,
        projections: list[_Projection],
        *,
        distinct: bool,
    ) -> str:
        order = tree.args.get("order")
        if order is None:
            return ""
        only(order, "expressions")
        columns = tuple((item.name, item.value.type) for item in projections)
        items: list[str] = []
        listed: set[str] = set()
        for number, item in enumerate(order.expressions, 1):
            only(item, "this", "desc", "nulls_first")
            place = output_place(item.this, columns)
            if place is None:
                refuse_constant(item.this, number)
            if place is not None:
                # Inside of an expression, DuckDB would take c1 for a column of the source.
                value = projections[place - 1].value
                key = equality_key(value)
                sql = f"c{place}" if key == value.sql else key
            else:
                value = compiler.value(item.this)
                sql = equality_key(value)
                if distinct and value.sql not in {p.value.sql for p in projections}:
                    raise failure("145")
            if place is not None or isinstance(item.this, exp.Column):
                column = str(place or value.sql)
                if column in listed:
                    raise failure("169")
                listed.add(column)
            items.append(f"{sql} {direction(item)}")
        return " ORDER BY " + ", ".join(items)

    def _top(
        self, compiler: ExpressionCompiler, node: exp.Expression | None, *, ties: bool = False
    ) -> str:
        if node is None:
            return ""
        if isinstance(node, exp.Fetch):
            raise refused("OFFSET ... FETCH", "Use TOP.")
        only(node, "expression", "limit_options")
        options = node.args.get("limit_options")
        if options is not None and options.args.get("percent"):
            raise refused("TOP ... PERCENT")
        count = compiler.value(node.expression)
        if not count.type.is_integer:
            raise failure("1060")
        limit = convert(count, BIGINT).sql
        if not isinstance(node.expression, exp.Literal):  # DuckDB takes NULL for no limit
            limit = f"tsql_top({limit})"
        return limit if ties else f" LIMIT {limit}"


def _with_ties(tree: exp.Select) -> bool:
    options = tree.args["limit"].args.get("limit_options") if tree.args.get("limit") else None
    return bool(options is not None and options.args.get("with_ties"))


def _final(value: Typed) -> str:
    """An expression of the select list with exactly its type."""
    return (
        value.sql
        if value.sql.count(".") == 1 and " " not in value.sql
        else (cast(value.sql, value.type))
    )


def _converted(query: BoundQuery, columns: tuple[tuple[str, SqlType], ...]) -> str:
    if tuple(type_ for _, type_ in query.columns) == tuple(type_ for _, type_ in columns):
        return f"(SELECT * FROM ({query.sql}))"
    parts = [
        f"{assign(Typed(f'q.c{i}', type_), columns[i - 1][1]).sql} AS c{i}"
        for i, (_, type_) in enumerate(query.columns, 1)
    ]
    return f"(SELECT {', '.join(parts)} FROM ({query.sql}) AS q)"
