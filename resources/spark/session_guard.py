"""Ends the Livy sessions of a name when the process that used them is gone, or nobody uses them.

Run as `python -m resources.spark.session_guard WORKSPACE POOL NAME DESCRIPTOR IDLE_SECONDS`, with
the descriptor of a SessionUse. It starts before the session does, so that there is no moment in
which a kill of the process leaves one behind. Its standard input is a pipe from the process: a line
`starting` before the session is asked for, `started` when Livy has answered, `stopped` when nothing
is left to do; the pipe's end without it means that the process has died. The guard has a session of
its own, so that a Ctrl-C or a closed terminal does not end it first.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable

from resources.spark.session_use import SessionUse

#: Livy may list a session so many seconds after its start was asked for.
LAG_SECONDS = 120.0
#: So long an end that Azure refuses is tried again.
PATIENCE = 900.0
PAUSE = 5.0


def guard(pipe: int, use: SessionUse, end: Callable[[], object], idle_seconds: float) -> None:
    """Call `end` each time that nobody used the session for so long, and once its users are gone.

    Where the last user died while the session was asked for, `end` is called until Livy must have
    listed it.
    """
    starting, ended = False, False
    while True:
        left = idle_seconds if ended else max(0.0, idle_seconds - use.unused_seconds())
        ready, _, _ = select.select([pipe], [], [], left)
        if not ready:
            if use.unused_seconds() < idle_seconds:
                ended = False
            elif not ended:
                _patiently(end)
                ended = True
            continue
        words = os.read(pipe, 4096)
        if b"stopped" in words:
            return
        if not words:
            break
        starting = words.split()[-1] == b"starting"
    if not use.is_last():
        return
    limit = time.monotonic() + (LAG_SECONDS if starting else 0.0)
    _patiently(end)
    while time.monotonic() < limit:
        time.sleep(PAUSE)
        _patiently(end)


def _patiently(end: Callable[[], object]) -> None:
    from azure.core.exceptions import AzureError

    limit = time.monotonic() + PATIENCE
    while True:
        try:
            end()
        except AzureError:
            if time.monotonic() > limit:
                raise
            time.sleep(PAUSE)
        else:
            return


def main(workspace: str, pool: str, name: str, descriptor: str, idle_seconds: str) -> None:
    """Guard the sessions of a name."""

    def end() -> list[int]:
        from resources.spark.livy_sessions import LivySessions

        return LivySessions(workspace, pool, name).end()

    guard(sys.stdin.fileno(), SessionUse(int(descriptor)), end, float(idle_seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
