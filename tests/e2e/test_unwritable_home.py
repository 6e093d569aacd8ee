"""A home that turns read-only or full is a clear error of every command."""

import shutil
import subprocess
import sys

import pytest

from pipelines.cli.app import main
from tests.cli import Cli

COMMANDS = {
    "run": ["run"],
    "plan": ["plan"],
    "status": ["status"],
    "explain": ["explain", "2011-01-01"],
    "models": ["models"],
    "rollback": ["rollback", "1"],
    "rescore": ["rescore", "--from", "2013-01-01", "--to", "2013-01-02"],
    "sql": ["sql", "SELECT 1 AS one"],
    "ui": ["ui", "--port", "3987"],
}


@pytest.fixture
def read_only_home(tmp_path, monkeypatch):
    """A home that was written before; read-only for every user, root too."""
    home = tmp_path / "home"
    for folder in ("lake", "jobs", "models", "dagster", "logs"):
        (home / folder).mkdir(parents=True)
    monkeypatch.setenv("BIKECAST_HOME", str(home))
    if subprocess.run(["mount", "--bind", home, home], check=False).returncode:
        pytest.skip("no right to mount a folder read-only")
    subprocess.run(["mount", "-o", "remount,ro,bind", home], check=True)
    yield home
    subprocess.run(["umount", "-l", home], check=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_read_only_home_ends_every_command_with_a_clear_error(
    read_only_home, monkeypatch, capsys, command
):
    monkeypatch.setattr(sys, "argv", ["bikecast", *COMMANDS[command]])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert f"The home folder {read_only_home} cannot be written: Read-only file system." in said
    assert "Nothing was started. Make room there or make it writable" in said


@pytest.fixture
def full_disk(small_disk):
    """The command line on a home whose disk became full."""
    cli = Cli(small_disk / "home", trials=2)
    cli("sql", "SELECT 1 AS one")
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    return cli


def test_a_full_disk_is_told_by_a_command_that_writes(full_disk):
    done = full_disk("sql", "CREATE TABLE dbo.t (a varchar(8000))")
    assert done.returncode == 1
    assert "cannot be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_keeps_no_command_that_looks_from_its_answer(full_disk):
    done = full_disk("status")
    assert done.returncode == 1
    assert "Problems: no version of bike_rentals is live" in done.stdout
    assert done.stderr == ""
