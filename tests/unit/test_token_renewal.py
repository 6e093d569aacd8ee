"""A credential that is made anew when one of its tokens was refused."""

import itertools
from dataclasses import dataclass

import pytest

pytest.importorskip("azure.core")

from resources.azure.tokens import MOST_TOKENS, RenewableCredential


@dataclass(frozen=True)
class Token:
    token: str


class Keeping:
    """A credential that keeps its token of each scope, as those of azure-identity do."""

    numbers = itertools.count()

    def __init__(self):
        self.tokens = {}

    def get_token(self, *scopes, **_):
        return self.tokens.setdefault(scopes, Token(f"{scopes[0]}-{next(self.numbers)}"))


def test_a_refused_token_is_replaced_and_others_get_the_new_one_too():
    credential = RenewableCredential(Keeping)
    first = credential.get_token("storage").token
    assert credential.get_token("storage").token == first

    second = credential.renewed(first)

    assert second != first
    assert credential.get_token("storage").token == second


def test_two_that_were_refused_the_same_token_get_the_same_new_one():
    made = []
    credential = RenewableCredential(lambda: made.append(1) or Keeping())
    old = credential.get_token("arm").token

    assert credential.renewed(old) == credential.renewed(old) != old
    assert len(made) == 2


def test_a_token_of_somebody_else_is_not_renewed():
    assert RenewableCredential(Keeping).renewed("strange") is None


def test_only_the_latest_tokens_are_remembered():
    credential = RenewableCredential(Keeping)
    tokens = [credential.get_token(f"scope{n}").token for n in range(MOST_TOKENS + 1)]

    assert credential.renewed(tokens[0]) is None
    assert credential.renewed(tokens[1]) is not None


def test_a_challenge_makes_a_new_token_but_not_again_at_once():
    made = []
    credential = RenewableCredential(lambda: made.append(1) or Keeping())
    first = credential.get_token("storage").token

    second = credential.get_token("storage", tenant_id="t").token
    assert second != first
    assert credential.get_token("storage", tenant_id="t").token == second
    assert len(made) == 2
