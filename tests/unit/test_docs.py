"""What the documents name is there: files of the project, its modules, and what links lead to."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
#: The change log also names what is gone.
DOCUMENTS = sorted(
    {*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("tests/**/*.md")}
    | {*PROJECT.glob("bikecast/**/*.md")} - {PROJECT / "CHANGELOG.md"}
)
FOLDERS = "assets|benchmarks|bikecast|deploy|docs|pipelines|requirements|resources|scripts|tests"
#: A path from the root, wherever it stands: in prose, in backticks, in a command.
PATH = re.compile(rf"(?<![\w./-])(?:(?:{FOLDERS})/|\.ci/)[\w./-]*")
MODULE = re.compile(r"(?<![\w./-])(?:assets|bikecast|pipelines|resources|tests)(?:\.\w+)+")
#: A file's name alone, in backticks, such as `macros.sql`.
NAME = re.compile(r"`([\w.-]+\.(?:py|sql|sh|toml))`")
#: What a reader makes by following a document.
MADE = {"deploy/.env", "bikecast.dump"}
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)(?:#[^)]*)?\)")


def in_document(path):
    return str(path.relative_to(PROJECT))


def is_module(name):
    """Whether a dotted name is a module, or something that its module names."""
    place = PROJECT / name.replace(".", "/")
    if place.is_dir() or place.with_suffix(".py").is_file():
        return True
    package = place.parent / "__init__.py"
    file = package if package.is_file() else place.parent.with_suffix(".py")
    return file.is_file() and place.name in re.findall(r"\w+", file.read_text("utf-8"))


def is_file_name(name):
    folders = ["", *(f"{folder}/**/" for folder in FOLDERS.split("|"))]
    return any(any(PROJECT.glob(f"{folder}{name}")) for folder in folders)


@pytest.mark.parametrize("document", DOCUMENTS, ids=in_document)
def test_what_a_document_names_is_there(document):
    text = document.read_text("utf-8")
    missing = [
        *(name for name in PATH.findall(text) if not (PROJECT / name.rstrip(".")).exists()),
        *(name for name in MODULE.findall(text) if not is_module(name)),
        *(name for name in NAME.findall(text) if not is_file_name(name)),
        *(link for link in LINK.findall(text) if not (document.parent / link).exists()),
    ]

    assert set(missing) <= MADE
