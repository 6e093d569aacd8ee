"""`bikecast mlflow-ui`: what it starts, and what it says where it cannot."""

import os
import socket
import sys
from importlib import metadata

import pytest

from bikecast.core.errors import BikecastError
from pipelines.cli import ui
from pipelines.cli.ui import mlflow_ui

SKINNY = metadata.version("mlflow-skinny")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BIKECAST_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def installed(monkeypatch, full: str | None) -> None:
    """Whether the full MLflow is installed, and which one."""

    def version(name: str) -> str:
        if name == "mlflow-skinny":
            return SKINNY
        if full is None:
            raise metadata.PackageNotFoundError(name)
        return full

    monkeypatch.setattr(ui, "version", version)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("full", "said"), [(None, "only mlflow-skinny"), ("1.2.3", "MLflow 1.2.3 is installed")]
)
def test_without_the_same_full_mlflow_it_says_what_to_install(home, monkeypatch, full, said):
    installed(monkeypatch, full)
    with pytest.raises(BikecastError, match=said) as error:
        mlflow_ui(free_port())
    assert f'pip install "mlflow=={SKINNY}"' in str(error.value)
    assert not home.exists()


def test_it_becomes_mlflows_server_on_the_database_of_the_home(home, monkeypatch):
    started = {}

    def execve(program, arguments, environment):
        assert prepared == [f"sqlite:///{home}/mlflow.db"]
        started.update(program=program, arguments=arguments, environment=environment)

    installed(monkeypatch, SKINNY)
    prepared = []
    monkeypatch.setattr("bikecast.embedded.mlflow.prepare_store", prepared.append)
    monkeypatch.setattr(os, "execve", execve)
    port = free_port()
    mlflow_ui(port)
    options = dict(zip(started["arguments"][4::2], started["arguments"][5::2], strict=True))
    assert started["program"] == sys.executable
    assert started["arguments"][1:4] == ["-m", "mlflow", "server"]
    assert options["--host"] == "127.0.0.1"
    assert options["--port"] == str(port)
    assert options["--backend-store-uri"] == f"sqlite:///{home}/mlflow.db"
    assert started["environment"]["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_the_installed_mlflow_knows_the_options():
    """mlflow-skinny has the command too, but not what it starts."""
    from mlflow.cli import server

    options = {option for parameter in server.params for option in parameter.opts}
    assert options >= {
        "--host",
        "--port",
        "--backend-store-uri",
        "--default-artifact-root",
        "--workers",
    }


def test_a_taken_port_is_said_before_anything_is_started(home, monkeypatch):
    installed(monkeypatch, SKINNY)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(BikecastError, match="mlflow-ui --port"):
            mlflow_ui(taken.getsockname()[1])
