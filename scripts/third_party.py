"""Write THIRD_PARTY.md: name, version and licence of each package that a lock installs.

Licences are those that the packages' own metadata says. `.venv` of the test lock has most; give
folders with the others: `python scripts/third_party.py FOLDER ...`, such as those of
`pip install --no-deps --target FOLDER -r requirements/notebook.txt`. What is in no folder keeps the
row that the file has for the same version, and one of another Python has the licence of its other
version.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageMetadata, distributions
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
TARGET = PROJECT / "THIRD_PARTY.md"
LOCKS = ("run", "deploy", "notebook", "test")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", re.MULTILINE)
_ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
#: What asks for more than a notice: copyleft, and terms that are no open licence.
_STRICT = re.compile(
    r"GPL|MPL|EUPL|General Public|Mozilla|Proprietary|Microsoft|Other|https?:", re.I
)
_CLASSIFIER = "License :: "
_LONGEST = 80
_LIST = "## All packages"
_INTRODUCTION = """# Third-party software

bikecast's own licence is in [LICENSE](LICENSE). The project contains no code of others: what is
listed here is installed by the locks in `requirements/`, unchanged, from its makers' packages, each
with its licence text. Made by `python scripts/third_party.py` from the packages' metadata;
`tests/unit/test_third_party.py` holds it against the locks.

"""


def locked() -> dict[tuple[str, str], list[str]]:
    """The locks that install each package, by its normalized name and version."""
    packages: dict[tuple[str, str], list[str]] = {}
    for lock in LOCKS:
        text = (PROJECT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
        for name, version in _PIN.findall(text):
            packages.setdefault((normal(name), version), []).append(lock)
    return dict(sorted(packages.items()))


def normal(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(folders: Sequence[str]) -> dict[tuple[str, str], str]:
    """The licences of what is installed here and in the folders."""
    there = [*distributions(), *distributions(path=list(folders))]
    return {(normal(each.name), each.version): licence(each.metadata) for each in there}


def licence(metadata: PackageMetadata) -> str:
    """What a package says of its licence: expression, classifiers, or a short text."""
    if expression := metadata.get("License-Expression"):
        return str(expression)
    text = (metadata.get("License") or "").strip().splitlines()
    names = [
        each.rpartition(" :: ")[2]
        for each in metadata.get_all("Classifier") or ()
        if each.startswith(_CLASSIFIER) and not each.endswith("OSI Approved")
    ]
    if names:
        return ", ".join(names)
    return text[0].strip(" |")[:_LONGEST] if text else "not said"


def rows(text: str) -> dict[tuple[str, str], str]:
    """The licences that a written file has."""
    table = text[text.find(_LIST) :].partition("---|\n")[2]
    return {(name, version): words for name, version, words, _ in _ROW.findall(table)}


def is_strict(words: str) -> bool:
    """Whether a licence is one that the file has to explain."""
    return bool(_STRICT.search(words)) or words == "not said"


def document(licences: Mapping[tuple[str, str], str], reasons: str) -> str:
    """The whole file; `reasons` is what people wrote about strict licences."""
    lines = ["| package | version | licence | lock |", "|---|---|---|---|"]
    for (name, version), locks in locked().items():
        words = licences[name, version]
        lines.append(f"| {name} | {version} | {words} | {', '.join(locks)} |")
    return _INTRODUCTION + reasons + f"{_LIST}\n\n" + "\n".join(lines) + "\n"


def reasons_of(text: str) -> str:
    """The part of a written file that people wrote."""
    start, end = text.find("## What asks for more"), text.find(_LIST)
    return text[start:end] if 0 <= start < end else "## What asks for more than a notice\n\n"


def main(folders: Sequence[str]) -> int:
    """Write the file; says which packages are not known, and which licences are not explained."""
    old = TARGET.read_text(encoding="utf-8") if TARGET.is_file() else ""
    licences = rows(old) | installed(folders)
    of_another_version = {name: words for (name, _), words in licences.items()}
    for name, version in locked():
        if (name, version) not in licences and name in of_another_version:
            licences[name, version] = of_another_version[name]
    if unknown := [" ".join(each) for each in locked() if each not in licences]:
        print(f"installed nowhere, so nothing was written: {', '.join(unknown)}")  # noqa: T201
        return 1
    reasons = reasons_of(old)
    TARGET.write_text(document(licences, reasons), encoding="utf-8")
    for name, version in locked():
        if is_strict(licences[name, version]) and f"`{name}`" not in reasons:
            print(f"not explained: {name} ({licences[name, version]})")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
