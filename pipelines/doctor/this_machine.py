"""Checks of this machine: Python, packages, home, disk, ports, Java and the ODBC driver."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from bikecast.core.errors import BikecastError
from pipelines.doctor.checks import Check, Diagnosis, State
from pipelines.doctor.damage import diagnose
from pipelines.home import Home
from pipelines.settings import PROJECT, Settings

AREA = "machine"
LOCK = PROJECT / "requirements" / "test.txt"
DISTRIBUTION = "bikecast"
#: Bytes that a run with the sample leaves behind are about 50 MB; an update of packages needs more.
LITTLE, TOO_LITTLE = 2_000_000_000, 200_000_000
SQL_SERVER_PORT = 1433
JAVA_SECONDS = 15


def local_checks(settings: Settings, odbc_driver: str = "") -> list[Check]:
    """The checks of this machine; `odbc_driver` is the name or path that azure needs."""
    home = Home.of(settings)
    return [
        Check(AREA, "Python", python),
        Check(AREA, "packages", lambda: packages(settings.env)),
        Check(AREA, "home", lambda: writable(home.root)),
        Check(AREA, "home's files", lambda: diagnose(home)),
        Check(AREA, "disk", lambda: disk(home.root)),
        Check(AREA, "ports", lambda: ports(settings.ui_port)),
        Check(AREA, "Java", lambda: java(settings.spark_remote)),
        Check(AREA, "Spark", lambda: spark(settings.spark_remote, settings.env)),
        Check(AREA, "ODBC driver", lambda: odbc(odbc_driver, settings.env)),
    ]


def python() -> list[Diagnosis]:
    """The interpreter's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        remedy = "make setup PYTHON=python3.11"
        return [
            Diagnosis(AREA, "Python", "failed", f"{version}; 3.11 to 3.13 are supported", remedy)
        ]
    return [Diagnosis(AREA, "Python", "ok", f"{version} ({sys.executable})")]


def packages(env: str) -> list[Diagnosis]:
    """The packages that the project names are there, at the versions of the lock."""
    wanted = _wanted(env)
    absent, other = [], []
    locked = _locked()
    for name in wanted:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            absent.append(name)
            continue
        if name in locked and version not in locked[name]:
            other.append(f"{name} {version} (lock: {', '.join(sorted(locked[name]))})")
    if absent:
        remedy = "make setup" if env == "local" else 'pip install -e ".[azure]" -c ' + str(LOCK)
        return [Diagnosis(AREA, "packages", "failed", "missing: " + ", ".join(absent), remedy)]
    if other:
        text = "not at the versions that were tested: " + ", ".join(other)
        return [Diagnosis(AREA, "packages", "warning", text, "make setup")]
    shown = ", ".join(f"{name} {metadata.version(name)}" for name in _SHOWN if name in wanted)
    return [Diagnosis(AREA, "packages", "ok", f"{len(wanted)} packages as locked; {shown}")]


def writable(root: Path) -> list[Diagnosis]:
    """The home folder, or the nearest folder above it that is there, can be written."""
    folder = next(path for path in (root, *root.parents) if path.is_dir())
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-"):
            pass
    except OSError as error:
        detail = f"{folder} cannot be written: {error.strerror or error}"
        remedy = "Make it writable, or set BIKECAST_HOME to another folder"
        return [Diagnosis(AREA, "home", "failed", detail, remedy)]
    new = "" if folder == root else " (made by the first run)"
    return [Diagnosis(AREA, "home", "ok", f"{root}{new}")]


