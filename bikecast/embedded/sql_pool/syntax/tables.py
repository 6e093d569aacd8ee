"""CREATE TABLE: columns, constraints and the WITH clause."""

from __future__ import annotations

from sqlglot import exp

from bikecast.embedded.sql_pool.errors import SqlError, failure, parse_error, refused
from bikecast.embedded.sql_pool.syntax import profile
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.reader import Reader
from bikecast.embedded.sql_pool.values.types import SqlType

_CONSTANTS = (exp.Literal, exp.National, exp.HexString, exp.Null)
_ITEM_END = frozenset({",", ")"})
_DEFAULT_END = frozenset({",", "NOT", "NULL", "CONSTRAINT", "COLLATE", "PRIMARY", "UNIQUE"})


def create_table(reader: Reader, line: int) -> st.Statement:
    """The rest of CREATE TABLE, or of CREATE TABLE AS SELECT, behind CREATE."""
    reader.take()
    name = reader.object_name()
    columns: list[st.ColumnDefinition] = []
    keys: list[st.KeyConstraint] = []
    names: tuple[str, ...] = ()
    if reader.word() == "(":
        if reader.word(2) in (",", ")"):
            names = reader.names_in_parentheses()
        else:
            columns = _columns(reader, keys)
    options = _options(reader) if reader.match("WITH") else st.TableOptions()
    if not reader.match("AS"):
        if not columns:
            raise reader.error()
        _check_options(options, [column.name for column in columns])
        keys = [key for column in columns for key in column.keys] + keys
        return st.CreateTable(line, name, tuple(columns), options, keys=tuple(keys))
    if columns:
        raise parse_error("CREATE TABLE AS SELECT takes column names only.", line)
    if not options.distribution:
        raise refused("CREATE TABLE AS SELECT without a DISTRIBUTION option")
    end = reader.span(selects=1 if reader.word() == "WITH" else 0)
    return st.CreateTable(line, name, (), options, reader.tree_until(end), names)


def require_constant(node: exp.Expression) -> None:
    """Refuse a default that is no literal, with a sign or in parentheses."""
    while isinstance(node, exp.Paren | exp.Neg):
        node = node.this
    if not isinstance(node, _CONSTANTS):
        raise refused("A default that is not a constant")


