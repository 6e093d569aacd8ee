"""`bikecast ui`, `bikecast mlflow-ui` and `bikecast env`: Dagster and MLflow on this home."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated

import typer

from bikecast.core.errors import BikecastError
from bikecast.core.processes import die_with_parent
from pipelines.cli.output import say

if TYPE_CHECKING:
    from pipelines.home import Home
    from pipelines.settings import Settings

HOST = "127.0.0.1"
#: MLflow reads it when it is imported.
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true"}
#: Commands of `dagster` that look into no workspace: they are told where the definitions are, each
#: by variables of its own (click's, of the options), as those for all disturb `dg` and `-w`.
WITHOUT_WORKSPACE = ("ASSET_LIST", "ASSET_MATERIALIZE", "JOB_EXECUTE", "JOB_SCAFFOLD_CONFIG")


def ui(
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65_535,
            help="Port on 127.0.0.1.  [default: BIKECAST_UI_PORT, else 3000]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Open the Dagster UI: web server, daemon, sensors and schedules, on 127.0.0.1.

    Then choose "Materialize all" on the asset graph. The run ends at the training job; the
    sensor finishes the chain when the job has ended. Stop with Ctrl-C.
    """
    from pipelines.home import full_disk_explained, open_home
    from pipelines.settings import load_settings

    settings = load_settings()
    port = settings.ui_port if port is None else port
    check_port(port, "bikecast ui --port 3001")
    home = open_home(settings)
    for name in ("csv", "forecast"):
        if value := getattr(settings, name):
            os.environ[f"BIKECAST_{name.upper()}"] = value
    with full_disk_explained(home), _sole_ui(home):
        _serve(home, settings, port)


def mlflow_ui(
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port on 127.0.0.1.")] = 5000,
) -> None:
    """Open MLflow's UI on the trainings of this home, on 127.0.0.1; stop with Ctrl-C.

    Needs the full `mlflow`; the pipeline itself installs only `mlflow-skinny`.
    """
    from bikecast.embedded.mlflow import prepare_store
    from pipelines.home import open_home
    from pipelines.settings import load_settings

    _check_full_mlflow()
    check_port(port, "bikecast mlflow-ui --port 5001")
    home = open_home(load_settings())
    prepare_store(home.tracking_uri)
    say(f"MLflow UI: http://{HOST}:{port}  (home {home.root}; stop with Ctrl-C)")
    artifacts = (home.root / "mlflow-artifacts").as_uri()
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    command += ["--backend-store-uri", home.tracking_uri, "--default-artifact-root", artifacts]
    command += ["--workers", "1"]
    os.chdir(home.root)
    os.execve(sys.executable, command, {**os.environ, **_QUIET})  # noqa: S606  # no shell


def env() -> None:
    """Print the exports that plain `dagster` and `dg` commands need: `eval "$(bikecast env)"`."""
    from pipelines.home import open_home
    from pipelines.settings import PROJECT, load_settings

    home = open_home(load_settings())
    exports = {"BIKECAST_HOME": str(home.root), "DAGSTER_HOME": str(home.dagster)}
    for command in WITHOUT_WORKSPACE:
        exports[f"DAGSTER_CLI_{command}_MODULE_NAME"] = "pipelines.definitions"
        exports[f"DAGSTER_CLI_{command}_WORKING_DIRECTORY"] = str(PROJECT)
    path = os.environ.get("PYTHONPATH", "")
    if path not in ("", str(PROJECT)):  # the caller's folders may have packages of our names
        exports["PYTHONPATH"] = path
    for name, value in exports.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


def _check_full_mlflow() -> None:
    """The pipeline needs mlflow-skinny only, which has no UI; both must be of one version."""
    skinny = version("mlflow-skinny")
    try:
        full = version("mlflow")
    except PackageNotFoundError:
        full = ""
    if full != skinny:
        installed = f"MLflow {full} is" if full else "only mlflow-skinny, which has no UI, is"
        raise BikecastError(
            f"{installed} installed. Nothing was started. Install the full MLflow of the same "
            f'version: {sys.executable} -m pip install "mlflow=={skinny}"'
        )


def _serve(home: Home, settings: Settings, port: int) -> None:
    from pipelines.in_process.dead_runs import clean_up_dead_runs
    from pipelines.installation import open_event_log
    from pipelines.settings import PROJECT

    say(f"Dagster UI: http://{HOST}:{port}  (home {home.root}; stop with Ctrl-C)")
    # Opened here first, so that the two processes below do not both make the tables.
    with open_event_log(home) as instance:
        clean_up_dead_runs(instance)
    workspace = ["-w", str(PROJECT / "workspace.yaml"), "--log-level", "error"]
    workspace += ["--code-server-log-level", "error"]
    web = ["pipelines.webserver", "-h", HOST, "-p", str(port), *workspace]
    web += ["--dagster-log-level", "error"]
    daemon = ["dagster._daemon", "run", *workspace]
    _supervise(home, settings, [web, daemon])


@contextmanager
def _sole_ui(home: Home) -> Iterator[None]:
    """Hold the home's UI lock; two daemons on one home would run every schedule twice."""
    from filelock import FileLock, Timeout

    try:
        lock = FileLock(home.root / "ui.lock").acquire(timeout=0)
    except Timeout:
        raise BikecastError(
            f"Another `bikecast ui` uses {home.root}. Nothing was started. Stop that one, or set "
            "BIKECAST_HOME to another folder."
        ) from None
    with lock:
        yield


def _supervise(home: Home, settings: Settings, modules: Sequence[Sequence[str]]) -> None:
    """Run Python modules side by side; when one ends or a signal comes, stop all.

    Each has a process group of its own, so that Ctrl-C reaches this process alone, and once.
    """
    import pipelines.cli.stopping  # noqa: F401  # imported before a second Ctrl-C can break it off

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    children = {
        module[0]: subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=home.dagster,
            stdin=subprocess.DEVNULL,
            preexec_fn=partial(_begin, os.getpid()),
            process_group=0,
        )
        for module in modules
    }
    try:
        while all(child.poll() is None for child in children.values()):
            time.sleep(0.5)
        name, ended = next((n, c) for n, c in children.items() if c.returncode is not None)
        raise BikecastError(
            f"{name} ended with code {ended.returncode}; what it said stands above. "
            "The other processes were stopped; nothing else was changed."
        )
    except KeyboardInterrupt:
        say("Stopping ...")
    finally:
        _stop(home, settings, list(children.values()))


def _begin(parent: int) -> None:
    """In a child, before its program: it ends with its parent, and takes Ctrl-C.

    A command that a shell put into the background inherits an ignored SIGINT.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    die_with_parent(parent)


def _stop(home: Home, settings: Settings, children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Stop the processes and say what was interrupted and what goes on."""
    from pipelines.cli.stopping import (
        interrupted_runs,
        launched_runs,
        stop_processes,
        trainings_that_go_on,
    )
    from pipelines.installation import open_event_log

    running: list[str] = []
    try:
        with open_event_log(home) as instance:
            running = launched_runs(instance)
    finally:
        stop_processes(children)
    with open_event_log(home) as instance:
        sentences = interrupted_runs(instance, running) + trainings_that_go_on(instance, settings)
    say("\n".join(["Stopped.", *sentences]))


def check_port(port: int, other: str) -> None:
    """Raise BikecastError where the port is taken; `other` is a command with another port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BikecastError(
                f"Port {port} on {HOST} is taken: {error.strerror}. Nothing was started. "
                f"Stop what runs there, or choose another port: {other}"
            ) from error
