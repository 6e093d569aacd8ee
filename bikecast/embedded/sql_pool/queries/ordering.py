"""ORDER BY items of a query: the column that one means, and what is refused."""

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError
from bikecast.embedded.sql_pool.values.types import SqlType

_CONSTANTS = (exp.Literal, exp.National, exp.HexString, exp.Null)


def refuse_constant(node: exp.Expression, number: int) -> None:
    """Refuse what orders nothing; DuckDB would take some of it for a column's number."""
    if node.find(exp.Func, exp.Query, exp.Subquery):
        return
    leaves = [leaf for leaf in node.walk() if leaf.is_leaf()]
    if all(isinstance(leaf, _CONSTANTS) for leaf in leaves):
        raise SqlError(
            408, f"A constant expression was encountered in the ORDER BY list, position {number}."
        )
    if all(
        isinstance(leaf, _CONSTANTS) or isinstance(leaf.parent, exp.Parameter) for leaf in leaves
    ):
        raise SqlError(
            1008,
            f"The SELECT item identified by the ORDER BY number {number} contains a variable as "
            "part of the expression identifying a column position. Variables are only allowed "
            "when ordering by an expression referencing a column name.",
        )


def output_place(node: exp.Expression, columns: tuple[tuple[str, SqlType], ...]) -> int | None:
    """The output column that an ORDER BY item means by number or by name."""
    if isinstance(node, exp.Literal) and not node.is_string:
        if not node.name.isdigit() or not 1 <= int(node.name) <= len(columns):
            raise SqlError(
                108,
                f"The ORDER BY position number {node.name} is out of range of the number of "
                "items in the select list.",
            )
        return int(node.name)
    if isinstance(node, exp.Column) and not node.table:
        places = [i for i, (name, _) in enumerate(columns, 1) if name.lower() == node.name.lower()]
        if len(places) > 1:
            raise SqlError(209, f"Ambiguous column name '{node.name}'.")
        return places[0] if places else None
    return None
