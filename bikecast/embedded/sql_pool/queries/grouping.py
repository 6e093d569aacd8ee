"""Which values are one: GROUP BY, DISTINCT and the set operators; and items of ORDER BY.

Values that compare as equal are one group, although they may differ: texts by case or by trailing
blanks, moments by their offset. DuckDB compares keys, and one value of a group stands for all.
"""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, failure, refused
from bikecast.embedded.sql_pool.expressions.functions.aggregates import AGGREGATES
from bikecast.embedded.sql_pool.expressions.functions.dates import PART_FUNCTIONS
from bikecast.embedded.sql_pool.syntax.profile import only
from bikecast.embedded.sql_pool.values.conversion import cast
from bikecast.embedded.sql_pool.values.operators import equality_key
from bikecast.embedded.sql_pool.values.scope import Typed
from bikecast.embedded.sql_pool.values.types import SqlType

if TYPE_CHECKING:
    from bikecast.embedded.sql_pool.expressions.compiler import ExpressionCompiler


#: DuckDB knows the range of a part of a date, and groups by it without a hash table.
_PART_OF_DATE = re.compile(r"CAST\(((?:year|quarter|month|day)\([^()]+\)) AS INTEGER\)")


def group_clause(compiler: ExpressionCompiler, node: exp.Expression | None) -> str:
    """GROUP BY; what is compiled behind it reads one value of each group.

    Raises SqlError 144 or 164 for what is no column, and 103010 for CUBE and GROUPING SETS.
    """
    if node is None:
        return ""
    only(node, "expressions")
    items: list[str] = []
    keys: dict[str, str] = {}
    for item in node.expressions:
        if isinstance(item, exp.Rollup) and item.expressions:
            values = [_grouped(compiler, part) for part in item.expressions]
            for value in values:
                key = equality_key(value)
                keys[value.sql] = f"(CASE WHEN grouping({key}) = 0 THEN first({value.sql}) END)"
            items.append(f"ROLLUP ({', '.join(equality_key(value) for value in values)})")
            continue
        if isinstance(item, exp.Rollup | exp.Cube | exp.GroupingSets | exp.Tuple):
            raise refused(f"GROUP BY {item.key.upper()}")
        value = _grouped(compiler, item)
        part = _PART_OF_DATE.fullmatch(value.sql)
        if part is None:
            keys[value.sql] = f"first({value.sql})"
        items.append(equality_key(value) if part is None else part[1])
    compiler.scope.groups = {sql: one for sql, one in keys.items() if sql not in items}
    return " GROUP BY " + ", ".join(items) if items else ""


def _grouped(compiler: ExpressionCompiler, node: exp.Expression) -> Typed:
    if isinstance(node, exp.Literal | exp.National):
        raise failure("164")
    if isinstance(node, exp.Select | exp.Subquery) or _has_aggregate_or_window(node):
        raise failure("144")
    return compiler.value(node)


def _has_aggregate_or_window(node: exp.Expression) -> bool:
    return any(
        isinstance(item, exp.Window)
        or (isinstance(item, exp.Anonymous) and item.name.upper() in AGGREGATES)
        for item in node.walk()
    )


def distinct_clause(values: Sequence[Typed]) -> str:
    """DISTINCT: rows are the same where their keys are."""
    keys = [equality_key(value) for value in values]
    if keys == [value.sql for value in values]:
        return "DISTINCT "
    for place, value in enumerate(values):
        if keys[place] == value.sql:  # a bare number would mean a column by its place
            keys[place] = cast(value.sql, value.type)
    return f"DISTINCT ON ({', '.join(keys)}) "


def combined(operator: str, sides: tuple[str, str], types: Sequence[SqlType]) -> str:
    """UNION, EXCEPT or INTERSECT of two queries with columns c1, c2, ... of these types."""
    left, right = (
        [equality_key(Typed(f"{side}.c{i}", type_)) for i, type_ in enumerate(types, 1)]
        for side in ("l", "r")
    )
    if left == [f"l.c{i}" for i in range(1, len(types) + 1)]:
        return f"{sides[0]} {operator} {sides[1]}"
    distinct = f"SELECT DISTINCT ON ({', '.join(left)}) l.* FROM"
    if operator == "UNION":
        return f"{distinct} ({sides[0]} UNION ALL {sides[1]}) AS l"
    same = " AND ".join(f"{a} IS NOT DISTINCT FROM {b}" for a, b in zip(left, right, strict=True))
    exists = f"EXISTS (SELECT 1 FROM {sides[1]} AS r WHERE {same})"
    return f"{distinct} {sides[0]} AS l WHERE {'' if operator == 'INTERSECT' else 'NOT '}{exists}"


#: The error for a column that is neither grouped nor aggregated, by the clause it stands in.
_NOT_GROUPED = {
    8120: "in the select list because it is not contained in either an aggregate function or",
    8121: "in the HAVING clause because it is not contained in either an aggregate function or",
    8127: "in the ORDER BY clause because it is not contained in either an aggregate function or",
}


