"""Ends a Livy session when the process that used it is gone, or has left it unused.

Run as `python -m resources.spark.session_guard WORKSPACE POOL ID SECONDS`. Its standard input is
a pipe from that process: a line `used` starts the clock anew, `stopped` needs nothing done, and
the pipe's end means that the process has died. It has a session of its own, so that a Ctrl-C or a
closed terminal does not end it first.
"""

from __future__ import annotations

import select
import sys
import time


def must_end(pipe: int, idle_seconds: float) -> bool:
    """Wait for the end of a session; False where the process has stopped it itself."""
    import os

    limit = time.monotonic() + idle_seconds
    while True:
        ready, _, _ = select.select([pipe], [], [], max(0.0, limit - time.monotonic()))
        if not ready:
            return True
        words = os.read(pipe, 4096)
        if b"stopped" in words:
            return False
        if not words:
            return True
        limit = time.monotonic() + idle_seconds


def main(workspace: str, pool: str, number: str, idle_seconds: str) -> None:
    """Guard one session."""
    if not must_end(sys.stdin.fileno(), float(idle_seconds)):
        return
    from azure.core.exceptions import ResourceNotFoundError

    from resources.azure.credentials import TIMEOUTS
    from resources.spark.livy import client

    try:
        client(workspace, pool).spark_session.cancel_spark_session(int(number), **TIMEOUTS)
    except ResourceNotFoundError:
        return


if __name__ == "__main__":
    main(*sys.argv[1:])
