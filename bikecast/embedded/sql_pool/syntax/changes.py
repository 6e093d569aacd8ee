"""UPDATE, DELETE and MERGE: tokens to statements.

sqlglot parses their expressions, and what stands behind FROM as a query of its own; T-SQL's forms
(UPDATE of an alias, DELETE with two FROMs, TOP) are read here.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from bikecast.embedded.sql_pool.errors import SqlError, refused
from bikecast.embedded.sql_pool.syntax import statements as st
from bikecast.embedded.sql_pool.syntax.reader import Reader

_TAIL = frozenset({"FROM", "WHERE", "OPTION", "OUTPUT"})
_ASSIGNMENT_END = _TAIL | {",", "WHEN"}
_WHEN = frozenset({"WHEN", "THEN"})
_OUTPUT = "The OUTPUT clause"


def update(reader: Reader, line: int) -> st.Statement:
    """UPDATE [TOP (n)] target SET column = value, ... [FROM ...] [WHERE ...] [OPTION (...)]."""
    reader.expect("UPDATE")
    top = _top(reader)
    target = reader.object_name()
    _no_hint(reader)
    reader.expect("SET")
    changes = _assignments(reader)
    return st.Update(line, target, changes, _tail(reader), top)


def delete(reader: Reader, line: int) -> st.Statement:
    """DELETE [TOP (n)] [FROM] target [FROM ...] [WHERE ...] [OPTION (...)]."""
    reader.expect("DELETE")
    top = _top(reader)
    reader.match("FROM")
    target = reader.object_name()
    _no_hint(reader)
    return st.Delete(line, target, _tail(reader), top)


def _no_hint(reader: Reader) -> None:
    if reader.word() == "WITH":
        raise refused("A table hint on the target")
    if reader.word() == "OUTPUT":
        raise refused(_OUTPUT)


def _top(reader: Reader) -> exp.Expression | None:
    if not reader.match("TOP"):
        return None
    if reader.kind() is not TokenType.L_PAREN:
        raise reader.error()
    tree = reader.tree_until(reader.closing_parenthesis(), expression=True)
    if reader.word() == "PERCENT":
        raise refused("TOP ... PERCENT")
    return tree


def _assignments(reader: Reader) -> tuple[st.Assignment, ...]:
    return reader.listed(lambda: _assignment(reader))


def _assignment(reader: Reader) -> st.Assignment:
    if reader.kind() is TokenType.PARAMETER:
        raise refused("UPDATE that assigns a variable")
    name = reader.identifier()
    while reader.match("."):
        name = reader.identifier()
    operator = reader.compound_operator()
    reader.expect("=")
    start = reader.position
    value = reader.expression(_ASSIGNMENT_END)
    if reader.tokens[start].text.upper() == "DEFAULT" and reader.position == start + 1:
        value = exp.Var(this="DEFAULT")
    if operator:
        value = exp.Paren(this=operator(this=exp.column(name), expression=exp.Paren(this=value)))
    return st.Assignment(name, value)


def _tail(reader: Reader) -> exp.Select | None:
    """FROM, WHERE and OPTION as the query SELECT * FROM ... WHERE ... OPTION ..."""
    if reader.word() == "OUTPUT":
        raise refused(_OUTPUT)
    if reader.word() not in _TAIL:
        if not reader.at_statement_end():
            raise reader.error()
        return None
    tree = reader.tree_until(reader.span(), before=_select_star(reader))
    if not isinstance(tree, exp.Select):
        raise reader.error()
    return tree


def _select_star(reader: Reader, *more: tuple[TokenType, str]) -> list[Token]:
    """SELECT * and what stands behind it as tokens at the current place."""
    token = reader.tokens[reader.position]
    place = (token.line, token.col, token.start, token.end)
    words = ((TokenType.SELECT, "SELECT"), (TokenType.STAR, "*"), *more)
    return [Token(token_type, text, *place) for token_type, text in words]


def merge(reader: Reader, line: int) -> st.Statement:
    """MERGE [INTO] target USING source ON condition WHEN ... THEN ... ;"""
    reader.expect("MERGE")
    if reader.word() == "TOP":
        raise refused("MERGE with TOP")
    reader.match("INTO")
    target = reader.object_name()
    if reader.word() == "WITH":
        raise refused("A table hint on the target")
    reader.match("AS")
    alias = "" if reader.word() == "USING" else reader.identifier()
    reader.expect("USING")
    before = _select_star(reader, (TokenType.FROM, "FROM"))
    source = reader.tree_until(reader.span(stop=frozenset({"ON"})), before=before)
    if not isinstance(source, exp.Select):
        raise reader.error()
    reader.expect("ON")
    condition = reader.expression(_WHEN)
    branches: list[st.MergeBranch] = []
    while reader.match("WHEN"):
        branches.append(_branch(reader))
    if reader.word() == "OUTPUT":
        raise refused(_OUTPUT)
    if not branches:
        raise reader.error()
    if reader.word() == "OPTION":
        reader.position = reader.span()
    if reader.kind() is not TokenType.SEMICOLON:
        raise SqlError(10713, "A MERGE statement must be terminated by a semi-colon (;).")
    return st.Merge(line, target, alias, source, condition, tuple(branches))


def _branch(reader: Reader) -> st.MergeBranch:
    words = "MATCHED"
    if reader.match("NOT"):
        words = "NOT MATCHED"
    reader.expect("MATCHED")
    if words == "NOT MATCHED" and reader.match("BY", "SOURCE"):
        words = "NOT MATCHED BY SOURCE"
    elif words == "NOT MATCHED":
        reader.match("BY", "TARGET")
    condition = reader.expression(_WHEN) if reader.match("AND") else None
    reader.expect("THEN")
    if words != "NOT MATCHED":
        if reader.match("DELETE"):
            return st.MergeBranch(words, "DELETE", condition)
        reader.expect("UPDATE", "SET")
        return st.MergeBranch(words, "UPDATE", condition, _assignments(reader))
    reader.expect("INSERT")
    names = reader.names_in_parentheses() if reader.word() == "(" else None
    reader.expect("VALUES")
    values = reader.in_parentheses(lambda: reader.expression(_ASSIGNMENT_END))
    return st.MergeBranch(words, "INSERT", condition, (), names, values)
