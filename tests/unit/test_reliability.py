"""docs/reliability.md: its numbers add up, and nothing that counts harm is above 0."""

import re
import runpy
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(PROJECT / "scripts/reliability.py"))
TEXT = (PROJECT / "docs/reliability.md").read_text(encoding="utf-8")
HARM = ("half", "lost", "duplicated", "stuck")


def tables():
    """Each table as a dict by its rows' names, of dicts by its columns' names."""
    for lines in re.findall(r"((?:^\|.*\|\n)+)", TEXT, re.MULTILINE):
        head, _, *rows = (
            [cell.strip() for cell in line.split("|")[1:-1]] for line in lines.splitlines()
        )
        yield {
            name: dict(zip(head[1:], (int(n.replace(",", "")) for n in numbers), strict=True))
            for name, *numbers in rows
        }


@pytest.mark.parametrize("table", list(tables()), ids=["by stage", "by way"])
def test_the_numbers_add_up_and_no_harm_is_counted(table):
    total = table.pop("all")
    for column, number in total.items():
        assert sum(row[column] for row in table.values()) == number, column
    assert {column: total[column] for column in HARM} == dict.fromkeys(HARM, 0)
    assert total["struck"] <= total["tries"]


def test_both_tables_are_of_the_same_tries():
    by_stage, by_way = (table["all"] for table in tables())
    assert by_way == {name: by_stage[name] for name in by_way}


def test_each_stage_and_each_way_was_tried():
    from tests.chaos import services
    from tests.chaos.stages import STAGES

    by_stage, by_way = tables()
    assert by_stage.keys() - {"all"} == STAGES.keys() | {services.STAGE}
    assert by_way.keys() - {"all"} == SCRIPT["SHARES"].keys() | services.VICTIMS.keys()


def test_harm_is_counted_by_its_first_word():
    outcome = {"stage": "s", "way": "kill -9", "struck": True, "points": 5, "commits": 2}
    tries = [outcome | {"wrong": wrong} for wrong in ("", "half: a", "lost: b", "stuck: c")]
    text = SCRIPT["document"](tries)
    assert "| s | 2 | 3 | 4 | 4 | 1 | 1 | 0 | 1 |" in text
    assert "| all | 4 | 4 | 1 | 1 | 0 | 1 |" in text
