"""`bikecast mlflow-ui`: MLflow's own UI on this home, where the full MLflow is installed."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version

from bikecast.core.errors import BikecastError
from pipelines.cli.console import stderr_console
from pipelines.cli.ui import HOST, check_port
from pipelines.home import open_home
from pipelines.settings import load_settings

#: MLflow reads it when it is imported.
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true"}


def mlflow_ui_command(port: int) -> None:
    """Become MLflow's server on 127.0.0.1, over the home's `mlflow.db`.

    Raises BikecastError where the full MLflow is missing or the port is taken.
    """
    _check_full_mlflow()
    check_port(port, "bikecast mlflow-ui --port 5001")
    home = open_home(load_settings())
    from bikecast.embedded.mlflow import prepare_store

    prepare_store(home.tracking_uri)
    stderr_console().print(
        f"MLflow UI: http://{HOST}:{port}  (home {home.root}; stop with Ctrl-C)", highlight=False
    )
    artifacts = (home.root / "mlflow-artifacts").as_uri()
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    command += ["--backend-store-uri", home.tracking_uri, "--default-artifact-root", artifacts]
    command += ["--workers", "1"]
    os.chdir(home.root)
    os.execve(sys.executable, command, {**os.environ, **_QUIET})  # noqa: S606  # no shell


def _check_full_mlflow() -> None:
    """The pipeline needs mlflow-skinny only, which has no UI; both must be of one version."""
    skinny = version("mlflow-skinny")
    try:
        full = version("mlflow")
    except PackageNotFoundError:
        full = ""
    if full != skinny:
        found = f"MLflow {full} is" if full else "only mlflow-skinny, which has no UI, is"
        raise BikecastError(
            f"{found} installed. Nothing was started. Install the full MLflow of the same version: "
            f'{sys.executable} -m pip install "mlflow=={skinny}"'
        )
