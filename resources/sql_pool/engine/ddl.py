"""CREATE, ALTER, DROP, TRUNCATE, RENAME and COPY INTO: tokens to statements."""

from __future__ import annotations

from sqlglot.tokens import TokenType

from resources.sql_pool.engine import statements as st
from resources.sql_pool.engine.errors import SqlError, not_emulated, parse_error, unsupported
from resources.sql_pool.engine.profile import first_in_batch
from resources.sql_pool.engine.reader import Reader

_KINDS = {"TABLE": "TABLE", "VIEW": "VIEW", "PROC": "PROCEDURE", "PROCEDURE": "PROCEDURE"}
_REFUSED = {
    "TRIGGER": "A trigger",
    "SEQUENCE": "A sequence",
    "SYNONYM": "A synonym",
    "TYPE": "A user-defined type",
    "OR": "CREATE OR ALTER",
    "UNIQUE": "A unique index",
    "DEFAULT": "CREATE DEFAULT",
    "RULE": "CREATE RULE",
    "DATABASE": "CREATE DATABASE inside a pool",
}
_ITEM_END = frozenset({",", ")"})


def create(reader: Reader, line: int) -> st.Statement:
    """CREATE or ALTER of a table, view or schema."""
    first = reader.position == 0 or reader.kind(-1) is TokenType.SEMICOLON
    alter = reader.take().text.upper() == "ALTER"
    kind = reader.word()
    if kind in _REFUSED:
        raise unsupported(_REFUSED[kind])
    if kind == "VIEW":
        if not first:
            raise first_in_batch("CREATE/ALTER VIEW")
        return _view(reader, line, alter)
    if kind == "TABLE" and not alter:
        return _table(reader, line)
    if kind == "SCHEMA" and not alter:
        reader.take()
        return st.CreateSchema(line, reader.identifier())
    raise not_emulated(f"{'ALTER' if alter else 'CREATE'} {kind}")


def _view(reader: Reader, line: int, alter: bool) -> st.Statement:
    reader.take()
    name = reader.object_name()
    if name.is_temporary:
        raise unsupported("A temporary view")
    columns = reader.names_in_parentheses() if reader.word() == "(" else ()
    if reader.word() == "WITH":
        raise unsupported("CREATE VIEW with options")
    reader.expect("AS")
    if reader.at_end:
        raise reader.error()
    start = reader.tokens[reader.position].start
    end = reader.span(selects=1 if reader.word() == "WITH" else 0)
    reader.tree_until(end)
    return st.CreateView(line, name, columns, reader.text[start:].rstrip("; \t\r\n"), alter)


def _table(reader: Reader, line: int) -> st.Statement:
    reader.take()
    name = reader.object_name()
    columns: list[st.ColumnDefinition] = []
    names: tuple[str, ...] = ()
    if reader.word() == "(":
        if reader.word(2) in (",", ")"):
            names = reader.names_in_parentheses()
        else:
            columns = _columns(reader)
    options = _options(reader) if reader.match("WITH") else st.TableOptions()
    if not reader.match("AS"):
        if not columns:
            raise reader.error()
        _check_options(options, [column.name for column in columns])
        return st.CreateTable(line, name, tuple(columns), options)
    if columns:
        raise parse_error("CREATE TABLE AS SELECT takes column names only.", line)
    if not options.distribution:
        raise unsupported("CREATE TABLE AS SELECT without a DISTRIBUTION option")
    end = reader.span(selects=1)
    return st.CreateTable(line, name, (), options, reader.tree_until(end), names)