def disk(root: Path) -> list[Diagnosis]:
    """Free space where the home is."""
    folder = next(path for path in (root, *root.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    state: State = "failed" if free < TOO_LITTLE else "warning" if free < LITTLE else "ok"
    remedy = "" if state == "ok" else "Make room, or set BIKECAST_HOME to a folder on another disk"
    return [Diagnosis(AREA, "disk", state, f"{free / 1e9:.1f} GB free in {folder}", remedy)]


def ports(ui_port: int) -> list[Diagnosis]:
    """Whether the ports of `bikecast ui` and `bikecast sql-server` are free on 127.0.0.1."""
    diagnoses = []
    for port, command in (
        (ui_port, "bikecast ui --port"),
        (SQL_SERVER_PORT, "bikecast sql-server --port"),
    ):
        if _is_free(port):
            diagnoses.append(Diagnosis(AREA, f"port {port}", "ok", "free"))
        else:
            remedy = f"Another port: {command} {port + 1}"
            text = "in use on 127.0.0.1"
            diagnoses.append(Diagnosis(AREA, f"port {port}", "warning", text, remedy))
    return diagnoses


def java(spark_remote: str) -> list[Diagnosis]:
    """Java is only needed for Spark in this process, `local[*]`."""
    needed = spark_remote.startswith("local")
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=f"{home}/bin" if home else None)
    if program is None:
        if not needed:
            return [Diagnosis(AREA, "Java", "ok", "not needed: Spark is embedded or remote")]
        detail = "BIKECAST_SPARK_REMOTE=local[*] needs Java 17, and there is none"
        remedy = "Install Java 17 (apt-get install openjdk-17-jre-headless), or unset the setting"
        return [Diagnosis(AREA, "Java", "failed", detail, remedy)]
    done = subprocess.run(
        [program, "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS, check=False
    )
    first = (done.stderr or done.stdout).strip().splitlines() or ["no version"]
    state: State = "ok" if done.returncode == 0 else "failed" if needed else "warning"
    return [Diagnosis(AREA, "Java", state, f"{first[0]} ({program})")]


def spark(remote: str, env: str) -> list[Diagnosis]:
    """A Spark session opens and answers: the embedded one, or that of the setting."""
    from resources.spark.sessions import session_for

    if env == "azure":
        return [Diagnosis(AREA, "Spark", "skipped", "the Synapse Spark pool does the work")]
    engine = "the embedded server" if not remote else "BIKECAST_SPARK_REMOTE"
    started = time.perf_counter()
    try:
        rows = session_for(remote).range(3).count()
    except BikecastError as error:
        remedy = "" if not remote else "Correct or unset BIKECAST_SPARK_REMOTE"
        return [Diagnosis(AREA, "Spark", "failed", str(error), remedy)]
    if rows != 3:
        return [Diagnosis(AREA, "Spark", "failed", f"{engine} counts {rows} rows of 3")]
    seconds = time.perf_counter() - started
    return [Diagnosis(AREA, "Spark", "ok", f"{engine} answers, after {seconds:.1f} s")]


def odbc(driver: str, env: str) -> list[Diagnosis]:
    """pyodbc and Microsoft's ODBC Driver 18; only the azure environment needs them."""
    absent: State = "failed" if env == "azure" else "skipped"
    why = "" if env == "azure" else "; only the azure environment needs it"
    wanted = driver or "ODBC Driver 18 for SQL Server"
    try:
        import pyodbc
    except ImportError as error:
        remedy = 'pip install -e ".[azure]", and unixodbc: apt-get install unixodbc'
        detail = f"pyodbc does not load: {error}{why}"
        return [Diagnosis(AREA, "ODBC driver", absent, detail, remedy if env == "azure" else "")]
    if wanted in pyodbc.drivers() or Path(wanted).is_file():
        return [Diagnosis(AREA, "ODBC driver", "ok", f"{wanted}; pyodbc {pyodbc.version}")]
    remedy = (
        "Install msodbcsql18 (https://learn.microsoft.com/sql/connect/odbc/linux-mac/"
        "installing-the-microsoft-odbc-driver-for-sql-server), or set SYNAPSE_ODBC_DRIVER"
    )
    detail = f"{wanted} is not installed{why}"
    return [Diagnosis(AREA, "ODBC driver", absent, detail, remedy if env == "azure" else "")]


_SHOWN = ("dagster", "duckdb", "onnxruntime", "pysail", "azure-ai-ml", "azure-identity", "pyodbc")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", re.MULTILINE)


def _wanted(env: str) -> list[str]:
    """Names of the packages that the project names, with the extra of the environment."""
    names = []
    for line in metadata.requires(DISTRIBUTION) or ():
        name = _NAME.match(line)
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        if name and (extra is None or extra[1] == env):
            names.append(name[0].lower())
    return names


def _locked() -> dict[str, set[str]]:
    """The versions of each package in the lock; markers may give several."""
    versions: dict[str, set[str]] = {}
    text = LOCK.read_text(encoding="utf-8") if LOCK.is_file() else ""
    for name, version in _PIN.findall(text):
        versions.setdefault(name.lower(), set()).add(version)
    return versions


def _is_free(port: int) -> bool:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
