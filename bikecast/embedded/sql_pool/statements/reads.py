"""SELECT, which may assign variables or fill a table, and expressions outside of a query."""
# ruff: noqa: S608 # the compiler writes SQL: names are quoted, values are bound

from __future__ import annotations

import datetime

from sqlglot import exp

from bikecast.core.sql import ResultColumn, ResultSet
from bikecast.embedded.sql_pool.errors import failure, refused
from bikecast.embedded.sql_pool.expressions.context import Variable, declared
from bikecast.embedded.sql_pool.queries.compiler import QueryCompiler
from bikecast.embedded.sql_pool.statements import definitions
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.profile import only
from bikecast.embedded.sql_pool.values.conversion import assign
from bikecast.embedded.sql_pool.values.scope import Scope, Typed
from bikecast.embedded.sql_pool.values.types import MAX, SqlType
from bikecast.embedded.sql_pool.work import Work

#: Rows of a SELECT that assigns a variable from itself; each is a query.
_MOST_ASSIGNED_ROWS = 1000


def result_type(type_: SqlType) -> str:
    """The name of a result column's type; decimals carry precision and scale."""
    return type_.declaration if type_.name in ("decimal", "null") else type_.name


def query(work: Work, tree: exp.Expression) -> ResultSet | int:
    """Run a query; one that assigns variables or fills a table returns its number of rows."""
    targets = _assignments(tree)
    if targets:
        return _assign_variables(work, tree, targets)
    if fills_table(tree):
        return _select_into(work, tree)
    compiled = QueryCompiler(work.context).statement(tree)
    columns = tuple(ResultColumn(name, result_type(type_)) for name, type_ in compiled.columns)
    rows = work.run(compiled.sql)
    offsets = [i for i, (_, type_) in enumerate(compiled.columns) if type_.name == "datetimeoffset"]
    return ResultSet(columns, [_with_offsets(row, offsets) for row in rows] if offsets else rows)


def _with_offsets(row: tuple[object, ...], places: list[int]) -> tuple[object, ...]:
    """A row with its datetimeoffset values as Python's aware datetimes."""
    values = list(row)
    for place in places:
        value = values[place]
        if isinstance(value, dict):
            zone = datetime.timezone(datetime.timedelta(minutes=value["minutes"]))
            values[place] = value["utc"].replace(tzinfo=datetime.UTC).astimezone(zone)
    return tuple(values)


def _is_assignment(node: exp.Expression) -> bool:
    return isinstance(node, exp.EQ) and isinstance(node.this, exp.Parameter)


def _assignments(tree: exp.Expression) -> list[str]:
    if not isinstance(tree, exp.Select):
        return []
    names = [node.this.name for node in tree.expressions if _is_assignment(node)]
    if names and len(names) != len(tree.expressions):
        raise failure("141")
    return names


def _first_select(tree: exp.Expression) -> exp.Expression:
    """The query that names the columns of a set operation."""
    while isinstance(tree, exp.SetOperation):
        tree = tree.this
    return tree


def fills_table(tree: exp.Expression) -> bool:
    """Whether a query is SELECT ... INTO."""
    return _first_select(tree).args.get("into") is not None


def _select_into(work: Work, tree: exp.Expression) -> int:
    """SELECT ... INTO makes a round-robin table with a columnstore index."""
    plain = tree.copy()
    first = _first_select(plain)
    node = first.args["into"]
    only(node, "this", "temporary")
    name = st.table_name(node.this)
    first.set("into", None)
    definitions.create_table(work, st.CreateTable(0, name, query=plain))
    table = definitions.existing_table(work, name)
    return work.count(f"SELECT count(*) FROM {table.duckdb_name}")


def _assign_variables(work: Work, tree: exp.Expression, targets: list[str]) -> int:
    """SELECT @a = x, @b = y: the last row counts; without a row nothing changes."""
    values_of = [node.expression for node in tree.expressions]
    if _refers(values_of, targets):
        return _assign_row_by_row(work, tree, targets)
    plain = tree.copy()
    plain.set("expressions", [node.expression for node in plain.expressions])
    compiled = QueryCompiler(work.context).statement(plain)
    variables = [declared(work.context.variables, name) for name in targets]
    values = ", ".join(
        assign(Typed(f"q.c{i}", type_), variable.type).sql
        for i, ((_, type_), variable) in enumerate(
            zip(compiled.columns, variables, strict=True), start=1
        )
    )
    rows = work.run(f"SELECT {values} FROM ({compiled.sql}) AS q")
    if rows:
        for variable, value in zip(variables, rows[-1], strict=True):
            variable.value = value
    return len(rows)


def _refers(values: list[exp.Expression], targets: list[str]) -> bool:
    names = {name.lower() for name in targets}
    return any(
        node.name.lower() in names for value in values for node in value.find_all(exp.Parameter)
    )


def _assign_row_by_row(work: Work, tree: exp.Expression, targets: list[str]) -> int:
    """SELECT @a = @a + x: a row sees what the one before it, and the item before it, left."""
    if tree.args.get("distinct") is not None:
        raise refused("SELECT DISTINCT that assigns a variable from itself")
    for row in range(_MOST_ASSIGNED_ROWS + 1):
        for item, name in zip(tree.expressions, targets, strict=True):
            plain = tree.copy()
            plain.set("expressions", [item.expression.copy()])
            work.context.parameters.clear()
            compiled = QueryCompiler(work.context).statement(plain)
            variable = declared(work.context.variables, name)
            value = assign(Typed("q.c1", compiled.columns[0][1]), variable.type).sql
            rows = work.run(f"SELECT {value} FROM ({compiled.sql}) AS q LIMIT 1 OFFSET {row}")
            if not rows:
                return row
            variable.value = rows[0][0]
    raise refused(
        f"An assignment of a variable from itself over more than {_MOST_ASSIGNED_ROWS} rows"
    )


def evaluate(work: Work, tree: exp.Expression, to: SqlType) -> object:
    """The value of an expression, converted to a type as an assignment does."""
    value = assign(QueryCompiler(work.context).expressions(Scope()).value(tree), to)
    return work.run(f"SELECT {value.sql}")[0][0]


def variable_of_type(
    variables: dict[str, Variable], tree: exp.Expression, to: SqlType
) -> Variable | None:
    """The variable that an expression is, if its value is one of the type `to` as it is."""
    if not isinstance(tree, exp.Parameter) or isinstance(tree.this, exp.Parameter):
        return None
    variable = variables.get(tree.name.lower())
    return variable if variable is not None and _fits(variable, to) else None


def _fits(variable: Variable, to: SqlType) -> bool:
    """Whether a variable's value is one of the type `to` as it is."""
    type_, value = variable.type, variable.value
    if type_ == to:
        return True
    if type_.name != to.name or to.name not in ("varchar", "nvarchar", "varbinary"):
        return False
    size = len(value) if isinstance(value, str | bytes) else 0
    return to.length == MAX or size <= (to.length or 0)


def holds(work: Work, tree: exp.Expression) -> bool:
    """Whether a condition is true (unknown is not)."""
    condition = QueryCompiler(work.context).expressions(Scope()).condition(tree)
    return bool(work.run(f"SELECT CASE WHEN {condition} THEN 1 ELSE 0 END")[0][0])
