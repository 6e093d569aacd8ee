"""The list of commands, and what each of them imports."""

import errno
import json
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.main import get_command

from pipelines.cli.app import COMMANDS, GROUPS, app, lacks_memory, load
from tests.cli import PROJECT

#: Prints the project's command modules and the slow packages that a command line has imported.
IMPORTED = """
import json, sys
from pipelines.cli.app import COMMANDS, main
sys.argv = ["bikecast", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
modules = {f"pipelines.cli.{module}" for module, _ in COMMANDS.values()} | {"dagster"}
print(json.dumps(sorted(modules & set(sys.modules))), file=sys.stderr)
"""


def imported_by(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Usage: bikecast" in done.stdout
    return json.loads(done.stderr)


def test_the_list_of_commands_imports_none_of_them():
    assert imported_by("--help") == []


@pytest.mark.parametrize("name", ["run", "smoke", "mlflow-ui", "roles"])
def test_the_help_of_a_command_imports_its_module_alone_and_not_dagster(name):
    assert imported_by(name, "--help") == [f"pipelines.cli.{COMMANDS[name][0]}"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_its_own_help_says_first(name):
    command = load(name)
    assert command.name == name
    assert command.help.split("\n\n")[0].replace("\n", " ") == COMMANDS[name][1]


def test_the_list_has_the_commands_of_all_modules():
    modules = {path.stem for path in (PROJECT / "pipelines" / "cli").glob("*.py")}
    shared = {"__init__", "app", "file_options", "model_option", "online", "output", "progress"}
    shared |= {"report", "stopping", "streams"}
    assert shared <= modules
    assert {module for module, _ in COMMANDS.values()} == modules - shared
    assert set(get_command(app).commands) == set(COMMANDS)


def test_each_command_is_in_one_group_of_the_help(bikecast):
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(COMMANDS)
    code, text, _ = bikecast("--help")
    assert code == 0
    places = [text.index(f" {group} ──") for group in GROUPS]
    assert places == sorted(places)


def test_the_version_is_said_without_importing_a_command(bikecast):
    assert bikecast("--version") == (0, f"bikecast {version('bikecast')}\n", "")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("bikecast new", "new-model"),
        ("bikecast models ex", "export"),
        ("bikecast run --bu", "--budget"),
    ],
)
def test_a_shell_completes_commands_and_options(typed, offered, bikecast, monkeypatch):
    monkeypatch.setenv("_BIKECAST_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(typed.count(" ")))
    assert bikecast()[:2] == (0, f"{offered}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(bikecast, command):
    code, text, _ = bikecast(command, "--help")
    assert code == 0
    assert len(text) > 300


@pytest.mark.parametrize(
    ("error", "lacks"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (ImportError("libx.so: failed to map segment from shared object"), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("something else"), False),
    ],
)
def test_a_lack_of_memory_is_told_from_other_faults(error, lacks):
    assert lacks_memory(error) is lacks
    outer = RuntimeError("a step failed")
    outer.__cause__ = error
    assert lacks_memory(outer) is lacks


def test_a_limit_of_memory_is_an_error_in_words_and_no_traceback():
    """Under `ulimit -v` a command ended in a traceback."""
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); "
        "import pipelines.cli.app as cli; cli.app = lambda **_: bytes(1 << 31); cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is not enough memory: this process may have 1,024")