def check_grouped(compiler: ExpressionCompiler, tree: exp.Select) -> None:
    """Refuse columns of a grouped query that are neither grouped nor aggregated.

    Raises SqlError 8120 (select list), 8121 (HAVING) or 8127 (ORDER BY).
    """
    group, having, order = (tree.args.get(name) for name in ("group", "having", "order"))
    listed = tree.expressions
    if group is None and having is None and not any(has_aggregate(node) for node in listed):
        return
    parts: list[exp.Expression] = []
    for item in group.expressions if group is not None else ():
        parts += item.expressions if isinstance(item, exp.Rollup) else [item]
    with compiler.scope.ungrouped():
        check = _GroupCheck(compiler, parts)
        for node in listed:
            check.visit(node, 8120)
        if having is not None:
            check.visit(having.this, 8121)
        names = {node.alias_or_name.lower() for node in listed}
        for item in order.expressions if order is not None else ():
            named = isinstance(item.this, exp.Column) and not item.this.table
            if not (named and item.this.name.lower() in names):
                check.visit(item.this, 8127)


def has_aggregate(node: exp.Expression) -> bool:
    """Whether a node holds an aggregate of this query: no window function, no subquery's."""
    if isinstance(node, exp.Select | exp.Subquery):
        return False
    if isinstance(node, exp.Anonymous) and node.name.upper() in AGGREGATES:
        return True
    children = node.iter_expressions()
    if isinstance(node, exp.Window):
        call = node.this.this if isinstance(node.this, exp.WithinGroup) else node.this
        children = iter([*call.expressions])
    return any(has_aggregate(child) for child in children)


class _GroupCheck:
    """Looks for columns that no group determines."""

    def __init__(self, compiler: ExpressionCompiler, parts: list[exp.Expression]) -> None:
        self.compiler = compiler
        self.node_types = {type(part) for part in parts}
        self.groups = {compiler.value(part).sql for part in parts}

    def visit(self, node: exp.Expression, number: int) -> None:
        """Raise the error of that number for such a column in an expression."""
        if isinstance(node, exp.Select | exp.Subquery | exp.WithinGroup):
            return
        if isinstance(node, exp.Anonymous) and node.name.upper() in AGGREGATES:
            return
        if type(node) in self.node_types and self.compiler.value(node).sql in self.groups:
            return
        if isinstance(node, exp.Column):
            self._column(node, number)
            return
        children = list(node.iter_expressions())
        if isinstance(node, exp.Anonymous) and node.name.upper() in PART_FUNCTIONS:
            children = children[1:]  # day, month ... are no columns
        if isinstance(node, exp.Window):
            call = node.this.this if isinstance(node.this, exp.WithinGroup) else node.this
            children = [*call.expressions, *(c for c in children if c is not node.this)]
        for child in children:
            self.visit(child, number)

    def _column(self, node: exp.Column, number: int) -> None:
        if isinstance(node.this, exp.Star):
            return
        column = self.compiler.scope.own_column(node.name, node.table or None, node.db or None)
        if column:
            raise SqlError(
                number,
                f"Column '{column}' is invalid {_NOT_GROUPED[number]} the GROUP BY clause.",
            )


_CONSTANTS = (exp.Literal, exp.National, exp.HexString, exp.Null)


def refuse_constant(node: exp.Expression, number: int) -> None:
    """Refuse what orders nothing; DuckDB would take some of it for a column's number."""
    if node.find(exp.Func, exp.Query, exp.Subquery):
        return
    leaves = [leaf for leaf in node.walk() if leaf.is_leaf()]
    if all(isinstance(leaf, _CONSTANTS) for leaf in leaves):
        raise failure("408", number)
    if all(
        isinstance(leaf, _CONSTANTS) or isinstance(leaf.parent, exp.Parameter) for leaf in leaves
    ):
        raise failure("1008", number)


def output_place(node: exp.Expression, columns: tuple[tuple[str, SqlType], ...]) -> int | None:
    """The output column that an ORDER BY item means by number or by name."""
    if isinstance(node, exp.Literal) and not node.is_string:
        if not node.name.isdigit() or not 1 <= int(node.name) <= len(columns):
            raise failure("108", node.name)
        return int(node.name)
    if isinstance(node, exp.Column) and not node.table:
        places = [i for i, (name, _) in enumerate(columns, 1) if name.lower() == node.name.lower()]
        if len(places) > 1:
            raise failure("209", node.name)
        return places[0] if places else None
    return None


def selected_place(node: exp.Expression, tree: exp.Expression) -> int | None:
    """The output column of a set operation that is this column of a table in its first query."""

    def key(item: exp.Expression) -> tuple[str, str]:
        return item.name.lower(), item.text("table").lower()

    while isinstance(tree, exp.SetOperation | exp.Subquery):
        tree = tree.this
    if not isinstance(node, exp.Column) or not isinstance(tree, exp.Select):
        return None
    columns = [key(item) if isinstance(item, exp.Column) else None for item in tree.expressions]
    return columns.index(key(node)) + 1 if key(node) in columns else None
