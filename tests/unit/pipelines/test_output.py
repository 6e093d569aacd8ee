"""What the command line writes where nobody looks at a terminal."""

import io
import os
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.cli.output import (
    print_facts,
    print_table,
    rows_table,
    stderr_console,
    stdout_console,
)
from pipelines.cli.progress import Progress
from pipelines.cli.streams import BY_NUMBER
from pipelines.reports.durations import duration

HOSTILE = "[bold]x[/] :smile: [/nothing] \\["
LONG = "word " * 100 + "end"


def test_a_line_is_not_wrapped_in_a_pipe(capsys):
    stderr_console().print(LONG)
    stdout_console().print(LONG)
    assert capsys.readouterr() == (LONG + "\n", LONG + "\n")


def test_a_table_keeps_its_columns_in_a_pipe(capsys):
    stdout_console().print(rows_table(["a", "b"], [["x", 1], ["longer", 22]]))
    assert [line.split() for line in capsys.readouterr().out.splitlines()][2:] == [
        ["x", "1"],
        ["longer", "22"],
    ]


def test_progress_without_news_writes_nothing(capfd):
    with Progress(BIKE_RENTALS):
        pass
    assert capfd.readouterr().err == ""


def test_progress_closes_what_it_opened():
    before = psutil.Process().num_fds()
    with Progress(BIKE_RENTALS):
        pass
    assert psutil.Process().num_fds() == before


def printed(names, rows, *, width=80, encoding="utf-8", **how):
    """The lines of a table on a terminal."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors=BY_NUMBER, newline="\n")
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    print_table(names, rows, console=console, **how)
    stream.flush()
    return raw.getvalue().decode(encoding).splitlines()


def test_text_of_users_is_printed_as_it_is(capsys):
    print_table([HOSTILE], [[HOSTILE]], HOSTILE)
    print_facts(HOSTILE, {"fact": HOSTILE})
    assert capsys.readouterr().out.count(HOSTILE) == 5


def test_cells_that_do_not_fit_end_in_an_ellipsis_and_that_is_said(capsys):
    lines = printed(["name", "number"], [["word " * 9, 1.5]], width=20)
    assert lines[-1] == "word word w\u2026     1.5"
    assert "--wide shows all" in capsys.readouterr().err


@pytest.mark.parametrize("cell", ["word " * 40, b"\x00\xff" * 40], ids=["text", "bytes"])
def test_wide_shows_all_of_every_cell(cell, capsys):
    whole = cell if isinstance(cell, str) else "0x" + cell.hex()
    assert printed(["name"], [[cell]], width=20, wide=True)[-1].strip() == whole.strip()
    assert capsys.readouterr().err == ""


def test_columns_without_room_are_left_out_before_numbers_are_cut_and_that_is_said(capsys):
    names = [f"measured_{number}" for number in range(12)]
    lines = printed(names, [[number + 0.12345 for number in range(12)]])
    assert lines[-3].split() == [*names[:5], names[-1]]
    assert lines[-1].split()[-1] == "11.12345"[:6]
    assert "There is no room for measured_5, measured_6" in capsys.readouterr().err
    assert len(printed(names, [[1.5] * 12], wide=True)[0].split()) == 12


def test_texts_are_narrowed_before_dates_and_numbers():
    [*_, line] = printed(["at", "job", "n"], [["2026-11-30 08:59", "job-" * 9, 123456]], width=40)
    assert line.startswith("2026-11-30 08:59")
    assert line.endswith("123456")


def test_an_ellipsis_is_one_character_in_every_encoding():
    wide, narrow = (
        printed(["name"], [["word " * 9]], width=20, encoding=encoding)
        for encoding in ("utf-8", "latin-1")
    )
    assert [len(line) for line in wide] == [len(line) for line in narrow]
    assert narrow[-1].endswith("~")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([12.345678, 1.0], ["12.346", "1.000"]),
        ([5.0, 10.0], ["5", "10"]),
        ([0.25, None, 3], ["0.25", "NULL", "3.00"]),
        ([1e-9, 2e-9], ["1.0000e-09", "2.0000e-09"]),
        ([float("nan"), 1.5], ["nan", "1.5"]),
        ([1, 22], ["1", "22"]),
        ([0.0], ["0"]),
    ],
)
def test_the_numbers_of_a_column_have_one_precision(values, shown):
    lines = printed(["n"], [[value] for value in values])
    assert [line.strip() for line in lines[2:]] == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (59, "59 s"),
        (90, "1.5 min"),
        (7200, "2 h"),
        (90_000, "25 h"),
        (1e6, "11.6 days"),
    ],
)
def test_times_under_a_minute_are_seconds(seconds, words):
    assert duration(seconds) == words


def test_arguments_that_are_no_text_are_refused_before_any_work(bikecast, tmp_path):
    code, out, err = bikecast("explain", "caf\udce9")
    assert (code, out) == (2, "")
    assert "Argument 2 is not text" in err
    assert r"b'caf\xe9'" in err
    assert not (tmp_path / "home").exists()


def test_a_file_whose_name_is_no_text_is_taken(bikecast, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")
    Path(path).write_text("no,bike\n1,2\n")
    code, _, err = bikecast("validate", path)
    assert code == 2
    assert "is not text" not in err
    assert r"caf\xe9.csv" in err


def test_settings_that_are_no_text_are_refused_and_such_variables_of_others_left_out(
    bikecast, monkeypatch
):
    monkeypatch.setenv("OF_ANOTHER_TOOL", "caf\udce9")
    assert bikecast("--version")[0] == 0
    assert "OF_ANOTHER_TOOL" not in os.environ
    monkeypatch.setenv("BIKECAST_CSV", "caf\udce9")
    code, _, err = bikecast("plan")
    assert code == 2
    assert "BIKECAST_CSV is not text" in err