def _columns(reader: Reader) -> list[st.ColumnDefinition]:
    reader.expect("(")
    columns: list[st.ColumnDefinition] = []
    while True:
        if reader.word() in ("CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "INDEX"):
            _table_constraint(reader)
        else:
            columns.append(_column(reader))
        if not reader.match(","):
            break
    reader.expect(")")
    seen: set[str] = set()
    for column in columns:
        if column.name.lower() in seen:
            raise SqlError(2705, f"Column names in each table must be unique: '{column.name}'.")
        seen.add(column.name.lower())
    return columns


def _column(reader: Reader) -> st.ColumnDefinition:
    name = reader.identifier()
    if reader.word() == "AS":
        raise unsupported("A computed column")
    kind = reader.type_name()
    nullable = True
    default, text = None, ""
    while reader.word() not in _ITEM_END:
        if reader.match("NOT", "NULL"):
            nullable = False
        elif reader.match("NULL"):
            nullable = True
        elif reader.match("COLLATE"):
            reader.identifier()
        elif reader.match("CONSTRAINT"):
            reader.identifier()
        elif reader.match("DEFAULT"):
            start = reader.position
            stop = frozenset({",", "NOT", "NULL", "CONSTRAINT", "COLLATE"})
            default = reader.expression(stop)
            text = _text(reader, start)
        elif reader.word() == "IDENTITY":
            raise not_emulated("IDENTITY")
        elif reader.word() in ("PRIMARY", "UNIQUE"):
            _key(reader)
        elif reader.word() in ("REFERENCES", "FOREIGN"):
            raise unsupported("A foreign key")
        elif reader.word() == "CHECK":
            raise unsupported("A CHECK constraint")
        else:
            raise reader.error()
    return st.ColumnDefinition(name, kind, nullable, default, text)


def _text(reader: Reader, start: int) -> str:
    tokens = reader.tokens
    return reader.text[tokens[start].start : tokens[reader.position - 1].end + 1]


def _table_constraint(reader: Reader) -> None:
    if reader.match("CONSTRAINT"):
        reader.identifier()
    if reader.word() == "FOREIGN":
        raise unsupported("A foreign key")
    if reader.word() not in ("PRIMARY", "UNIQUE"):
        raise unsupported(f"A {reader.word()} constraint")
    _key(reader)


def _key(reader: Reader) -> None:
    """Only PRIMARY KEY NONCLUSTERED NOT ENFORCED and UNIQUE NOT ENFORCED exist."""
    kind = reader.take().text.upper()
    if kind == "PRIMARY":
        reader.expect("KEY")
        if not reader.match("NONCLUSTERED"):
            raise unsupported("PRIMARY KEY without NONCLUSTERED NOT ENFORCED")
    else:
        reader.match("NONCLUSTERED")
    if reader.word() == "(":
        reader.names_in_parentheses()
    if not reader.match("NOT", "ENFORCED"):
        raise unsupported(f"An enforced {kind} constraint")


def _options(reader: Reader) -> st.TableOptions:
    reader.expect("(")
    found: dict[str, object] = {}
    while True:
        for key, value in _option(reader).items():
            if key in found:
                raise parse_error(f"The table option {key} is given twice.", reader.line)
            found[key] = value
        if not reader.match(","):
            break
    reader.expect(")")
    return st.TableOptions(**found)  # type: ignore[arg-type]


def _option(reader: Reader) -> dict[str, object]:
    if reader.match("DISTRIBUTION"):
        reader.expect("=")
        kind = reader.take().text.upper()
        if kind == "HASH":
            return {"distribution": "HASH", "hash_columns": reader.names_in_parentheses()}
        if kind not in ("ROUND_ROBIN", "REPLICATE"):
            reader.position -= 1
            raise reader.error()
        return {"distribution": kind}
    if reader.match("HEAP"):
        return {"index": "HEAP"}
    if reader.match("CLUSTERED", "COLUMNSTORE", "INDEX"):
        ordered = reader.names_in_parentheses() if reader.match("ORDER") else ()
        return {"index": "CLUSTERED COLUMNSTORE INDEX", "index_columns": ordered}
    if reader.match("CLUSTERED INDEX") or reader.match("CLUSTERED", "INDEX"):
        return {"index": "CLUSTERED INDEX", "index_columns": _index_columns(reader)}
    if reader.match("PARTITION"):
        return _partition(reader)
    raise reader.error()


def _index_columns(reader: Reader) -> tuple[str, ...]:
    reader.expect("(")
    names: list[str] = []
    while True:
        names.append(reader.identifier())
        if not reader.match("ASC"):
            reader.match("DESC")
        if not reader.match(","):
            break
    reader.expect(")")
    return tuple(names)


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
    known = {name.lower() for name in columns}
    used = (*options.hash_columns, *options.index_columns, options.partition_column)
    for name in used:
        if name and name.lower() not in known:
            raise SqlError(1911, f"Column name '{name}' does not exist in the target table.")


def procedure_parameters(reader: Reader) -> tuple[st.ParameterDefinition, ...]:
    """`@name type [OUTPUT], ...`; a default is refused, as a dedicated pool refuses it."""
    wrapped = reader.match("(")
    found: list[st.ParameterDefinition] = []
    while reader.kind() is TokenType.PARAMETER:
        name = reader.variable()
        reader.match("AS")
        kind = reader.type_name()
        if reader.word() == "=":
            raise unsupported(f"A default value of the parameter @{name}")
        if reader.word() == "READONLY":
            raise unsupported("A table-valued parameter")
        output = reader.match("OUTPUT") or reader.match("OUT")
        found.append(st.ParameterDefinition(name, kind, output))
        if not reader.match(","):
            break
    if wrapped:
        reader.expect(")")
    if reader.word() == "WITH":
        raise unsupported("A procedure option (WITH ...)")
    return tuple(found)


def drop(reader: Reader, line: int) -> st.Statement:
    """DROP TABLE, VIEW or PROCEDURE, with IF EXISTS."""
    reader.take()
    kind = _KINDS.get(reader.word())
    if kind is None:
        raise not_emulated(f"DROP {reader.word()}")
    reader.take()
    if_exists = reader.match("IF", "EXISTS")
    names = [reader.object_name()]
    while reader.match(","):
        names.append(reader.object_name())
    return st.Drop(line, kind, tuple(names), if_exists)


def truncate(reader: Reader, line: int) -> st.Statement:
    """TRUNCATE TABLE."""
    reader.expect("TRUNCATE", "TABLE")
    name = reader.object_name()
    if reader.word() == "WITH":
        raise not_emulated("TRUNCATE TABLE ... WITH (PARTITIONS ...)")
    return st.Truncate(line, name)


def rename(reader: Reader, line: int) -> st.Statement:
    """RENAME OBJECT [::] name TO new_name."""
    reader.expect("RENAME", "OBJECT")
    while reader.match(":"):
        pass
    name = reader.object_name()
    reader.expect("TO")
    return st.Rename(line, name, reader.identifier())


def copy_into(reader: Reader, line: int) -> st.Statement:
    """COPY INTO table [(column [DEFAULT value] [field], ...)] FROM 'url', ... WITH (...)."""
    reader.expect("COPY", "INTO")
    name = reader.object_name()
    columns = _copy_columns(reader) if reader.word() == "(" else ()
    reader.expect("FROM")
    locations = [_string(reader)]
    while reader.match(","):
        locations.append(_string(reader))
    options = _copy_options(reader) if reader.match("WITH") else {}
    return st.CopyInto(line, name, columns, tuple(locations), options)


def _copy_columns(reader: Reader) -> tuple[st.CopyColumn, ...]:
    reader.expect("(")
    found: list[st.CopyColumn] = []
    while True:
        name = reader.identifier()
        default = None
        if reader.match("DEFAULT"):
            end = reader.position + (2 if reader.word() == "-" else 1)
            default = reader.tree_until(end, expression=True)
        number = int(reader.take().text) if reader.kind() is TokenType.NUMBER else None
        found.append(st.CopyColumn(name, number, default))
        if not reader.match(","):
            break
    reader.expect(")")
    return tuple(found)


def _copy_options(reader: Reader) -> dict[str, str]:
    reader.expect("(")
    options: dict[str, str] = {}
    while True:
        name = reader.identifier().upper()
        reader.expect("=")
        if name in options:
            raise parse_error(f"The COPY option {name} is given twice.", reader.line)
        options[name] = _copy_value(reader)
        if not reader.match(","):
            break
    reader.expect(")")
    return options


def _copy_value(reader: Reader) -> str:
    if reader.word() != "(":
        return reader.take().text
    depth, start = 0, reader.position
    while True:
        token = reader.take()
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0:
            return _text(reader, start)


def _string(reader: Reader) -> str:
    if reader.kind() not in (TokenType.STRING, TokenType.NATIONAL_STRING):
        raise reader.error()
    return reader.take().text
