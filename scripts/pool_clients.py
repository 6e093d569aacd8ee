"""Run clients of SQL Server against the embedded pool, and print what works as a table.

`python scripts/pool_clients.py [--write] [CLIENT ...]` installs the clients with pip and npm into a
temporary folder, so it needs a package index; with --write the table of docs/sql-pool-connect.md is
renewed. It ends with 1 where a step of a client failed.
"""
# ruff: noqa: T201 # it prints a table

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bikecast.embedded.sql_pool import Credentials, Pool, serve, server_context

PROJECT = Path(__file__).parents[1]
CLIENTS = PROJECT / "scripts" / "clients"
DOCUMENT = PROJECT / "docs" / "sql-pool-connect.md"
STEPS = ("connect", "query", "parameters", "transaction", "catalog", "cancel")
PYTHON = {
    "pyodbc": "pyodbc",
    "mssql-python": "mssql-python",
    "pymssql": "pymssql",
    "pytds": "python-tds pyOpenSSL",
    "SQLAlchemy": "sqlalchemy",
}
NODE = ("tedious", "knex", "sequelize", "typeorm")
DBT = "dbt-synapse"
START, END = "<!-- clients -->\n", "<!-- end of clients -->"
Outcome = dict[str, str]


def install(folder: Path, names: list[str]) -> Path:
    """Environments with the clients in a folder; returns the ODBC driver."""
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    packages = " ".join(package for name, package in PYTHON.items() if name in names).split()
    if DBT in names:
        packages += ["dbt-synapse", "dbt-core<1.10"]
    pip: list[str | Path] = [
        folder / "env/bin/pip",
        "install",
        "-q",
        "mssql-python-odbc",
        "pyodbc",
        *packages,
    ]
    subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    modules = [name for name in NODE if name in names]
    if modules and shutil.which("npm"):
        command = ["npm", "install", "--silent", "tedious", "mssql", "reflect-metadata", *modules]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (driver,) = sorted(folder.glob("env/lib/*/site-packages/mssql_python_odbc/libs/linux/debian*/"
                                   f"{os.uname().machine}/lib/libmsodbcsql*"))[:1]  # fmt: skip
    return driver


def steps(command: Sequence[str | Path], folder: Path) -> Outcome:
    """What a client's program prints: a step and ok, or failed and why."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
    except subprocess.TimeoutExpired:
        return {"connect": "failed: no end within 300 s"}
    lines = (line.partition(" ") for line in done.stdout.splitlines())
    outcome = {step: rest for step, _, rest in lines if step in (*STEPS, "version")}
    return outcome if outcome else {"connect": f"failed: {done.stderr[-200:]}"}


def dbt(folder: Path, environment: dict[str, str]) -> Outcome:
    """A project of seeds, models, a snapshot, tests and docs, twice: the second time with news."""
    project = folder / "dbt"
    shutil.copytree(CLIENTS / "dbt", project)

    def run(*words: str) -> str:
        command: list[str | Path] = [
            folder / "env/bin/dbt",
            "--no-version-check",
            "--no-use-colors",
            *words,
        ]
        done = subprocess.run(
            [*command, "--profiles-dir", "."],
            cwd=project, env={**os.environ, **environment}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        lines = done.stdout.strip().splitlines() or [done.stderr[-200:]]
        return "ok" if done.returncode == 0 else "failed: " + " ".join(lines[-6:])

    outcome = {"connect": run("debug"), "query": run("build")}
    with (project / "seeds/rides.csv").open("a") as rides:
        rides.write("5,2,2024-05-04 07:00:00,15.0\n")
    stations = project / "seeds/stations.csv"
    stations.write_text(stations.read_text().replace("Harbour,20", "Harbour,22"))
    outcome |= {"transaction": run("build"), "catalog": run("docs", "generate")}
    version = "import importlib.metadata as m; print(m.version('dbt-synapse'))"
    done = subprocess.run(
        [folder / "env/bin/python", "-c", version], capture_output=True, text=True, check=True
    )
    return outcome | {"version": done.stdout.strip()}


def run(names: list[str]) -> dict[str, Outcome]:
    """Run the clients, and the outcome of each step by client."""
    with tempfile.TemporaryDirectory() as text:
        folder, password = Path(text), secrets.token_hex(8)
        driver = install(folder, names)
        (folder / "lake").mkdir()
        pool = Pool(folder / "pool.duckdb", folder / "lake")
        credentials, context = Credentials("someone", password), server_context(folder)
        with serve(pool, "127.0.0.1", 0, credentials, context=context) as server:
            port = str(server.port)
            of_node = CLIENTS / "node_client.js"
            environment = {"POOL_PORT": port, "POOL_PASSWORD": password, "ODBC_DRIVER": str(driver)}
            environment |= {"DO_NOT_TRACK": "1"}
            outcomes = {}
            command: list[str | Path]
            for name in names:
                if name in PYTHON:
                    command = [folder / "env/bin/python", CLIENTS / "python_client.py", name, port]
                    outcomes[name] = steps(
                        [*command, password, driver, folder / "server.pem"], folder
                    )
                elif name in NODE:
                    command = ["node", "--no-deprecation", of_node, name, port, password]
                    outcomes[name] = steps(command, folder)
                else:
                    outcomes[name] = dbt(folder, environment)
                print(name, outcomes[name], file=sys.stderr, flush=True)
    return outcomes


def table(outcomes: dict[str, Outcome]) -> str:
    """The outcomes as Markdown; a dash where a client has no such step."""
    lines = [f"| client | version | {' | '.join(STEPS)} |", "|---" * (len(STEPS) + 2) + "|"]
    for name, outcome in outcomes.items():
        cells = [outcome.get(step, "-").replace("|", "/") for step in STEPS]
        lines.append(f"| {name} | {outcome.get('version', '?')} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    chosen = [word for word in sys.argv[1:] if word != "--write"] or [*PYTHON, *NODE, DBT]
    result = run(chosen)
    print(table(result))
    if "--write" in sys.argv:
        before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(START)
        after = rest.partition(END)[2]
        written = f"{before}{START}{table(result)}{END}{after}"
        DOCUMENT.write_text(written, encoding="utf-8")
    sys.exit(any(cell.startswith("failed") for o in result.values() for cell in o.values()))
