"""A cursor over the tokens of one batch, and the rule where a statement ends.

T-SQL does not need semicolons. The words that start a statement are reserved, so outside of
parentheses and CASE they end the statement before them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from bikecast.embedded.sql_pool.errors import SqlError, failure, near, parse_error, refused
from bikecast.embedded.sql_pool.limits import Limits
from bikecast.embedded.sql_pool.syntax import dialect
from bikecast.embedded.sql_pool.syntax.names import (
    NAMES_OF_VALUES,
    RESERVED,
    cross_database,
    without_database,
)
from bikecast.embedded.sql_pool.syntax.size import check_batch, check_statement
from bikecast.embedded.sql_pool.syntax.statements import ObjectName
from bikecast.embedded.sql_pool.values.types import SqlType, make_type

_T = TypeVar("_T")
#: Reserved words that start a statement (or end a block) and so end the statement before.
STARTERS = frozenset(
    "SELECT INSERT UPDATE DELETE MERGE CREATE ALTER DROP TRUNCATE DECLARE SET IF ELSE WHILE BEGIN "
    "END EXEC EXECUTE PRINT RETURN BREAK CONTINUE COMMIT ROLLBACK SAVE RAISERROR USE GRANT REVOKE "
    "DENY WAITFOR GOTO OPEN CLOSE DEALLOCATE KILL CHECKPOINT DBCC BACKUP RESTORE".split()
)
_NOT_WORDS = frozenset(
    (TokenType.IDENTIFIER, TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.HEX_STRING)
)
#: Words that start a statement behind a condition, although they are not reserved.
BODY_WORDS = frozenset({"THROW", "COPY", "RENAME"})
#: Words behind which something must come.
_UNFINISHED = frozenset({"AS", "BY", "GROUP BY", "ORDER BY", "PARTITION BY", "ORDER", "GROUP"})
_OPEN_FUNCTIONS = frozenset({"OPENROWSET", "OPENQUERY", "OPENXML", "OPENDATASOURCE", "OPENJSON"})
_BEFORE_SELECT = frozenset({"UNION", "ALL", "EXCEPT", "INTERSECT"})
_JOIN_HINTS = frozenset({"REDUCE", "REPLICATE", "REDISTRIBUTE"})
_JOIN_TYPES = frozenset({"INNER", "LEFT", "RIGHT", "FULL", "OUTER"})
_NAME_START = re.compile(r"#?[^\W\d]")
_ENDING = (TokenType.R_PAREN, TokenType.COMMA)
_OPENING = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}
PARAMETER_PREFIX = "?"
"""The name of a batch's n-th ? mark is this and n, which no T-SQL name can be."""


