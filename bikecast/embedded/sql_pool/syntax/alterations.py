"""ALTER TABLE, CREATE INDEX, CREATE and UPDATE STATISTICS: tokens to statements.

Source: https://learn.microsoft.com/sql/t-sql/statements/alter-table-transact-sql (Azure Synapse)
"""

from __future__ import annotations

from bikecast.embedded.sql_pool.errors import unsupported
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.reader import Reader
from bikecast.embedded.sql_pool.syntax.tables import (
    column_definition,
    default_value,
    table_constraint,
)


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
    if reader.word() in ("REBUILD", "SPLIT", "MERGE", "SWITCH", "SET"):
        raise unsupported(f"ALTER TABLE {reader.word()} of the embedded pool")
    raise reader.error()


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
        raise unsupported(f"CREATE INDEX with {reader.word()}")
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
