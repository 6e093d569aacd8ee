"""Who may log in, and how those are slowed down who may not: each address waits for its own."""

from __future__ import annotations

import contextlib
import hmac
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bikecast.embedded.sql_pool.tds.login import Login

_log = logging.getLogger(__name__)
#: Seconds before a failed login is answered: the first, and the most, twice as long each time.
FIRST_DELAY, LONGEST_DELAY = 0.1, 2.0
#: Logins of one address that are looked at, or waiting for their refusal, at the same time.
AT_ONCE = 4
LOG_SECONDS = 60.0
#: Addresses that are remembered.
_MOST_ADDRESSES = 1000


class FailedLogins:
    """Slows down who guesses: about two guesses a second from one address."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[str, threading.Semaphore] = {}
        self._failures: dict[str, int] = {}
        self._unlogged = 0
        self._logged: float | None = None

    @contextlib.contextmanager
    def turn(self, address: str, seconds: float) -> Iterator[bool]:
        """A login's turn among those of its address; False where none came in time."""
        with self._lock:
            if len(self._places) > _MOST_ADDRESSES:
                self._places.clear()  # those who wait keep theirs
                self._failures.clear()
            place = self._places.setdefault(address, threading.Semaphore(AT_ONCE))
        has_turn = place.acquire(timeout=seconds)
        try:
            yield has_turn
        finally:
            if has_turn:
                place.release()

    def succeeded(self, address: str) -> None:
        """The right secret was given; the next failure is the first again."""
        with self._lock:
            self._failures.pop(address, None)

    def failed(self, address: str, user: str) -> float:
        """Count a failure, log it unless that was done a moment ago; returns the seconds to wait.

        The user's name is what the client sent.
        """
        now = time.monotonic()
        with self._lock:
            count = self._failures[address] = self._failures.get(address, 0) + 1
            self._unlogged += 1
            if self._logged is None or now - self._logged >= LOG_SECONDS:
                _log.warning(
                    "Login failed for user %r from %s (%s failed since the last such line)",
                    user[:128],
                    address,
                    self._unlogged,
                )
                self._unlogged, self._logged = 0, now
        return float(min(FIRST_DELAY * 2 ** min(count - 1, 10), LONGEST_DELAY))


@dataclass(frozen=True)
class Credentials:
    """What the server accepts: one user with a password, and one access token, or only one."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def accept(self, login: Login) -> bool:
        """Whether the login is right. An empty secret of the server accepts nothing."""
        if login.token is not None:
            return bool(self.token) and _same(self.token, login.token)
        if login.integrated or not self.password:
            return False
        user, password = _same(self.user, login.user), _same(self.password, login.password)
        return user and password


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode("utf-8", "replace"), right.encode("utf-8", "replace"))
