"""The package as a library: one face, which its README shows, and no Dagster."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import bikecast.embedded.sql_pool as face

PROJECT = Path(__file__).parents[3]
NAME = face.__name__
FOLDER = Path(face.__file__).parent
OWN_TESTS = ("tests/unit/sql_pool", "tests/unit/tds")
HEAVY = "cryptography dagster duckdb numpy onnxruntime pyarrow pydantic sqlglot".split()
#: What the endpoint may import of the package, besides itself.
ENDPOINT = {f"{NAME}.internal", f"{NAME}.pool"}


@pytest.fixture(scope="module")
def imports():
    return grimp.build_graph("pipelines", "assets", "resources", "bikecast", cache_dir=None)


def modules_after(code):
    """The modules that a fresh interpreter has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def imported_by(path):
    """The names that a file imports, with those behind `from`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_past_the_face(name):
    inside = name.removeprefix(f"{NAME}.")
    return inside != name and inside not in face.__all__


def test_the_lines_of_the_readme_run_as_they_stand(tmp_path, monkeypatch, capsys):
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) == 10
    monkeypatch.chdir(tmp_path)

    exec(code, {})

    printed = r"\[{'id': 2}\] \['filled'\]\n127\.0\.0\.1,\d+ for sqlcmd, .*\n"
    assert re.fullmatch(printed, capsys.readouterr().out)


def test_the_readme_names_the_whole_face():
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert [name for name in face.__all__ if not re.search(rf"`{name}\b", readme)] == []


def test_importing_the_face_imports_nothing_heavy():
    assert modules_after(f"import {NAME}") & set(HEAVY) == set()


def test_a_session_and_an_endpoint_need_no_dagster(tmp_path):
    code = f"""
from {NAME} import Credentials, Pool, serve
pool = Pool({str(tmp_path / "pool.duckdb")!r}, {str(tmp_path)!r})
with pool.session() as session, serve(pool, "127.0.0.1", 0, Credentials("me", "secret")):
    session.run("SELECT 1 AS one")
"""
    modules = modules_after(code)

    assert "duckdb" in modules
    assert {name.partition(".")[0] for name in modules} & {"dagster", "resources"} == set()


def test_no_product_module_imports_past_the_face(imports):
    inside = imports.find_descendants(NAME)
    past = {
        (importer, module)
        for module in inside
        for importer in imports.find_modules_that_directly_import(module) - inside - {NAME}
    }

    assert past == set()
    assert "resources.sql_pool.embedded" in imports.find_modules_that_directly_import(NAME)


def test_the_package_needs_nothing_of_the_project_but_its_core(imports):
    inside = imports.find_descendants(NAME) | {NAME}
    outside = {
        imported
        for module in inside
        for imported in imports.find_modules_directly_imported_by(module) - inside
    }

    assert {name for name in outside if not name.startswith("bikecast.core.")} == set()


def test_the_endpoint_needs_the_internal_interface_alone(imports):
    endpoint = imports.find_descendants(f"{NAME}.tds")
    inside = imports.find_descendants(NAME) - endpoint - {f"{NAME}.tds"}
    needed = {
        module
        for importer in endpoint
        for module in imports.find_modules_directly_imported_by(importer) & inside
    }

    assert needed == ENDPOINT


def test_no_benchmark_and_no_other_test_imports_past_the_face():
    own = tuple(PROJECT / folder for folder in OWN_TESTS)
    files = [
        path
        for folder in ("benchmarks", "tests", "scripts")
        for path in (PROJECT / folder).rglob("*.py")
        if not any(path.is_relative_to(folder) for folder in own)
    ]
    past = {
        (str(path.relative_to(PROJECT)), name)
        for path in files
        for name in imported_by(path)
        if is_past_the_face(name)
    }

    assert past == set()
    assert any(NAME in name for path in files for name in imported_by(path))
