"""When the guard of a Livy session ends it."""

import os
import threading

import pytest
from azure.core.exceptions import AzureError

from resources.spark import session_guard
from resources.spark.session_guard import guard
from resources.spark.session_use import SessionUse


@pytest.fixture
def use(tmp_path):
    use = SessionUse.begin(tmp_path / "sessions" / "pool.lock")
    yield use
    use.end()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(session_guard, "PAUSE", 0.0)
    monkeypatch.setattr(session_guard, "LAG_SECONDS", 0.02)


def ends_after(words, use, *, outcomes=(), idle_seconds=60):
    """How often the guard of a process that wrote this and is gone ended the session."""
    read, write = os.pipe()
    os.write(write, words)
    os.close(write)
    ends, outcomes = [], list(outcomes)

    def end():
        ends.append("end")
        if outcomes:
            raise outcomes.pop()

    guard(read, use, end, idle_seconds)
    os.close(read)
    return len(ends)


@pytest.mark.parametrize(
    ("words", "times"),
    [(b"starting\nstarted\nstopped\n", 0), (b"starting\nstarted\n", 1), (b"", 1)],
    ids=["stopped", "died", "died at once"],
)
def test_only_a_process_that_has_stopped_its_session_leaves_nothing_to_end(use, words, times):
    assert ends_after(words, use) == times


def test_after_a_death_while_the_session_was_asked_for_it_is_ended_until_livy_lists_it(use):
    assert ends_after(b"starting\n", use) > 1


def test_a_session_that_another_process_uses_is_left_to_it(use, tmp_path):
    other = SessionUse.begin(tmp_path / "sessions" / "pool.lock")

    assert ends_after(b"started\n", use) == 0
    assert other.is_last()
    other.end()


def test_an_end_that_azure_refuses_is_tried_again(use):
    assert ends_after(b"", use, outcomes=[AzureError("busy")]) == 2


def test_a_session_that_is_not_used_is_ended_once_although_its_process_lives(use):
    read, write = os.pipe()
    ended, times = threading.Event(), []

    def end():
        times.append(1)
        ended.set()

    watching = threading.Thread(target=guard, args=(read, use, end, 0.01))
    watching.start()
    assert ended.wait(60)
    assert times == [1]
    os.write(write, b"stopped\n")
    watching.join()
    os.close(read)
    os.close(write)
