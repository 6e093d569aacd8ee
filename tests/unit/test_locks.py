"""Locks between processes: a busy holder is waited for, a stopped one is named."""

import os
import signal
import subprocess
import sys

import pytest

from bikecast.core.errors import BikecastError
from bikecast.core.locks import exclusive

HOLDER = """
import sys, time
from pathlib import Path
from bikecast.core.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    end = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < end:
        pass
"""


@pytest.fixture
def holder(tmp_path):
    processes = []

    def hold(seconds: float) -> int:
        command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock"), str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process.pid

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def test_a_holder_that_works_longer_than_the_patience_is_waited_for(holder, tmp_path):
    # Two writers on a machine with a load of 36: the second gave up after 60 s.
    holder(2.0)
    waits = []
    with exclusive(tmp_path / "lock", patience=1.0, on_wait=lambda: waits.append("once")):
        assert waits == ["once"]


def test_a_stopped_holder_is_named_and_nothing_is_done(holder, tmp_path):
    process_id = holder(60.0)
    os.kill(process_id, signal.SIGSTOP)
    with (
        pytest.raises(BikecastError, match=f"process {process_id} holds .* has done nothing"),
        exclusive(tmp_path / "lock", patience=0.3),
    ):
        pytest.fail("the lock of a stopped process was taken")


def test_the_lock_of_a_killed_holder_is_free(holder, tmp_path):
    os.kill(holder(60.0), signal.SIGKILL)
    with exclusive(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_the_lock_is_free_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="work"), exclusive(tmp_path / "lock"):
        raise ValueError("work")
    with exclusive(tmp_path / "lock", patience=0.1):
        pass
