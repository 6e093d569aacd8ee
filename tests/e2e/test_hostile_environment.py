"""The main job in shells that other tools have filled with variables."""

import shutil
import subprocess
import sys

import pytest

from tests.cli import HANG_SECONDS, PROJECT, Cli

NOWHERE = "/nonexistent/folder"
CLOSED = "http://127.0.0.1:9"
VARIABLES = {
    "a proxy": dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"), CLOSED),
    "the master of another Spark": {"MASTER": "local[2]"},
    "the address of a Spark Connect server": {"SPARK_REMOTE": "sc://127.0.0.1:9"},
    "the token of a Spark Connect server": {"SPARK_CONNECT_AUTHENTICATE_TOKEN": "abc"},
    "another installation of Spark": {
        "SPARK_HOME": NOWHERE,
        "SPARK_CONF_DIR": NOWHERE,
        "SPARK_LOCAL_DIRS": NOWHERE,
        "SPARK_API_MODE": "classic",
        "SPARK_TESTING": "1",
        "HADOOP_CONF_DIR": NOWHERE,
        "JAVA_HOME": NOWHERE,
        "PYSPARK_PYTHON": NOWHERE,
        "PYSPARK_DRIVER_PYTHON": "jupyter",
        "PYSPARK_SUBMIT_ARGS": "--master yarn",
    },
    "no docstrings": {"PYTHONOPTIMIZE": "2"},
    "switches of Python": {
        "PYTHONSTARTUP": NOWHERE,
        "PYTHONSAFEPATH": "1",
        "PYTHONHASHSEED": "7",
        "PYTHONNOUSERSITE": "1",
    },
    "the server of another MLflow": {
        "MLFLOW_TRACKING_URI": CLOSED,
        "MLFLOW_REGISTRY_URI": CLOSED,
        "MLFLOW_EXPERIMENT_NAME": "other",
        "MLFLOW_EXPERIMENT_ID": "77",
        "MLFLOW_RUN_ID": "abc",
    },
    "another Dagster": {"DAGSTER_HOME": NOWHERE, "DAGSTER_WEBSERVER_PORT": "1"},
    "no temporary folder": {"TMPDIR": NOWHERE},
    "no certificates": {"SSL_CERT_FILE": NOWHERE, "REQUESTS_CA_BUNDLE": NOWHERE},
    "an old terminal": {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "latin-1",
        "TERM": "dumb",
        "COLUMNS": "20",
    },
    "bytes that are no text": {"OF_ANOTHER_TOOL": "caf\udce9"},
    "numbers that are none": {"OMP_NUM_THREADS": "many", "TZ": "Nowhere/Nothing"},
}
ALL = {name: value for group in VARIABLES.values() for name, value in group.items()}

pytestmark = pytest.mark.slow


def forecasts(home, variables=(), *prefix):
    """Run the main job and read its predictions back."""
    environment = Cli(home, trials=2).environment | dict(variables)
    outputs = []
    for arguments in (
        ["run"],
        ["sql", "--format", "csv", "SELECT * FROM dbo.predicted_rentals"],
    ):
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "bikecast", *arguments],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=HANG_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
        assert b"Traceback" not in done.stderr
        outputs.append(done.stdout)
    return outputs[-1].decode("latin-1").splitlines()


@pytest.mark.parametrize("kind", [*VARIABLES, "all at once"])
def test_variables_of_other_tools_do_no_harm(kind, tmp_path):
    assert len(forecasts(tmp_path / "home", VARIABLES.get(kind, ALL))) == 1 + 10


def test_a_user_without_a_name_and_a_home_folder_runs_it(tmp_path):
    """Guards the fault that MLflow's import ended the run after its training."""
    unshare = shutil.which("unshare")
    user = [unshare or "", "--user", "--map-user=12345"]
    if not unshare or subprocess.run([*user, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces: such a user cannot be had here")
    nameless = ["env", *(f"--unset={name}" for name in ("HOME", "USER", "LOGNAME"))]
    assert len(forecasts(tmp_path / "home", {}, *user, *nameless)) == 1 + 10
