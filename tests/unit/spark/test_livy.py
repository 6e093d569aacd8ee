"""Reading a pool's list of batches page by page, and why a batch failed."""

from types import SimpleNamespace

import pytest

from resources.spark.livy import PAGE, Batches, ListEnd, failure_reason


class Pool(Batches):
    """A pool whose old batches leave the list while it is read: so many before each request."""

    def __init__(self, batches, leaving=()):
        super().__init__("ws", "pool")
        ids = list(range(100, 100 + batches))
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "leaving", [0, *leaving])
        object.__setattr__(self, "asked", [])

    def _page(self, first):
        del self.ids[: self.leaving.pop(0) if self.leaving else 0]
        self.asked.append(first)
        return [SimpleNamespace(id=n, name="a") for n in self.ids[first : first + PAGE]]


def ids(batches):
    return [batch.id for batch in batches]


@pytest.mark.parametrize("batches", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE - 2, 3 * PAGE])
def test_every_batch_is_found_once_newest_first(batches):
    pool = Pool(batches)
    found, end = pool.search("a")
    assert ids(found) == list(reversed(pool.ids))
    assert end == (ListEnd(batches - 1, 99 + batches) if batches else ListEnd())
    assert ids(pool.search("a", end)[0]) == []


@pytest.mark.parametrize("leaving", [(1,), (PAGE - 1,), (PAGE,), (30,), (5, 5, 5, 5), (45,)])
def test_batches_that_leave_the_list_meanwhile_hide_no_other(leaving):
    """Once the next page began where others had moved to, so that as many were skipped."""
    pool = Pool(70, leaving)
    found, _ = pool.search("a")
    assert set(pool.ids) <= set(ids(found))
    assert len(set(ids(found))) == len(found)


def test_a_list_that_is_shorter_than_at_the_last_look_is_read_from_further_ahead():
    pool = Pool(50)
    assert ids(pool.search("a", ListEnd(400, 140))[0]) == list(range(149, 140, -1))


def test_a_service_that_gives_one_page_for_ever_ends_the_search():
    pool = Pool(PAGE)
    object.__setattr__(
        pool, "_page", lambda first: [SimpleNamespace(id=n, name="a") for n in range(PAGE)]
    )
    assert len(pool.search("a")[0]) == PAGE


HEAD = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>'


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (f"{HEAD}\nValueError: no rows", "ValueError: no rows"),
        (f"{HEAD}\nKeyboardInterrupt", "KeyboardInterrupt"),
        (f"{HEAD}\nDone\nValueError: no rows", "ValueError: no rows"),
        (f"{HEAD}\nDone", ""),
        (f"{HEAD}\nbikecast.core.errors.InvalidInput: no", "bikecast.core.errors.InvalidInput: no"),
        (
            f"{HEAD}\npy4j.protocol.Py4JJavaError: An error occurred\n: java.io.IOException: gone",
            "py4j.protocol.Py4JJavaError: An error occurred: java.io.IOException: gone",
        ),
        (
            "x java.io.IOException: wasbs://c@a/x?sig=hidden",
            "java.io.IOException: wasbs://c@a/x?***",
        ),
        ("\tat org.apache.spark.X.y(X.scala:1)\nShutdown hook called", ""),
    ],
)
def test_why_a_batch_failed_is_the_exception_that_ended_its_last_traceback(log, reason):
    assert failure_reason(log.splitlines()) == reason