def _columns(reader: Reader, keys: list[st.KeyConstraint]) -> list[st.ColumnDefinition]:
    """The columns of a table; the keys among them are added to `keys`."""
    columns: list[st.ColumnDefinition] = []

    def item() -> None:
        if reader.word() in ("CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "INDEX"):
            keys.append(table_constraint(reader))
        else:
            columns.append(column_definition(reader))

    reader.in_parentheses(item)
    names: set[str] = set()
    for column in columns:
        if column.name.lower() in names:
            raise SqlError(2705, f"Column names in each table must be unique: '{column.name}'.")
        names.add(column.name.lower())
    if sum(column.identity is not None for column in columns) > 1:
        raise SqlError(2744, "Only one identity column is allowed in a table.")
    return columns


def column_definition(reader: Reader) -> st.ColumnDefinition:
    """name type [NULL | NOT NULL] [DEFAULT constant] [IDENTITY (seed, increment)] ..."""
    name = reader.identifier()
    if reader.word() == "AS":
        raise refused("A computed column")
    type_ = reader.type_name()
    nullable: bool | None = None
    text = label = default_name = ""
    identity = None
    keys: list[st.KeyConstraint] = []
    while reader.word() not in _ITEM_END and not reader.at_statement_end():
        if reader.word() in ("NOT", "NULL"):
            if nullable is not None:
                raise failure("8148", name)
            nullable = not reader.match("NOT")
            reader.expect("NULL")
        elif reader.match("COLLATE"):
            profile.check_column_collation(reader.identifier(), type_)
        elif reader.match("CONSTRAINT"):
            label = reader.identifier()
        elif reader.match("DEFAULT"):
            text, default_name = default_value(reader, _DEFAULT_END), label
        elif reader.word() == "IDENTITY":
            identity = _identity(reader, type_)
        elif reader.word() in ("PRIMARY", "UNIQUE"):
            keys.append(_key(reader, label, (name,)))
            label = ""
        elif reader.word() in ("REFERENCES", "FOREIGN"):
            raise refused("A foreign key")
        elif reader.word() == "CHECK":
            raise refused("A CHECK constraint")
        else:
            raise reader.error()
    if identity is not None and nullable:
        raise SqlError(8147, f"Could not create IDENTITY attribute on nullable column '{name}'.")
    return st.ColumnDefinition(
        name,
        type_,
        nullable is not False and identity is None,
        text,
        identity,
        default_name,
        null_given=nullable is True,
        keys=tuple(keys),
    )


def default_value(reader: Reader, stop: frozenset[str]) -> str:
    """The T-SQL text of a constant behind DEFAULT.

    Raises SqlError for any other expression, as a dedicated pool does.
    """
    start = reader.position
    end = 2 if reader.word() in ("-", "+") else 1
    if reader.word() == "(":
        stop = stop - {"NULL"}
    elif reader.word() == "NULL":
        reader.take()
        return "NULL"
    tree = reader.expression(stop) if end == 1 else reader.tree_until(start + 2, expression=True)
    require_constant(tree)
    return reader.text_since(start)


def _identity(reader: Reader, type_: SqlType) -> tuple[int, int]:
    """IDENTITY [(seed, increment)] of an integer column."""
    reader.expect("IDENTITY")
    if not type_.is_integer:
        raise SqlError(2749, "An identity column must be of an integer data type.")
    if reader.word() != "(":
        return 1, 1
    steps = reader.in_parentheses(lambda: _integer(reader))
    if len(steps) != 2:
        raise reader.error()
    if steps[1] == 0:
        raise SqlError(2749, "The increment of an identity column must not be 0.")
    return steps[0], steps[1]


def _integer(reader: Reader) -> int:
    sign = -1 if reader.match("-") else 1
    token = reader.take()
    if not token.text.isdigit():
        reader.position -= 1
        raise reader.error()
    return sign * int(token.text)


def table_constraint(reader: Reader) -> st.KeyConstraint:
    """A key of a table; other constraints are refused."""
    name = reader.identifier() if reader.match("CONSTRAINT") else ""
    if reader.word() == "FOREIGN":
        raise refused("A foreign key")
    if reader.word() not in ("PRIMARY", "UNIQUE"):
        raise refused(f"A {reader.word()} constraint")
    return _key(reader, name, ())


def _key(reader: Reader, name: str, columns: tuple[str, ...]) -> st.KeyConstraint:
    """Only PRIMARY KEY NONCLUSTERED NOT ENFORCED and UNIQUE NOT ENFORCED exist.

    `columns` is the column that it stands behind; a key of a table names its own.
    """
    word = reader.take().text.upper()
    if word == "PRIMARY":
        reader.expect("KEY")
        if not reader.match("NONCLUSTERED"):
            raise refused("PRIMARY KEY without NONCLUSTERED NOT ENFORCED")
    else:
        reader.match("NONCLUSTERED")
    if reader.word() == "(" or not columns:
        columns = reader.names_in_parentheses()
    if not reader.match("NOT", "ENFORCED"):
        raise refused(f"An enforced {word} constraint")
    return st.KeyConstraint("PK" if word == "PRIMARY" else "UQ", name, columns)


def _options(reader: Reader) -> st.TableOptions:
    options: dict[str, object] = {}
    for option in reader.in_parentheses(lambda: _option(reader)):
        if options.keys() & option.keys():
            raise parse_error(f"The table option {next(iter(option))} is given twice.", reader.line)
        options |= option
    return st.TableOptions(**options)  # type: ignore[arg-type]


def _option(reader: Reader) -> dict[str, object]:
    if reader.match("DISTRIBUTION"):
        reader.expect("=")
        word = reader.take().text.upper()
        if word == "HASH":
            return {"distribution": "HASH", "hash_columns": reader.names_in_parentheses()}
        if word not in ("ROUND_ROBIN", "REPLICATE"):
            reader.position -= 1
            raise reader.error()
        return {"distribution": word}
    if reader.match("HEAP"):
        return {"index": "HEAP"}
    if reader.match("CLUSTERED", "COLUMNSTORE", "INDEX"):
        ordered = reader.names_in_parentheses() if reader.match("ORDER") else ()
        return {"index": "CLUSTERED COLUMNSTORE INDEX", "index_columns": ordered}
    if reader.match("CLUSTERED", "INDEX"):
        columns, descending = reader.column_list()
        return {"index": "CLUSTERED INDEX", "index_columns": columns, "descending": descending}
    if reader.match("PARTITION"):
        return _partition(reader)
    if reader.match("LOCATION"):  # of older scripts; there is no other place
        reader.expect("=", "USER_DB")
        return {}
    raise reader.error()


def _partition(reader: Reader) -> dict[str, object]:
    reader.expect("(")
    column = reader.identifier()
    reader.expect("RANGE")
    if not reader.match("LEFT"):
        reader.match("RIGHT")
    reader.expect("FOR", "VALUES", "(")
    while reader.word() != ")":
        reader.expression(_ITEM_END)
        reader.match(",")
    reader.expect(")", ")")
    return {"partition_column": column}


def _check_options(options: st.TableOptions, columns: list[str]) -> None:
    names = {name.lower() for name in columns}
    used = (*options.hash_columns, *options.index_columns, options.partition_column)
    for name in used:
        if name and name.lower() not in names:
            raise failure("1911", name)
