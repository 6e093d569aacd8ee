"""Tables in the UI's metadata have room on a page."""

import datetime as dt

from assets.metadata import MOST_COLUMNS, MOST_TURNED, table_preview

DIGEST = "d0824b831abd" + "0" * 52


def lines(rows, **limits):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table_preview(rows, **limits).splitlines()
    ]


def test_a_table_of_many_columns_is_turned():
    row = {f"c{number}": number for number in range(MOST_COLUMNS + 1)}
    header, _, first, *_ = lines([row] * 20, limit=20)
    assert header == ["column", *(f"row {number}" for number in range(1, MOST_TURNED + 1))]
    assert first == ["c0", *["0"] * MOST_TURNED]


def test_a_digest_is_shown_by_its_beginning():
    """Guards the fault that the page of the model table was clipped at its digests."""
    assert lines([{"digest": DIGEST, "job_id": "model-c88f3abdeb65-1"}])[2] == [
        "d0824b831abd\N{HORIZONTAL ELLIPSIS}",
        "model-c88f3abdeb65-1",
    ]


def test_a_moment_is_shown_to_the_second():
    assert lines([{"at": dt.datetime(2026, 11, 30, 12, 41, 17, 675046)}])[2] == [
        "2026-11-30 12:41:17"
    ]


def test_a_run_id_and_a_text_are_shown_whole():
    run, text = "5a726706-92ad-40af-9db1-e226e8009639", "back from version 2 to version 1"
    assert lines([{"run": run, "text": text}])[2] == [run, text]
