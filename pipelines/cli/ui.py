"""`bikecast ui` and `bikecast env`: Dagster on this home."""

from __future__ import annotations

import os
import shlex
import socket
import sys

from pipelines.cli.console import stderr_console
from pipelines.home import open_home
from pipelines.settings import PROJECT, load_settings
from resources.errors import BikecastError

HOST = "127.0.0.1"


def ui_command(port: int | None) -> None:
    """Replace this process by Dagster's web server and daemon, bound to 127.0.0.1.

    Raises BikecastError where the port is taken.
    """
    settings = load_settings()
    port = port or settings.ui_port
    _check_port(port)
    home = open_home(settings)
    stderr_console().print(
        f"Dagster UI: http://{HOST}:{port}  (home {home.root}; stop with Ctrl-C)", highlight=False
    )
    os.chdir(PROJECT)
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT / "workspace.yaml")]
    command += ["-h", HOST, "-p", str(port), "--log-level", "warning"]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606


def env_command() -> None:
    """Print shell exports that point plain Dagster commands at this home."""
    home = open_home(load_settings())
    for name, value in (("BIKECAST_HOME", home.root), ("DAGSTER_HOME", home.dagster)):
        sys.stdout.write(f"export {name}={shlex.quote(str(value))}\n")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BikecastError(
                f"Port {port} on {HOST} is taken: {error.strerror}. Nothing was started. "
                "Stop what runs there, or choose another port: bikecast ui --port 3001"
            ) from error
