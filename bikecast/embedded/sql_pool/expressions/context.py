"""What the compiler needs to know of the session: catalog, variables, server values, models."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field

from bikecast.embedded.sql_pool.catalog.catalog import Catalog
from bikecast.embedded.sql_pool.errors import undeclared
from bikecast.embedded.sql_pool.predict.scorers import Scorers
from bikecast.embedded.sql_pool.values.scope import BoundQuery, Typed
from bikecast.embedded.sql_pool.values.types import SqlType


@dataclass
class Variable:
    """A variable of a batch: its type and its value as DuckDB takes and returns it."""

    type: SqlType
    value: object = None


def declared(variables: dict[str, Variable], name: str) -> Variable:
    """The variable @name of those by lower-case name.

    Raises SqlError 137 where there is none.
    """
    variable = variables.get(name.lower())
    if variable is None:
        raise undeclared(name)
    return variable


@dataclass
class Context:
    """Shared by all compiler steps of one statement.

    `parameters` collects the values that the compiled SQL refers to as $name.
    """

    catalog: Catalog
    variables: dict[str, Variable]
    server: dict[str, tuple[object, SqlType]]
    """Values of @@NAME and of functions such as ERROR_NUMBER, by upper-case name."""
    scorers: Scorers
    run_scalar: Callable[[BoundQuery, dict[str, object]], object]
    """Run a query of one row and column now, in the current transaction."""
    parameters: dict[str, object] = field(default_factory=dict)
    now: datetime.datetime = field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    )
    """One moment for all clocks of a statement; DuckDB's now() is the transaction's start."""
    view_depth: int = 0
    _bound: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, Typed] | None = None
    """The variables of the user-defined function whose body is compiled, by lower-case name."""

    def variable(self, name: str) -> Typed:
        """A reference to @name.

        Raises SqlError 137 where it is not declared.
        """
        if self.arguments is not None:
            if name.lower() not in self.arguments:
                raise undeclared(name)
            return self.arguments[name.lower()]
        variable = declared(self.variables, name)
        constant = (
            variable.value if variable.type.is_text and isinstance(variable.value, str) else None
        )
        # One name for all places, so that an expression with a variable can be grouped by.
        bound = self._bound.get(name.lower(), "")
        if bound not in self.parameters or self.parameters[bound] is not variable.value:
            bound = self._bound[name.lower()] = f"bound_{len(self.parameters)}_"
            self.parameters[bound] = variable.value
        return Typed(f"CAST(${bound} AS {variable.type.duckdb})", variable.type, constant)

    def bind_list(self, values: list[object], type_: SqlType) -> str:
        """A DuckDB list of Python values of one type."""
        name = f"bound_{len(self.parameters)}_"
        self.parameters[name] = values
        return f"CAST(${name} AS {type_.duckdb}[])"

    def bind(self, value: object, type_: SqlType) -> str:
        """A DuckDB expression for a Python value, which never becomes SQL text."""
        name = f"bound_{len(self.parameters)}_"
        self.parameters[name] = value
        return f"CAST(${name} AS {type_.duckdb})"
