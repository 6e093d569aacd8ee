"""CREATE, ALTER, DROP, TRUNCATE, RENAME, indexes and COPY INTO: tokens to statements."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot.tokenizer_core import TokenType

from bikecast.embedded.sql_pool.errors import parse_error, refused, refused_words
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.profile import refused_statement
from bikecast.embedded.sql_pool.syntax.reader import Reader
from bikecast.embedded.sql_pool.syntax.tables import (
    column_definition,
    create_table,
    default_value,
    require_constant,
    table_constraint,
)

KINDS = {"TABLE": "TABLE", "VIEW": "VIEW", "PROC": "PROCEDURE", "PROCEDURE": "PROCEDURE"}
KINDS |= {"FUNCTION": "FUNCTION", "SCHEMA": "SCHEMA"}
_INDEX_WORDS = frozenset({"INDEX", "CLUSTERED", "NONCLUSTERED", "COLUMNSTORE", "CLUSTERED INDEX"})


def create(reader: Reader, line: int) -> st.Statement:
    """CREATE or ALTER of a table, view or schema."""
    alter = reader.take().text.upper() == "ALTER"
    noun = reader.word()
    reader.position -= 1
    if reason := refused_statement(reader.words()):
        raise reason
    reader.take()
    if noun == "VIEW":
        return _view(reader, line, alter)
    noun = "INDEX" if not alter and noun in _INDEX_WORDS else noun
    parse = (_ALTER if alter else _CREATE).get(noun)
    if parse is None:
        raise reader.error()
    return parse(reader, line)


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
        raise refused("A temporary view")
    columns = reader.names_in_parentheses() if reader.word() == "(" else ()
    if reader.word() == "WITH":
        raise refused("CREATE VIEW with options")
    reader.expect("AS")
    if reader.at_end:
        raise reader.error()
    start = reader.tokens[reader.position].start
    end = reader.span(selects=1 if reader.word() == "WITH" else 0)
    reader.tree_until(end)
    query = reader.text[start:].rstrip("; \t\r\n")
    return st.CreateView(line, name, columns, query, alter, reader.text)


def procedure_parameters(
    reader: Reader, *, defaults: bool = False
) -> tuple[st.ParameterDefinition, ...]:
    """`@name type [= default] [OUTPUT], ...`; only functions have defaults."""
    wrapped = reader.match("(")
    parameters: list[st.ParameterDefinition] = []
    while reader.kind() is TokenType.PARAMETER:
        name = reader.variable()
        reader.match("AS")
        type_ = reader.type_name()
        default = None
        if reader.word() == "=" and not defaults:
            raise refused(f"A default value of the parameter @{name}")
        if reader.match("="):
            default = reader.expression(frozenset({",", "RETURNS"}))
            require_constant(default)
        if reader.word() == "READONLY":
            raise refused("A table-valued parameter")
        output = reader.match("OUTPUT") or reader.match("OUT")
        parameters.append(st.ParameterDefinition(name, type_, output, default))
        if not reader.match(","):
            break
    if wrapped:
        reader.expect(")")
    if reader.word() == "WITH":
        raise refused("A procedure option (WITH ...)")
    return tuple(parameters)


def drop(reader: Reader, line: int) -> st.Statement:
    """DROP TABLE, VIEW or PROCEDURE, with IF EXISTS."""
    if reason := refused_statement(reader.words()):
        raise reason
    reader.take()
    if reader.word() in ("INDEX", "STATISTICS"):
        return drop_note(reader, line)
    noun = KINDS.get(reader.word())
    if noun is None:
        raise reader.error()
    reader.take()
    if_exists = reader.match("IF", "EXISTS")
    if noun == "SCHEMA":
        return st.Drop(line, noun, (st.ObjectName(reader.identifier(), ""),), if_exists)
    names = (reader.object_name(),)
    if reader.word() == ",":
        raise refused(f"DROP {noun} of more than one", "Write a statement for each.")
    return st.Drop(line, noun, names, if_exists)


def truncate(reader: Reader, line: int) -> st.Statement:
    """TRUNCATE TABLE."""
    reader.expect("TRUNCATE", "TABLE")
    name = reader.object_name()
    if reader.word() == "WITH":
        raise refused("TRUNCATE TABLE ... WITH (PARTITIONS ...)")
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


def alter_table(reader: Reader, line: int) -> st.Statement:
    """ALTER TABLE name ADD, ALTER COLUMN, DROP COLUMN or DROP CONSTRAINT."""
    reader.expect("TABLE")
    name = reader.object_name()
    if reader.match("ADD"):
        return _add(reader, line, name)
    if reader.match("ALTER", "COLUMN"):
        return st.AlterTable(line, name, "ALTER COLUMN", (column_definition(reader),))
    if reader.match("DROP"):
        return _drop(reader, line, name)
    raise refused_words(["ALTER", "TABLE", reader.word()]) or reader.error()


def _add(reader: Reader, line: int, name: st.ObjectName) -> st.Statement:
    label = ""
    if reader.word() == "CONSTRAINT":
        if reader.word(2) in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK"):
            return st.AlterTable(line, name, "ADD KEY", key=table_constraint(reader))
        reader.take()
        label = reader.identifier()
    if reader.word() in ("PRIMARY", "UNIQUE", "FOREIGN", "CHECK"):
        return st.AlterTable(line, name, "ADD KEY", key=table_constraint(reader))
    if reader.match("DEFAULT"):
        text = default_value(reader, frozenset({"FOR"}))
        reader.expect("FOR")
        return st.AlterTable(line, name, "ADD DEFAULT", (), (reader.identifier(),), label, text)
    columns = reader.listed(lambda: column_definition(reader))
    return st.AlterTable(line, name, "ADD", columns)


def _drop(reader: Reader, line: int, name: st.ObjectName) -> st.Statement:
    action = "DROP COLUMN" if reader.match("COLUMN") else "DROP CONSTRAINT"
    if action == "DROP CONSTRAINT":
        reader.match("CONSTRAINT")
    if_exists = reader.match("IF", "EXISTS")
    names = [reader.identifier()]
    while reader.match(","):
        reader.match("COLUMN")
        names.append(reader.identifier())
    return st.AlterTable(line, name, action, (), tuple(names), if_exists=if_exists)


def create_index(reader: Reader, line: int) -> st.Statement:
    """CREATE [NONCLUSTERED | CLUSTERED [COLUMNSTORE]] INDEX name ON table [(columns)]."""
    form = ""
    while not reader.match("INDEX"):
        if reader.match("CLUSTERED INDEX"):
            form = "CLUSTERED"
            break
        word = reader.take().text.upper()
        if word not in ("CLUSTERED", "NONCLUSTERED", "COLUMNSTORE"):
            reader.position -= 1
            raise reader.error()
        form = f"{form} {word}".strip()
    name = reader.identifier()
    reader.expect("ON")
    table = reader.object_name()
    columns: tuple[str, ...] = ()
    descending: tuple[str, ...] = ()
    if reader.word() == "(":
        columns, descending = reader.column_list()
    if reader.word() in ("WHERE", "INCLUDE"):
        raise refused(f"CREATE INDEX with {reader.word()}")
    if reader.word() == "WITH":
        reader.position = reader.span()
    return st.TableNote(line, table, "indexes", name, columns, descending)


def alter_index(reader: Reader, line: int) -> st.Statement:
    """ALTER INDEX {name | ALL} ON table {REBUILD | REORGANIZE} [PARTITION = n] [WITH ...].

    DuckDB keeps its tables in order by itself, so this does nothing.
    """
    reader.expect("INDEX")
    name = "" if reader.match("ALL") else reader.identifier()
    reader.expect("ON")
    table = reader.object_name()
    if not reader.match("REORGANIZE"):
        reader.expect("REBUILD")
    if reader.match("PARTITION"):
        reader.expect("=")
        if not reader.match("ALL"):
            reader.expression(frozenset({"WITH"}))
    if reader.word() == "WITH":
        reader.position = reader.span()
    if not reader.at_statement_end():
        raise reader.error()
    return st.TableNote(line, table, "indexes", name, (), update=True)


def create_statistics(reader: Reader, line: int) -> st.Statement:
    """CREATE STATISTICS name ON table (columns) [WHERE ...] [WITH ...]."""
    reader.expect("STATISTICS")
    name = reader.identifier()
    reader.expect("ON")
    table = reader.object_name()
    columns, _ = reader.column_list()
    if reader.match("WHERE"):
        reader.expression(frozenset({"WITH"}))
    if reader.word() == "WITH":
        reader.position = reader.span()
    return st.TableNote(line, table, "statistics", name, columns)


def update_statistics(reader: Reader, line: int) -> st.Statement:
    """UPDATE STATISTICS table [(name)] [WITH ...]; DuckDB keeps its own statistics."""
    reader.expect("UPDATE", "STATISTICS")
    table = reader.object_name()
    name = ""
    if reader.word() == "(":
        (name,) = reader.names_in_parentheses()
    if reader.word() == "WITH":
        reader.position = reader.span()
    return st.TableNote(line, table, "statistics", name, (), update=True)


def drop_note(reader: Reader, line: int) -> st.Statement:
    """DROP INDEX name ON table, and DROP STATISTICS schema.table.name."""
    noun = reader.take().text.upper()
    if_exists = reader.match("IF", "EXISTS")
    if noun == "INDEX":
        name = reader.identifier()
        reader.expect("ON")
        return st.TableNote(
            line, reader.object_name(), "indexes", name, (), drop=True, if_exists=if_exists
        )
    parts = [reader.identifier()]
    while reader.match("."):
        parts.append(reader.identifier())
    if not 2 <= len(parts) <= 3:
        raise reader.error()
    table = st.ObjectName(parts[-2], parts[0] if len(parts) == 3 else "dbo")
    return st.TableNote(line, table, "statistics", parts[-1], (), drop=True, if_exists=if_exists)


_Parse = Callable[[Reader, int], st.Statement]
_CREATE: dict[str, _Parse] = {"TABLE": create_table, "INDEX": create_index}
_CREATE |= {"STATISTICS": create_statistics, "SCHEMA": _schema}
_ALTER: dict[str, _Parse] = {"TABLE": alter_table, "INDEX": alter_index, "SCHEMA": _transfer}
