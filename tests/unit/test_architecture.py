"""The rules of CONTRIBUTING.md that a program can check."""

import ast
import importlib
import re
import subprocess
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

PROJECT = Path(__file__).parents[2]
PACKAGES = ("pipelines", "assets", "resources", "bikecast")
#: Imports go one way, from the first to the last.
LAYERS = ("pipelines", "assets", "resources", "bikecast.embedded", "bikecast.core")
#: Libraries with one public face, and who looks inside: its tests, and what measures a part.
LIBRARIES = {
    "bikecast.embedded.automl": (
        "tests/unit/automl",
        "benchmarks/automl_quality.py",
        "benchmarks/scale.py",
    ),
    "bikecast.embedded.mlflow": ("tests/unit/registry",),
    "bikecast.embedded.sql_pool": ("tests/unit/sql_pool", "tests/unit/tds"),
}
MODULES = sorted(path for package in PACKAGES for path in (PROJECT / package).rglob("*.py"))
PORTS = sorted(f"resources.{path.parent.name}.port" for path in PROJECT.glob("resources/*/port.py"))
#: What a port may be made of, besides other ports.
PORT_VOCABULARY = {
    f"bikecast.core.{name}" for name in ("errors", "jobs", "spec", "sql", "training")
}
#: What assets may import of resources beside the ports, and why each is no adapter.
PLAIN_MODULES = {
    "resources.lake.csv_file": "reads a local file by the spec",
    "resources.lake.findings": "looks at a table in memory; the engines look with it too",
    "resources.lake.many_files": "functions of the port Lake",
    "resources.lake.queries": "asks a database in memory about tables",
    "resources.lake.raw_files": "functions of the port Lake",
    "resources.lake.scoring_rows": "functions of the port Lake",
    "resources.lake.tables": "functions of the port Lake",
    "resources.lake.unique_keys": "looks at blocks of rows",
    "resources.spark.preparation_code": "a list of paths: what decides the training table",
    "resources.sql_pool.daily": "functions of the port SqlPool",
    "resources.sql_pool.deployment": "functions of the port SqlPool",
    "resources.sql_pool.stored_predictions": "functions of the port SqlPool",
    "resources.sql_pool.model_table": "functions of the port SqlPool",
}
LONGEST_MODULE = 500


@pytest.fixture(scope="module")
def imports():
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def module_name(path):
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts)


def python_files():
    folders = (*PACKAGES, "benchmarks", "tests")
    return [path for folder in folders for path in (PROJECT / folder).rglob("*.py")]


@cache
def imported_names(path):
    """Dotted names that a file imports, from a module each of its names."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def tracked_files():
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        pytest.skip("not a git checkout, so there is no list of tracked files")
    return [PROJECT / name for name in listing.stdout.split("\0") if name]


def test_imports_go_one_way_from_pipelines_to_core(imports):
    assert imports.find_illegal_dependencies_for_layers(layers=LAYERS) == set()


def test_no_files_import_each_other_in_a_circle(imports):
    files = {name: imports.find_modules_directly_imported_by(name) for name in imports.modules}
    try:
        TopologicalSorter(files).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_what_stands_in_for_azure_does_not_know_each_other(imports):
    layers = ({"automl", "sql_pool"}, "mlflow")

    illegal = imports.find_illegal_dependencies_for_layers(
        layers=layers, containers={"bikecast.embedded"}
    )

    assert illegal == set()


@pytest.mark.parametrize("library", LIBRARIES)
def test_nobody_imports_past_the_face_of_a_library(library):
    face = importlib.import_module(library).__all__
    own = (library.replace(".", "/"), *LIBRARIES[library])
    files = {path.relative_to(PROJECT).as_posix(): path for path in python_files()}
    names = {
        (file, name.removeprefix(f"{library}."))
        for file, path in files.items()
        if not file.startswith(own)
        for name in imported_names(path)
        if name.startswith(f"{library}.")
    }

    assert names
    assert {(file, name) for file, name in names if name not in face} == set()


def test_bikecast_needs_no_dagster():
    graph = grimp.build_graph("bikecast", include_external_packages=True, cache_dir=None)

    assert "duckdb" in graph.modules
    assert [name for name in graph.modules if name.startswith("dagster")] == []


@pytest.mark.parametrize("port", PORTS)
def test_a_port_imports_nothing_but_the_vocabulary_and_other_ports(imports, port):
    packages = {name.removesuffix(".port") for name in PORTS}
    imported = imports.find_modules_directly_imported_by(port)

    assert imported <= PORT_VOCABULARY | set(PORTS) | packages


def test_an_asset_sees_ports_and_plain_functions_never_an_adapter(imports):
    assets = imports.find_descendants("assets") | {"assets"}
    imported = {
        (asset, module)
        for asset in assets
        for module in imports.find_modules_directly_imported_by(asset) - assets
        if not module.startswith("bikecast.core.")
    }

    assert {pair for pair in imported if pair[1] not in {*PORTS, *PLAIN_MODULES}} == set()
    assert set(PLAIN_MODULES) <= {module for _, module in imported}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_module_stays_short(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert lines <= LONGEST_MODULE, f"{path.name} has {lines} lines; give it one subject"


def test_no_tracked_file_names_a_package_index_or_a_path_of_one_machine():
    hosts = r"\b(?:pypi|pythonhosted|npmjs|crates)\.(?:org|io)\b"
    folders = r"(?<![\w.~/-])/(?:work|root|Users|home/\w+|opt/\w+)/"
    forbidden = re.compile(f"{hosts}|{folders}")
    places = []
    for path in tracked_files():
        if path == Path(__file__) or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if forbidden.search(line):
                places.append(f"{path.relative_to(PROJECT)}:{number}: {line.strip()}")

    assert places == []
