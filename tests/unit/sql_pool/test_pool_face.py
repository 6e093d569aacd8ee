"""The package as a library: one face, which its README shows, and no Dagster."""

import re
import subprocess
import sys
from pathlib import Path

import grimp

import bikecast.embedded.sql_pool as face

PROJECT = Path(__file__).parents[3]
NAME = face.__name__
FOLDER = Path(face.__file__).parent
HEAVY = "cryptography dagster duckdb numpy onnxruntime pyarrow pydantic sqlglot".split()
#: What the endpoint may import of the package, besides itself.
ENDPOINT = {f"{NAME}.internal", f"{NAME}.pool"}


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


def test_the_endpoint_needs_the_internal_interface_alone():
    imports = grimp.build_graph("bikecast", cache_dir=None)
    endpoint = imports.find_descendants(f"{NAME}.tds")
    inside = imports.find_descendants(NAME) - endpoint - {f"{NAME}.tds"}
    needed = {
        module
        for importer in endpoint
        for module in imports.find_modules_directly_imported_by(importer) & inside
    }

    assert needed == ENDPOINT
