"""`bikecast sql-server`: starts, says how to connect, serves, and ends at Ctrl-C."""

import os
import re
import signal
import subprocess
import sys

import pytest

from tests.cli import PROJECT, Cli
from tests.unit.tds.sessions import answer, batch, login, prelogin, raw

USER, PASSWORD = "me", "something long"


@pytest.fixture
def start(tmp_path):
    """Start the server as its users do; it is killed where a test leaves it running."""
    started = []

    def run(**settings):
        environment = {**Cli(tmp_path).environment, **settings}
        process = subprocess.Popen(
            [sys.executable, "-m", "bikecast", "sql-server", "--port", "0"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_server_says_where_it_is_answers_and_ends_at_ctrl_c(start):
    process = start(BIKECAST_SQL_USER=USER, BIKECAST_SQL_PASSWORD=PASSWORD)
    line = process.stderr.readline()
    found = re.search(r"127\.0\.0\.1,(\d+)", line)
    assert found, line
    assert PASSWORD not in line

    with raw(int(found[1]), seconds=60) as client:
        client.sendall(prelogin())
        answer(client)
        client.sendall(login(USER, PASSWORD))
        assert b"\xad" in answer(client)
        client.sendall(batch("SELECT 1 AS a"))
        assert b"\xd1\x04\x01\x00\x00\x00" in answer(client)

    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    assert "Traceback" not in errors


def test_without_credentials_the_server_does_not_start(start):
    process = start()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "BIKECAST_SQL_USER" in errors
