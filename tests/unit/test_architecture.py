"""The rules of CONTRIBUTING.md that a program can check."""

import ast
import re
import subprocess
from pathlib import Path

import grimp
import pytest

PROJECT = Path(__file__).parents[2]
PACKAGES = ("pipelines", "assets", "resources", "bikecast")
MODULES = sorted(path for package in PACKAGES for path in (PROJECT / package).rglob("*.py"))
PORTS = sorted(f"resources.{path.parent.name}.port" for path in PROJECT.glob("resources/*/port.py"))
#: What a port may be made of, besides other ports.
PORT_VOCABULARY = {
    f"bikecast.core.{name}" for name in ("errors", "jobs", "spec", "sql", "training")
}
LONGEST_MODULE = 500


@pytest.fixture(scope="module")
def imports():
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def is_adapter(path):
    """True for a module that defines a Dagster resource."""
    bases = [
        base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    ]
    return "ConfigurableResource" in bases


def module_name(path):
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts)


def tracked_files():
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout, so there is no list of tracked files")
    return [PROJECT / name for name in listing.stdout.split("\0") if name]


def test_imports_go_one_way_from_pipelines_to_assets_to_resources(imports):
    illegal = imports.find_illegal_dependencies_for_layers(layers=PACKAGES)

    assert illegal == set()


@pytest.mark.parametrize("port", PORTS)
def test_a_port_imports_nothing_but_the_vocabulary_and_other_ports(imports, port):
    packages = {name.removesuffix(".port") for name in PORTS}
    imported = imports.find_modules_directly_imported_by(port)

    assert imported <= PORT_VOCABULARY | set(PORTS) | packages


def test_an_asset_never_sees_an_adapter(imports):
    adapters = {module_name(path) for path in MODULES if is_adapter(path)}
    assets = imports.find_descendants("assets") | {"assets"}
    seen = {
        (asset, adapter)
        for asset in assets
        for adapter in imports.find_modules_directly_imported_by(asset) & adapters
    }

    assert adapters
    assert seen == set()


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_module_stays_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert lines <= LONGEST_MODULE, f"{path.name} has {lines} lines; give it one subject"


def test_no_tracked_file_names_a_package_index_or_a_path_of_one_machine():
    hosts = r"\b(?:pypi|pythonhosted|npmjs|crates)\.(?:org|io)\b"
    folders = r"(?<![\w.~/-])/(?:work|root|Users|home/\w+|opt/\w+)/"
    forbidden = re.compile(f"{hosts}|{folders}")
    found = []
    for path in tracked_files():
        if path == Path(__file__) or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if forbidden.search(line):
                found.append(f"{path.relative_to(PROJECT)}:{number}: {line.strip()}")

    assert not found