class Reader:
    """The tokens of a batch and a position in them."""

    def __init__(self, text: str, limits: Limits | None = None) -> None:
        self.text = text
        check_batch(text, limits or Limits())
        try:
            tokens = dialect.tokenize(text)
        except TokenError as error:
            raise parse_error(f"Unclosed quotation mark or comment: {error}") from error
        self.tokens = without_database(_number_placeholders(tokens))
        self.position = 0

    @property
    def at_end(self) -> bool:
        """True after the last token."""
        return self.position >= len(self.tokens)

    @property
    def line(self) -> int:
        """Line of the current token, from 1."""
        return self.tokens[min(self.position, len(self.tokens) - 1)].line if self.tokens else 1

    def word(self, offset: int = 0) -> str:
        """The token at an offset in upper case; "" at the end, for a quoted name or a string."""
        index = self.position + offset
        if not 0 <= index < len(self.tokens) or self.tokens[index].token_type in _NOT_WORDS:
            return ""
        return self.tokens[index].text.upper()

    def words(self) -> list[str]:
        """The next words, as many as name a statement."""
        return [self.word(offset) for offset in range(4)]

    def kind(self, offset: int = 0) -> TokenType | None:
        """The token type at an offset."""
        index = self.position + offset
        return self.tokens[index].token_type if 0 <= index < len(self.tokens) else None

    def take(self) -> Token:
        """The current token; the position moves on."""
        if self.at_end:
            raise near("end of batch", self.line)
        self.position += 1
        return self.tokens[self.position - 1]

    def match(self, *words: str) -> bool:
        """Step over these words if they come next."""
        if all(self.word(i) == word for i, word in enumerate(words)):
            self.position += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        """Step over these words, or raise a parse error."""
        for word in words:
            if not self.match(word):
                raise self.error()

    def error(self) -> SqlError:
        """A parse error at the current token."""
        if not self.tokens:
            return near("")
        if self.at_end:
            return _near(self.tokens[-1])
        token = self.tokens[self.position]
        return near(token.text, token.line, token.col - (token.end - token.start))

    def identifier(self) -> str:
        """One part of a name, quoted or not; #name too."""
        if self.kind() is self.kind(1) is TokenType.HASH:
            raise refused("A global temporary table")
        token = self.take()
        quoted = token.token_type is TokenType.IDENTIFIER
        if not quoted and (
            not _NAME_START.match(token.text)
            or token.text.upper() in RESERVED
            or token.token_type in _NOT_WORDS
        ):
            self.position -= 1
            raise self.error()
        return token.text

    def variable(self) -> str:
        """The name behind @."""
        if self.kind() is not TokenType.PARAMETER:
            raise self.error()
        self.take()
        return self.take().text

    def object_name(self) -> ObjectName:
        """A name of one or two parts."""
        parts = [self.identifier()]
        while self.kind() is TokenType.DOT:
            self.take()
            parts.append(self.identifier())
        if len(parts) > 2:
            raise cross_database(parts)
        return ObjectName(parts[-1], parts[0] if len(parts) == 2 else "dbo", ".".join(parts))

    def type_name(self) -> SqlType:
        """A type with its arguments."""
        if self.word() == "TABLE":
            raise refused("A table variable", "Use a temporary table.")
        name = self.identifier()
        in_parentheses = self.kind() is TokenType.L_PAREN
        return make_type(name, list(self.in_parentheses(self._size) if in_parentheses else ()))

    def _size(self) -> str:
        """A length, precision or scale."""
        if not (self.word().isdigit() or self.word() == "MAX"):
            raise self.error()
        return self.take().text

    def text_since(self, start: int) -> str:
        """The batch's text from the token at `start` to the last one taken."""
        return self.text[self.tokens[start].start : self.tokens[self.position - 1].end + 1]

    def listed(self, item: Callable[[], _T]) -> tuple[_T, ...]:
        """One item or more, with commas between them."""
        items = [item()]
        while self.match(","):
            items.append(item())
        return tuple(items)

    def in_parentheses(self, item: Callable[[], _T]) -> tuple[_T, ...]:
        """(item, item, ...)"""
        self.expect("(")
        items = self.listed(item)
        self.expect(")")
        return items

    def names_in_parentheses(self) -> tuple[str, ...]:
        """(a, b, c)"""
        return self.in_parentheses(self.identifier)

    def column_list(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(a [ASC | DESC], b, ...) of an index or of statistics: all names, and the DESC ones."""

        def item() -> tuple[str, bool]:
            return self.identifier(), not self.match("ASC") and self.match("DESC")

        items = self.in_parentheses(item)
        return tuple(name for name, _ in items), tuple(name for name, desc in items if desc)

    def span(self, *, selects: int = 0, stop: frozenset[str] = frozenset()) -> int:
        """The position where the statement that starts here ends.

        `selects` counts the SELECT words that belong to it although they are not behind a set
        operator; `stop` are further words, or a comma, that end it.
        """
        depth = cases = 0
        index = self.position
        while index < len(self.tokens):
            token = self.tokens[index]
            word = "" if token.token_type in _NOT_WORDS else token.text.upper()
            depth += _OPENING.get(token.token_type, 0)
            if depth < 0 or (depth == 0 and token.token_type is TokenType.SEMICOLON):
                break
            if word == "CASE":
                cases += 1
            elif word == "END" and cases:
                cases -= 1
            elif depth == 0 and cases == 0 and index > self.position:
                before = self.tokens[index - 1]
                if word in stop:
                    break
                if word == "SELECT" and before.text.upper() in _BEFORE_SELECT:
                    pass
                elif word == "SELECT" and selects:
                    selects -= 1
                elif word in STARTERS and before.token_type is not TokenType.DOT:
                    break
            index += 1
        return index

    def closing_parenthesis(self) -> int:
        """The position behind the parenthesis that closes the one here."""
        depth = 0
        for index in range(self.position, len(self.tokens)):
            depth += _OPENING.get(self.tokens[index].token_type, 0)
            if depth == 0:
                return index + 1
        raise self.error()

    def at_statement_end(self) -> bool:
        """Whether nothing of the statement is left here."""
        return (
            self.at_end
            or self.kind() is TokenType.SEMICOLON
            or self.word() in STARTERS
            or self.word() in BODY_WORDS
        )

    def compound_operator(self) -> type[exp.Binary] | None:
        """Step over the operator of +=, -=, *=, /= or %=."""
        token_type = self.kind()
        if token_type is None or self.word(1) != "=":
            return None
        operator = dialect.COMPOUND.get(token_type)
        if operator:
            self.take()
        return operator

    def tree_until(
        self, end: int, *, expression: bool = False, before: Sequence[Token] = ()
    ) -> exp.Expression:
        """Parse the tokens up to `end`, behind those of `before`, by sqlglot and move there."""
        tokens = [*before, *self.tokens[self.position : end]]
        if not tokens:
            raise self.error()
        check_statement(tokens)
        tokens = _without_hints(tokens)
        _check_tokens(tokens)
        try:
            tree = dialect.parse_tokens(tokens, self.text, expression=expression)
        except (ParseError, ValueError, RecursionError) as error:
            raise _parse_failure(error, tokens) from error
        for node in tree.find_all(exp.Identifier):
            word = node.name.upper()
            if word in RESERVED and not node.quoted and not _is_value(node, word):
                raise near(node.name, tokens[0].line)
        self.position = end
        return tree

    def expression(self, stop: frozenset[str] = frozenset()) -> exp.Expression:
        """An expression or a condition up to the end of the statement."""
        return self.tree_until(self.span(stop=stop), expression=True)


def _number_placeholders(tokens: list[Token]) -> list[Token]:
    """Turn the n-th ? into a variable of a name that no user can write."""
    result: list[Token] = []
    count = 0
    for token in tokens:
        if token.token_type is not TokenType.PLACEHOLDER:
            result.append(token)
            continue
        count += 1
        place = (token.line, token.col, token.start, token.end)
        result.append(Token(TokenType.PARAMETER, "@", *place))
        result.append(Token(TokenType.VAR, f"{PARAMETER_PREFIX}{count}", *place))
    return result


def _without_hints(tokens: list[Token]) -> list[Token]:
    """The tokens without hints on distribution, which change no result.

    Sources: https://learn.microsoft.com/sql/t-sql/queries/hints-transact-sql-join and
    select-group-by-transact-sql
    """
    words = ["" if token.token_type in _NOT_WORDS else token.text.upper() for token in tokens]
    gone: set[int] = set()
    for index, word in enumerate(words):
        if word == "DISTRIBUTED_AGG" and words[index - 2 : index] == ["WITH", "("]:
            gone |= {index - 2, index - 1, index, index + 1}
        if word in _JOIN_HINTS and words[index - 1] in _JOIN_TYPES:
            end = index + (4 if words[index + 1 : index + 2] == ["("] else 1)
            if words[end : end + 1] == ["JOIN"]:
                gone |= set(range(index, end))
    return [token for index, token in enumerate(tokens) if index not in gone] if gone else tokens


def _check_tokens(tokens: list[Token]) -> None:
    """Refuse what sqlglot would read and T-SQL would not."""
    before = ""
    for token, following in itertools.pairwise(tokens):
        word, after = token.text.upper(), following.text.upper()
        if word in _OPEN_FUNCTIONS and after == "(":  # their arguments are no expressions
            raise refused(f"The function {word}")
        forced, before = word == "ORDER" and before == "FORCE", word
        if after == "DISTINCT" and _is_word(following) and word not in ("SELECT", "(", "IS", "NOT"):
            raise _near(following)
        if token.token_type is TokenType.COMMA and (
            following.token_type in (TokenType.R_PAREN, TokenType.COMMA)
            or (after in ("FROM", "WHERE", "GROUP", "ORDER", "HAVING") and _is_word(following))
        ):
            raise _near(following)
        if _is_word(token) and (
            (word == "SELECT" and following.token_type is TokenType.COMMA)
            or (word in _UNFINISHED and following.token_type in _ENDING and not forced)
        ):
            raise _near(following)
        if word == "NULLS" and after in ("FIRST", "LAST") and _is_word(token):
            raise _near(token)
    last = tokens[-1]
    if last.token_type is TokenType.COMMA or (last.text.upper() in _UNFINISHED and _is_word(last)):
        raise _near(last)


def _is_value(node: exp.Identifier, word: str) -> bool:
    """Whether a reserved word stands for a value, and not for a name or an alias."""
    return word in NAMES_OF_VALUES and isinstance(node.parent, exp.Column)


def _is_word(token: Token) -> bool:
    return token.token_type not in _NOT_WORDS


def _near(token: Token) -> SqlError:
    return near(token.text, token.line, token.col)


def _parse_failure(error: Exception, tokens: list[Token]) -> SqlError:
    if isinstance(error, ParseError) and error.errors:
        detail = error.errors[0]
        description = detail.get("description") or ""
        line, column = detail.get("line") or tokens[0].line, detail.get("col") or 1
        if description.startswith(("Incorrect syntax", "PREDICT ")):
            return parse_error(description, line, column)
        return near(detail.get("highlight") or tokens[-1].text, line, column)
    if isinstance(error, RecursionError):
        return failure("191")
    return near(tokens[0].text, tokens[0].line, tokens[0].col)
