"""THIRD_PARTY.md has each package of the locks, and explains the licences that ask for more."""

import runpy
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(PROJECT / "scripts/third_party.py"))
TEXT = (PROJECT / "THIRD_PARTY.md").read_text(encoding="utf-8")


def test_each_package_of_the_locks_is_listed_with_a_licence():
    """After `make lock`: python scripts/third_party.py"""
    assert list(SCRIPT["rows"](TEXT)) == list(SCRIPT["locked"]())
    assert all(SCRIPT["rows"](TEXT).values())


def test_the_licences_are_those_that_the_installed_packages_name():
    written = SCRIPT["rows"](TEXT)
    installed = SCRIPT["installed"]([])
    assert len(written.keys() & installed.keys()) > 100
    assert {
        each: words for each, words in installed.items() if written.get(each, words) != words
    } == {}


def test_the_file_is_what_the_script_writes():
    assert SCRIPT["document"](SCRIPT["rows"](TEXT), SCRIPT["reasons_of"](TEXT)) == TEXT


@pytest.mark.parametrize(
    ("name", "words"),
    [each for each in SCRIPT["rows"](TEXT).items() if SCRIPT["is_strict"](each[1])],
    ids=str,
)
def test_a_licence_that_asks_for_more_than_a_notice_is_explained(name, words):
    assert f"`{name[0]}`" in SCRIPT["reasons_of"](TEXT), words
