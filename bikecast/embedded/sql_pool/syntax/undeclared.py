"""Variables that a batch uses before it declares them: the batch is refused before it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import undeclared
from bikecast.embedded.sql_pool.syntax import flow
from bikecast.embedded.sql_pool.syntax import statements as st


def check_declared(statements: Iterable[st.Statement], variables: Iterable[str]) -> None:
    """Raise SqlError 137 for a variable that neither `variables` nor a DECLARE before it names."""
    names = {name.lower() for name in variables}
    for declared, used in _uses(tuple(statements)):
        if used and used.lower() not in names:
            raise undeclared(used)
        if declared:
            names.add(declared.lower())


def _uses(item: object) -> Iterator[tuple[str, str]]:
    """Declared and used names in the order of the text; one of the two is empty."""
    if isinstance(item, exp.Expression):
        for node in item.find_all(exp.Parameter, bfs=False):
            if not isinstance(node.this, exp.Parameter) and not isinstance(
                node.parent, exp.Parameter
            ):
                yield "", node.name
    elif isinstance(item, tuple | list):
        for part in item:
            yield from _uses(part)
    elif isinstance(item, flow.Declare):
        for _, _, value in item.variables:
            yield from _uses(value)
        for name, _, _ in item.variables:
            yield name, ""
    elif isinstance(item, st.CreateProcedure | st.CreateFunction | st.CreateView):
        return  # a definition has variables of its own
    elif dataclasses.is_dataclass(item):
        if isinstance(item, flow.SetVariable):
            yield "", item.name
        if isinstance(item, flow.ExecuteProcedure) and item.status:
            yield "", item.status
        for field in dataclasses.fields(item):
            yield from _uses(getattr(item, field.name))
