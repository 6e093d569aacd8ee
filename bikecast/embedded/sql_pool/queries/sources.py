"""FROM clauses: tables, views, common table expressions, subqueries, joins and PREDICT."""
# the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from bikecast.embedded.sql_pool.catalog.catalog import TABLE, VIEW, SqlObject
from bikecast.embedded.sql_pool.catalog.system_views import system_view
from bikecast.embedded.sql_pool.errors import SqlError, describe, failure, near, refused
from bikecast.embedded.sql_pool.expressions.compiler import ExpressionCompiler
from bikecast.embedded.sql_pool.expressions.context import CompileQuery, Context
from bikecast.embedded.sql_pool.queries.rowsets import function_rows, pivot, predict_source, unpivot
from bikecast.embedded.sql_pool.syntax import dialect
from bikecast.embedded.sql_pool.syntax.profile import only
from bikecast.embedded.sql_pool.syntax.reader import Reader
from bikecast.embedded.sql_pool.syntax.statements import ObjectName, table_name
from bikecast.embedded.sql_pool.values.scope import (
    BoundQuery,
    NamedColumn,
    Scope,
    Source,
    next_alias,
    quoted,
)

MAX_VIEW_DEPTH = 32
_HINTS = frozenset({"NOLOCK", "READUNCOMMITTED"})


