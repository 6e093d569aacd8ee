"""Clients that nobody here wrote, each in an environment of its own: the table of the document."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SCRIPT = PROJECT / "scripts/pool_clients.py"

pytestmark = pytest.mark.slow


def run(*names):
    """The printed table; skips where an environment cannot be made here."""
    command = [sys.executable, str(SCRIPT), *names]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if "CalledProcessError" in done.stderr:
        pytest.skip("pip or npm cannot install the clients here")
    assert done.returncode == 0, done.stdout
    return done.stdout


def rows(table):
    """What works, by the client's name; the versions are those of the day."""
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return {name: steps for name, _, *steps in cells}


def documented(names):
    """The same of the document's table."""
    lines = (PROJECT / "docs/sql-pool-connect.md").read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| client | version "))
    table = "\n".join(lines[start : start + 20]).partition("\n\n")[0]
    return {name: steps for name, steps in rows(table).items() if name in names}


def test_dbt_builds_a_project_twice_and_documents_it():
    (row,) = [line for line in run("dbt-synapse").splitlines() if line.startswith("| dbt-synapse")]
    cells = [cell.strip() for cell in row.split("|")[3:-1]]
    assert cells == ["ok", "ok", "-", "ok", "ok", "-"]


def test_clients_of_python_connect_query_and_cancel():
    names = ("pyodbc", "mssql-python", "pymssql", "pytds", "SQLAlchemy")
    assert rows(run(*names)) == documented(names)


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node and npm")
def test_clients_of_node_connect_query_and_cancel():
    names = ("tedious", "knex", "sequelize", "typeorm")
    assert rows(run(*names)) == documented(names)
