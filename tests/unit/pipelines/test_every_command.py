"""What every command says on an empty home, as people read it; `renew_snapshots.py` renews it."""

from pathlib import Path

import pytest

from tests.terminal import run_command, without_what_varies

SNAPSHOTS = Path(__file__).parent / "snapshots"
HOSTILE = "[bold]x[/] :smile: \N{GREEK SMALL LETTER OMEGA}"
#: Those that need no network and start no server.
COMMANDS = (
    ("models",),
    ("models", "--json"),
    ("models", "show", "1"),
    ("models", "compare", "1", "2"),
    ("models", "export", "bike_rentals"),
    ("models", "import", "absent.zip"),
    ("rollback",),
    ("explain", "2013-01-01"),
    ("explain", HOSTILE),
    ("status",),
    ("plan",),
    ("check",),
    ("sql", "SELECT 1 AS one, N'\N{GREEK SMALL LETTER OMEGA}' AS omega"),
    ("sql", "SELECT N'" + HOSTILE + "' AS [[b]]x]"),
    ("sql", "SELECT '" + "long " * 30 + "' AS long"),
    ("sql", "SELECT '" + "long " * 30 + "' AS long", "--wide"),
    ("sql", "EXEC dbo.predict_rentals"),
    ("sql", "SELECT"),
    ("sql", "-f", "absent.sql"),
    ("validate", "ftp://" + HOSTILE),
    ("run", "--csv", "ftp://" + HOSTILE),
    ("run", "--budget", "soon"),
    ("run", "--model", HOSTILE),
    ("automl", "--csv", "absent.csv", "--target", "y"),
    ("predict", "--model", "m", "--csv", "absent.csv", "-o", "out.csv"),
    ("new-model", HOSTILE, "--csv", "sample", "--target", "y"),
    ("smoke",),
    ("roles", "check"),
    ("link", "list"),
    (HOSTILE,),
    ("models", "--" + HOSTILE),
)


def said(terminal: str, folder: Path) -> str:
    """What all commands say, one after the other, each after its own line and exit code."""
    parts = []
    for arguments in COMMANDS:
        code, text = run_command(terminal, folder / "home", *arguments)
        shown = " ".join(arguments).replace("long " * 30, "long ...")
        parts.append(f"$ bikecast {shown}\n{without_what_varies(text, folder)}[exit code {code}]\n")
    return "\n".join(parts)


OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in ("pipe", "latin-1")]


@pytest.fixture(params=["80", *OTHERS])
def spoken(request, tmp_path, monkeypatch) -> tuple[str, str]:
    """A terminal's name and what all commands say on it."""
    monkeypatch.chdir(tmp_path)
    return request.param, said(request.param, tmp_path)


def test_every_command_says_on_an_empty_home_what_people_have_read(spoken):
    terminal, text = spoken
    assert text == (SNAPSHOTS / f"empty-{terminal}.txt").read_text("utf-8")
    assert "Traceback" not in text
    assert "[exit code -1]" not in text