@dataclass
class SourceCompiler:
    """Compiles the FROM clause of one query into DuckDB SQL and fills its scope.

    `query` compiles a query of the clause in a scope.
    """

    context: Context
    scope: Scope
    query: CompileQuery

    def clause(self, first: exp.Expression, joins: list[exp.Join]) -> str:
        """The text behind FROM."""
        parts = [self.item(first)]
        visible = 0  # the first item that the ON conditions may name: none before the last comma
        for join in joins:
            visible = len(self.scope.sources) if join.meta.get("comma") else visible
            parts.append(self._join(join, visible))
        return " ".join(parts)

    def _join(self, join: exp.Join, visible: int) -> str:
        only(join, "this", "side", "kind", "on")
        if isinstance(join.this, exp.Lateral):
            return self._apply(join.this)
        side = (join.args.get("side") or "").upper()
        join_type = (join.args.get("kind") or "").upper()
        before = len(self.scope.sources)
        item = self.item(join.this)
        condition = join.args.get("on")
        if join.meta.get("comma") or join_type == "CROSS":
            if condition is not None or side:
                raise near("ON")
            return f", {item}" if join.meta.get("comma") else f"CROSS JOIN {item}"
        if join_type not in ("", "INNER", "OUTER") or side not in ("", "LEFT", "RIGHT", "FULL"):
            raise refused(f"{side} {join_type} JOIN".strip())
        if condition is None:
            raise near("JOIN")
        joined = Scope(self.scope.parent, self.scope.sources[visible:], self.scope.ctes)
        compiler = self._expressions(joined)
        sql = f"{side or 'INNER'} JOIN {item} ON {compiler.condition(condition)}"
        if side in ("RIGHT", "FULL"):
            self._may_be_missing(visible, before)
        if side in ("LEFT", "FULL"):
            self._may_be_missing(before, len(self.scope.sources))
        return sql

    def _expressions(self, scope: Scope) -> ExpressionCompiler:
        return ExpressionCompiler(self.context, scope, self.query)

    def _may_be_missing(self, first: int, end: int) -> None:
        """Of items that an outer join may find no row of, every column may be NULL."""
        sources = self.scope.sources
        sources[first:end] = [source.nullable() for source in sources[first:end]]

    def _joined(self, node: exp.Expression) -> str:
        """A join inside of a join or of parentheses; its ON conditions see its own items alone."""
        first = node.copy()
        first.set("joins", None)
        inner = SourceCompiler(self.context, _around(self.scope), self.query)
        sql = inner.clause(first, node.args["joins"])
        for source in inner.scope.sources:
            self.scope.add(source)
        return f"({sql})"

    def _apply(self, node: exp.Lateral) -> str:
        """CROSS APPLY and OUTER APPLY: the right side sees the columns of the left."""
        only(node, "this", "alias", "cross_apply")
        join = ("CROSS JOIN", "") if node.args.get("cross_apply") else ("LEFT JOIN", " ON true")
        names = tuple(node.alias_column_names)
        physical = next_alias()
        if isinstance(node.this, exp.Anonymous):
            compiler = self._expressions(self.scope)
            sql, source = function_rows(compiler, node.this, node.alias, physical)
            source = _renamed(source, names)
        elif isinstance(node.this, exp.Subquery) and node.alias:
            query = self.query(node.this.this, Scope(parent=self.scope))
            sql, source = f"({query.sql}) AS {physical}", query.source(node.alias, physical, names)
        else:
            raise near("APPLY")
        self.scope.add(source if node.args.get("cross_apply") else source.nullable())
        return f"{join[0]} LATERAL {sql}{join[1]}"

    def item(self, node: exp.Expression) -> str:
        """One item; its columns are added to the scope."""
        if node.args.get("joins"):
            return self._joined(node)
        pivots = node.args.get("pivots")
        if pivots:
            return self._pivot(node, pivots)
        if isinstance(node, exp.Table):
            return self._table(node)
        if isinstance(node, exp.Subquery):
            return self._derived(node)
        if isinstance(node, dialect.Predict):
            return self._predict(node)
        if isinstance(node, exp.Values):
            raise refused("VALUES as a table source")
        raise refused(f"The table source {describe(node)}")

    def _pivot(self, node: exp.Expression, pivots: list[exp.Pivot]) -> str:
        if len(pivots) != 1:
            raise near("PIVOT")
        plain = node.copy()
        plain.set("pivots", None)
        inner = SourceCompiler(self.context, _around(self.scope), self.query)
        sql = inner.item(plain)
        if len(inner.scope.sources) != 1:
            raise refused("PIVOT or UNPIVOT of a join")
        source, physical = inner.scope.sources[0], next_alias()
        if pivots[0].args.get("unpivot"):
            sql, source = unpivot(source, sql, pivots[0], physical)
        else:
            sql, source = pivot(source, sql, pivots[0], self._expressions, physical)
        self.scope.add(source)
        return sql

    def _function(self, node: exp.Table) -> str:
        """A function as a table source; its arguments see no columns of its neighbours."""
        only(node, "this", "alias")
        names = tuple(node.alias_column_names)
        compiler = self._expressions(_around(self.scope))
        sql, source = function_rows(compiler, node.this, node.alias, next_alias())
        self.scope.add(_renamed(source, names))
        return sql

    def _table(self, node: exp.Table) -> str:
        if isinstance(node.this, exp.Anonymous):
            if node.args.get("db") and not node.args.get("catalog"):
                raise failure("208", f"{node.db}.{node.this.name}")
            return self._function(node)
        only(node, "this", "db", "catalog", "alias", "hints")
        name = table_name(node)
        self._check_hints(node.args.get("hints") or [], name.schema)
        alias = node.args.get("alias")
        if alias is not None:
            only(alias, "this")
        sql, source = self._named(name, node.alias, bool(node.args.get("db")))
        self.scope.add(source)
        return sql

    def _check_hints(self, hints: list[exp.Expression], schema: str) -> None:
        # Nothing is locked in the catalog, and SQLAlchemy reads it so.
        taken = _HINTS | {"READPAST"} if schema.lower() == "sys" else _HINTS
        for hint in hints:
            for item in hint.expressions:
                if item.name.upper() not in taken:
                    raise refused(f"The table hint {item.name.upper()}")

    def _predict(self, node: dialect.Predict) -> str:
        sql, *sources = predict_source(node, self.context, self.query, self._named)
        for source in sources:
            self.scope.add(source)
        return sql

    def _named(self, name: ObjectName, alias: str, qualified: bool) -> tuple[str, Source]:
        """A table, view or common table expression by name, under an alias or its own name."""
        physical = next_alias()
        cte = None if qualified else self.scope.cte(name.name)
        if cte is not None:
            cte_name, query, columns = cte
            return f"{cte_name} AS {physical}", query.source(alias or name.name, physical, columns)
        schema = None if alias else name.schema
        requests = self.context.catalog.requests
        system = system_view(name.schema, name.name, requests) if qualified else None
        if system is not None:
            source = system.source(alias or name.name, physical)
            return f"({system.sql}) AS {physical}", replace(source, schema=schema)
        relation = self.context.catalog.find(name)
        if relation is None or relation.type not in (TABLE, VIEW):
            raise failure("208", str(name) if qualified else name.name)
        if relation.type == VIEW:
            query = self._view(relation)
            names = tuple(relation.details.get("columns", ()))
            if relation.columns:
                query, names = _as_defined(query, relation)
            source = query.source(alias or name.name, physical, names)
            return f"({query.sql}) AS {physical}", replace(source, schema=schema)
        source = table_source(relation, physical, alias or name.name, schema)
        return f"{relation.duckdb_name} AS {physical}", source

    def _view(self, view: SqlObject) -> BoundQuery:
        """The query of a view, compiled now: it sees the tables and models of this moment."""
        self.context.view_depth += 1
        if self.context.view_depth > MAX_VIEW_DEPTH:
            raise SqlError(217, f"Maximum view nesting level exceeded (limit {MAX_VIEW_DEPTH}).")
        reader = Reader(view.definition)
        try:
            query = self.query(reader.tree_until(len(reader.tokens)), Scope())
        except SqlError as error:
            raise SqlError(error.number, f"{error.message} (in the view '{view.name}')") from error
        self.context.view_depth -= 1
        return query

    def _derived(self, node: exp.Subquery) -> str:
        """A query in parentheses with its alias, or a join in parentheses."""
        only(node, "this", "alias")
        alias = node.args.get("alias")
        inner = node.this
        while isinstance(inner, exp.Subquery) and not inner.alias and not inner.args.get("joins"):
            inner = inner.this
        if isinstance(inner, exp.Table | exp.Subquery):
            joins = inner.args.get("joins") or ()
            if not joins or alias is not None or any(join.meta.get("comma") for join in joins):
                raise near(node.alias or ("," if joins else ")"))
            return self._joined(inner)
        if alias is None or not node.alias:
            raise near(")")
        if isinstance(node.this, exp.Values):
            raise refused("VALUES as a table source")
        names = tuple(node.alias_column_names)
        # A derived table sees no column of its neighbours, but those of the queries around.
        query = self.query(node.this, Scope(parent=_around(self.scope)))
        physical = next_alias()
        self.scope.add(query.source(node.alias, physical, names))
        return f"({query.sql}) AS {physical}"


