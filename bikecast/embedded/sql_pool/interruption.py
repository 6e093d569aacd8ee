"""A cancel reaches code that runs long in Python: reading, parsing and compiling a batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from bikecast.embedded.sql_pool.errors import Cancelled

_is_cancelled: ContextVar[Callable[[], bool] | None] = ContextVar("is_cancelled", default=None)


@contextlib.contextmanager
def interruptible(is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Let `look` ask this function, in this thread, while the block runs."""
    token = _is_cancelled.set(is_cancelled)
    try:
        yield
    finally:
        _is_cancelled.reset(token)


def look() -> None:
    """Raise Cancelled where the client has given the batch up; called for every node of a tree."""
    is_cancelled = _is_cancelled.get()
    if is_cancelled is not None and is_cancelled():
        raise Cancelled
