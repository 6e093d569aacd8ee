"""The T-SQL corpus from outside: by ODBC Driver 18 over TLS, and by `bikecast sql`.

Of the second, what it prints as CSV is compared.
"""

import csv
import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus.comparison import CASES, DISPUTED, has_order, results_of
from tests.tds_server import connection_string, odbc_driver, server_process

pytestmark = pytest.mark.slow
_NUMBER = re.compile(r"Msg (\d+)")


def test_the_corpus_passes_by_odbc_over_tls(tmp_path):
    odbc_driver()
    from tests.corpus.over_odbc import faults

    with server_process(tmp_path) as server:
        texts = faults(connection_string(server))
    assert set(texts) == set(DISPUTED), texts


def by_command(scripts, home):
    """The answers of `bikecast sql` to scripts: exit status, standard output, standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.contract.corpus_command", str(home)],
        cwd=Path(__file__).parents[2],
        input=json.dumps(scripts),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def same_text(want, got):
    """Whether a printed value is the expected one; NULL is printed as nothing."""
    if want is None:
        return got == ""
    if isinstance(want, bool):
        return got == str(int(want))
    if isinstance(want, float):
        return got != "" and math.isclose(want, float(got), rel_tol=1e-6, abs_tol=1e-12)
    return str(want).upper() == got.upper()


def same_line(want, got):
    return len(want) == len(got) and all(map(same_text, want, got))


def same_output(wanted, printed, ordered):
    """Whether the lines are those of the result sets, with an empty line between two.

    A row of one NULL is an empty line, too.
    """
    lines = [line or [""] for line in csv.reader(io.StringIO(printed))]
    for number, want in enumerate(wanted):
        if number:
            gap, lines = lines[:1], lines[1:]
            if gap != [[""]]:
                return False
        head, lines = lines[:1], lines[1:]
        names = [column["name"] for column in want["columns"]]
        rows, lines = lines[: len(want["rows"])], lines[len(want["rows"]) :]
        if (
            not head
            or (not same_line(names, head[0]) and names != [""])
            or len(rows) != len(want["rows"])
        ):
            return False
        for place, row in enumerate(want["rows"]):
            places = [place] if ordered else range(len(rows))
            match = next(
                (i for i in places if rows[i] is not None and same_line(row, rows[i])), None
            )
            if match is None:
                return False
            if not ordered:
                rows[match] = None
    return not lines


def fault(case, answer):
    """What is wrong with the command's answer to a case, or an empty text."""
    expect, (status, printed, errors) = case["expect"], answer
    if expect.get("refused"):
        return "" if status else f"accepted: {printed}"
    if "error" in expect:
        numbers = {int(number) for number in _NUMBER.findall(errors)[:1]}
        return "" if numbers & {expect["error"], *expect.get("error_alt", [])} else errors
    if status:
        return errors
    wanted = results_of(expect)
    if not same_output(wanted, printed, has_order(case["sql"])):
        return f"printed {printed!r}, expected {wanted}"
    missing = [text for text in expect.get("messages", ()) if text.strip() not in errors]
    return f"missing messages: {missing}" if missing else ""


def test_the_corpus_passes_by_the_command_line(tmp_path):
    scripts, places = [], []
    for case in CASES:
        clean = [case["teardown"]] if case.get("teardown") else []
        places.append(len(scripts) + len(clean))
        scripts += [*clean, [*case["setup"], case["sql"]], *clean]
    answers = by_command(scripts, tmp_path / "home")
    found = {
        case["id"]: fault(case, answers[place]) for case, place in zip(CASES, places, strict=True)
    }
    faults = {name: text for name, text in found.items() if text}
    assert set(faults) == set(DISPUTED), faults