def table_source(table: SqlObject, physical: str, alias: str, schema: str | None) -> Source:
    """A table as an item of FROM: `alias` in T-SQL, `physical` in DuckDB."""
    columns = tuple(
        NamedColumn(c.name, c.type, f"{physical}.{quoted(c.name)}", not c.nullable)
        for c in table.columns
    )
    return Source(alias, columns, schema)


def _as_defined(view: BoundQuery, definition: SqlObject) -> tuple[BoundQuery, tuple[str, ...]]:
    """A view with the columns that its * meant when it was defined, by their places.

    Source: https://learn.microsoft.com/sql/t-sql/statements/create-view-transact-sql
    """
    count = len(definition.columns)
    if len(view.columns) < count:
        raise failure("4502", definition.name)
    names = tuple(column.name for column in definition.columns)
    return replace(view, columns=view.columns[:count]), names


def _renamed(source: Source, names: tuple[str, ...]) -> Source:
    """A source under the column names of its alias."""
    if not names:
        return source
    if len(names) != len(source.columns):
        raise failure("8158" if len(source.columns) > len(names) else "8159", source.alias)
    columns = zip(names, source.columns, strict=True)
    return replace(source, columns=tuple(replace(c, name=name) for name, c in columns))


def _around(scope: Scope) -> Scope:
    """The scope without its own sources: what a derived table may refer to."""
    return Scope(parent=scope.parent, ctes=scope.ctes)
