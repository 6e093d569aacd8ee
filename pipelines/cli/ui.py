"""`bikecast ui` and `bikecast env`: Dagster on this home."""

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
from types import FrameType

from bikecast.core.errors import BikecastError
from bikecast.core.processes import die_with_parent
from pipelines.cli.console import stderr_console
from pipelines.cli.stopping import (
    interrupted_runs,
    launched_runs,
    stop_processes,
    trainings_that_go_on,
)
from pipelines.home import Home, full_disk_explained, open_home
from pipelines.in_process.dead_runs import clean_up_dead_runs
from pipelines.installation import open_event_log
from pipelines.settings import PROJECT, load_settings

HOST = "127.0.0.1"


def ui_command(port: int | None) -> None:
    """Run Dagster's web server and daemon until Ctrl-C, bound to 127.0.0.1.

    Raises BikecastError where the port is taken, another UI uses this home, or one of the two
    ends by itself.
    """
    settings = load_settings()
    port = settings.ui_port if port is None else port
    check_port(port, "bikecast ui --port 3001")
    home = open_home(settings)
    for name in ("csv", "forecast"):
        if value := getattr(settings, name):
            os.environ[f"BIKECAST_{name.upper()}"] = value
    with full_disk_explained(home), _sole_ui(home):
        _serve(home, port)


def _serve(home: Home, port: int) -> None:
    stderr_console().print(
        f"Dagster UI: http://{HOST}:{port}  (home {home.root}; stop with Ctrl-C)", highlight=False
    )
    # Opened here first, so that the two processes below do not both make the tables.
    with open_event_log(home) as instance:
        clean_up_dead_runs(instance)
    workspace = ["-w", str(PROJECT / "workspace.yaml"), "--log-level", "error"]
    workspace += ["--code-server-log-level", "error"]
    web = ["dagster_webserver", "-h", HOST, "-p", str(port), *workspace]
    web += ["--dagster-log-level", "error"]
    daemon = ["dagster._daemon", "run", *workspace]
    _supervise(home, [web, daemon])


@contextmanager
def _sole_ui(home: Home) -> Iterator[None]:
    """Hold the home's UI lock; two daemons on one home would run every schedule twice."""
    from filelock import FileLock, Timeout

    lock = FileLock(home.root / "ui.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BikecastError(
            f"Another `bikecast ui` uses {home.root}. Nothing was started. Stop that one, or set "
            "BIKECAST_HOME to another folder."
        ) from None
    try:
        yield
    finally:
        lock.release()


def env_command() -> None:
    """Print shell exports that point plain Dagster commands at this home."""
    home = open_home(load_settings())
    for name, value in (("BIKECAST_HOME", home.root), ("DAGSTER_HOME", home.dagster)):
        sys.stdout.write(f"export {name}={shlex.quote(str(value))}\n")


def _supervise(home: Home, modules: Sequence[Sequence[str]]) -> None:
    """Run Python modules side by side; when one ends or a signal comes, stop all.

    Each has a process group of its own, so that Ctrl-C reaches this process alone, and once.
    """

    def stop(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
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
        stderr_console().print("Stopping ...")
    finally:
        _stop(home, list(children.values()))


def _begin(parent: int) -> None:
    """In a child, before its program: it ends with its parent, and takes Ctrl-C.

    A command that a shell put into the background inherits an ignored SIGINT.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    die_with_parent(parent)


def _stop(home: Home, children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Stop the processes and say what was interrupted and what goes on."""
    running: list[str] = []
    try:
        with open_event_log(home) as instance:
            running = launched_runs(instance)
    finally:
        stop_processes(children)
    with open_event_log(home) as instance:
        told = interrupted_runs(instance, running) + trainings_that_go_on(instance)
    stderr_console().print("\n".join(["Stopped.", *told]), highlight=False, markup=False)


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
