"""When the guard of a Livy session ends it."""

import os

import pytest

from resources.spark.session_guard import must_end


@pytest.mark.parametrize(
    ("words", "ends"),
    [(b"used\nstopped\n", False), (b"used\n", True), (b"", True)],
    ids=["stopped", "died", "died at once"],
)
def test_only_a_process_that_has_stopped_its_session_leaves_nothing_to_end(words, ends):
    read, write = os.pipe()
    os.write(write, words)
    os.close(write)

    assert must_end(read, 60) is ends
    os.close(read)


def test_a_session_that_is_not_used_is_ended_although_its_process_lives():
    read, write = os.pipe()

    assert must_end(read, 0.01)
    os.close(read)
    os.close(write)
