"""What the command line writes where nobody looks at a terminal."""

import psutil

from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.cli.output import rows_table, stderr_console, stdout_console
from pipelines.cli.progress import Progress

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
