"""Stopping a family of processes, with small ones in the place of Dagster's."""

import subprocess
import sys
import time

import psutil
import pytest

from pipelines.cli import stopping
from pipelines.cli.stopping import stop_processes

PARENT = """
import subprocess, sys, time
child = [sys.executable, "-c", sys.argv[1]]
try:
    print(subprocess.Popen(child, start_new_session=sys.argv[2] == "detached").pid, flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
PATIENT = "import time; time.sleep(60)"


@pytest.fixture
def family():
    """Start a parent with one child; afterwards none of them lives."""
    started: list[psutil.Process] = []

    def start(child: str, kind: str = "attached") -> tuple[subprocess.Popen[bytes], psutil.Process]:
        command = [sys.executable, "-c", PARENT, child, kind]
        parent = subprocess.Popen(command, stdout=subprocess.PIPE, process_group=0)
        assert parent.stdout is not None
        process = psutil.Process(int(parent.stdout.readline()))
        started.extend((psutil.Process(parent.pid), process))
        return parent, process

    yield start
    for process in started:
        if process.is_running():
            process.kill()


def is_gone(process: psutil.Process) -> bool:
    for _ in range(100):
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_a_child_ends_by_an_interrupt(family):
    parent, _ = family(PATIENT, "detached")
    stop_processes([parent])
    assert parent.stdout.readline() == b"interrupted\n"


def test_a_descendant_that_ignores_the_interrupt_is_killed(family, monkeypatch):
    monkeypatch.setattr(stopping, "PATIENCE_SECONDS", 1.0)
    parent, descendant = family(STUBBORN)
    stop_processes([parent])
    assert is_gone(descendant)


def test_a_descendant_with_a_session_of_its_own_goes_on(family):
    parent, training = family(PATIENT, "detached")
    stop_processes([parent])
    assert training.is_running()
    assert training.status() != psutil.STATUS_ZOMBIE


def test_a_child_that_ended_already_is_no_problem(family):
    parent, _ = family(PATIENT)
    parent.kill()
    parent.wait()
    stop_processes([parent])
