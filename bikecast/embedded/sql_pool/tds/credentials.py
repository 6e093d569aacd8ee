"""Who may log in."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bikecast.embedded.sql_pool.tds.login import Login


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
