"""CREATE, ALTER, DROP, TRUNCATE, RENAME and COPY INTO: tokens to statements."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from bikecast.embedded.sql_pool.errors import not_emulated, parse_error, unsupported
from bikecast.embedded.sql_pool.syntax import alterations
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.profile import first_in_batch
from bikecast.embedded.sql_pool.syntax.reader import Reader
from bikecast.embedded.sql_pool.syntax.tables import create_table

_KINDS = {"TABLE": "TABLE", "VIEW": "VIEW", "PROC": "PROCEDURE", "PROCEDURE": "PROCEDURE"}
_KINDS |= {"FUNCTION": "FUNCTION", "SCHEMA": "SCHEMA"}
_INDEX_WORDS = frozenset({"INDEX", "CLUSTERED", "NONCLUSTERED", "COLUMNSTORE", "CLUSTERED INDEX"})
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


def create(reader: Reader, line: int) -> st.Statement:
    """CREATE or ALTER of a table, view or schema."""
    first = reader.position == 0 or reader.kind(-1) is TokenType.SEMICOLON
    alter = reader.take().text.upper() == "ALTER"
    noun = reader.word()
    if noun in _REFUSED:
        raise unsupported(_REFUSED[noun])
    if noun == "VIEW":
        if not first:
            raise first_in_batch("CREATE/ALTER VIEW")
        return _view(reader, line, alter)
    if noun == "TABLE" and not alter:
        return create_table(reader, line)
    if noun == "TABLE":
        return alterations.alter_table(reader, line)
    if not alter and noun in _INDEX_WORDS:
        return alterations.create_index(reader, line)
    if not alter and noun == "STATISTICS":
        return alterations.create_statistics(reader, line)
    if noun == "SCHEMA" and not alter:
        if not first:
            raise first_in_batch("CREATE SCHEMA")
        return _schema(reader, line)
    if noun == "SCHEMA":
        return _transfer(reader, line)
    if noun == "INDEX":
        return alterations.alter_index(reader, line)
    raise not_emulated(f"{'ALTER' if alter else 'CREATE'} {noun}")


def _schema(reader: Reader, line: int) -> st.Statement:
    """CREATE SCHEMA name [AUTHORIZATION owner]."""
    reader.expect("SCHEMA")
    name = reader.identifier()
    return st.CreateSchema(
        line, name, reader.identifier() if reader.match("AUTHORIZATION") else "dbo"
    )


def _transfer(reader: Reader, line: int) -> st.Statement:
    """ALTER SCHEMA schema TRANSFER [OBJECT ::] name."""
    reader.expect("SCHEMA")
    schema = reader.identifier()
    reader.expect("TRANSFER")
    if reader.match("OBJECT"):
        reader.expect(":", ":")
    return st.Transfer(line, reader.object_name(), schema)


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
    query = reader.text[start:].rstrip("; \t\r\n")
    return st.CreateView(line, name, columns, query, alter, reader.text)


def procedure_parameters(reader: Reader) -> tuple[st.ParameterDefinition, ...]:
    """`@name type [OUTPUT], ...`; a default is refused, as a dedicated pool refuses it."""
    wrapped = reader.match("(")
    parameters: list[st.ParameterDefinition] = []
    while reader.kind() is TokenType.PARAMETER:
        name = reader.variable()
        reader.match("AS")
        type_ = reader.type_name()
        if reader.word() == "=":
            raise unsupported(f"A default value of the parameter @{name}")
        if reader.word() == "READONLY":
            raise unsupported("A table-valued parameter")
        output = reader.match("OUTPUT") or reader.match("OUT")
        parameters.append(st.ParameterDefinition(name, type_, output))
        if not reader.match(","):
            break
    if wrapped:
        reader.expect(")")
    if reader.word() == "WITH":
        raise unsupported("A procedure option (WITH ...)")
    return tuple(parameters)


def drop(reader: Reader, line: int) -> st.Statement:
    """DROP TABLE, VIEW or PROCEDURE, with IF EXISTS."""
    reader.take()
    if reader.word() in ("INDEX", "STATISTICS"):
        return alterations.drop_note(reader, line)
    noun = _KINDS.get(reader.word())
    if noun is None:
        raise not_emulated(f"DROP {reader.word()}")
    reader.take()
    if_exists = reader.match("IF", "EXISTS")
    if noun == "SCHEMA":
        return st.Drop(line, noun, (st.ObjectName(reader.identifier(), ""),), if_exists)
    names = (reader.object_name(),)
    if reader.word() == ",":
        raise unsupported(f"DROP {noun} of more than one", "Write a statement for each.")
    return st.Drop(line, noun, names, if_exists)


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
    columns: tuple[st.CopyColumn, ...] = ()
    if reader.word() == "(":
        columns = reader.in_parentheses(lambda: _copy_column(reader))
    reader.expect("FROM")
    locations = reader.listed(lambda: _string(reader))
    options: dict[str, str] = {}
    if reader.match("WITH"):
        reader.in_parentheses(lambda: _add_copy_option(reader, options))
    return st.CopyInto(line, name, columns, locations, options)


def _copy_column(reader: Reader) -> st.CopyColumn:
    name = reader.identifier()
    default = None
    if reader.match("DEFAULT"):
        end = reader.position + (2 if reader.word() == "-" else 1)
        default = reader.tree_until(end, expression=True)
    number = int(reader.take().text) if reader.kind() is TokenType.NUMBER else None
    return st.CopyColumn(name, number, default)


def _add_copy_option(reader: Reader, options: dict[str, str]) -> None:
    name = reader.identifier().upper()
    reader.expect("=")
    if name in options:
        raise parse_error(f"The COPY option {name} is given twice.", reader.line)
    options[name] = _copy_value(reader)


def _copy_value(reader: Reader) -> str:
    if reader.word() != "(":
        return reader.take().text
    depth, start = 0, reader.position
    while True:
        token = reader.take()
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0:
            return reader.text_since(start)


def _string(reader: Reader) -> str:
    if reader.kind() not in (TokenType.STRING, TokenType.NATIONAL_STRING):
        raise reader.error()
    return reader.take().text
