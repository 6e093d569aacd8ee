"""How large a batch may be: its text, its words and signs, their nesting, before it is parsed.

Source of what a dedicated pool documents (a batch of 65,536 packets of 4 KB; 20,000 literals of
text and 65,535 names in a statement):
https://learn.microsoft.com/azure/synapse-analytics/sql-data-warehouse/sql-data-warehouse-service-capacity-limits
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from bikecast.embedded.sql_pool.errors import SqlError, failure, look
from bikecast.embedded.sql_pool.limits import Limits

MOST_TEXTS, MOST_NAMES = 20_000, 65_535
#: Parentheses inside of each other; the parser gives up long before, but not as quickly.
MOST_NESTED = 1000
#: Texts, quoted names and comments are one each, also without their end: no character is looked at
#: twice, whatever a text holds.
_PARTS = re.compile(
    r"'[^']*'?|\"[^\"]*\"?|\[[^\]]{0,2000}\]?|--[^\n]*|/\*(?:.*?\*/|.*)|[\w@#$]+|[^\w\s]", re.DOTALL
)
_LOOK_EVERY = 4096


def check_batch(text: str, limits: Limits) -> None:
    """Raise SqlError for a text that is too large to be parsed; it costs little more than a copy.

    Raises Cancelled where the client gives up meanwhile.
    """
    if 2 * len(text) > limits.max_text_bytes:
        raise _too_large(f"{limits.max_text_bytes:,} bytes")
    if len(text) <= min(limits.max_tokens, MOST_NESTED):
        return  # not even one a character would be too many
    depth = 0
    for count, part in enumerate(_PARTS.finditer(text)):
        sign = part[0]
        if sign == "(":
            depth += 1
            if depth > MOST_NESTED:
                raise failure("191")
        elif sign == ")":
            depth -= 1
        if count >= limits.max_tokens:
            raise _too_large(f"{limits.max_tokens:,} words and signs")
        if count % _LOOK_EVERY == 0:
            look()


def check_statement(tokens: Sequence[Token]) -> None:
    """Raise SqlError for more literals of text, or names, than a dedicated pool takes."""
    if len(tokens) <= MOST_TEXTS:
        return
    kinds = [token.token_type for token in tokens]
    texts = kinds.count(TokenType.STRING) + kinds.count(TokenType.NATIONAL_STRING)
    names = kinds.count(TokenType.VAR) + kinds.count(TokenType.IDENTIFIER)
    for count, most, what in (
        (texts, MOST_TEXTS, "literals of text"),
        (names, MOST_NAMES, "names"),
    ):
        if count > most:
            raise failure("8632", most, what)


def _too_large(limit: str) -> SqlError:
    return failure("8623", limit)
