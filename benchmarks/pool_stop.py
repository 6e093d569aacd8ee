"""Seconds from SIGTERM to the end of `bikecast sql-server`, while a hard batch runs.

`python benchmarks/pool_stop.py` starts a server on an empty home for each batch. The server gives
a batch 3 s to end, then it ends without it; what was not committed is undone.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))
from tests.unit.tds.sessions import answer, batch, login, prelogin, raw  # noqa: E402

USER, PASSWORD = "me", "something long"
#: Seconds that the batch has run by then.
HEAD_START = 2.0
_DIGITS = "(SELECT 1 AS d" + " UNION ALL SELECT 1" * 9 + ")"
_ROWS = ", ".join(f"{_DIGITS} AS t{number}" for number in range(12))
_COPIES = "REPLICATE(CAST('x' AS varchar(max)), 30000000)"
BATCHES = {
    "nothing": "",
    "120,000 values of an IN list, parsed": "SELECT 1 AS a WHERE 1 IN ("
    + ", ".join(map(str, range(120_000)))
    + ")",
    "10^12 rows counted": f"SELECT COUNT_BIG(*) AS n FROM {_ROWS}",
    "texts made in Python": f"SELECT LEN({_COPIES}) AS n FROM {_ROWS}",
    "a loop without an end": "WHILE 1 = 1 SET NOCOUNT ON",
    "a delay": "WAITFOR DELAY '00:10:00'",
    "inserts in a transaction": "CREATE TABLE dbo.t (a int); BEGIN TRANSACTION; "
    "WHILE 1 = 1 INSERT INTO dbo.t SELECT 1",
}


def main() -> int:
    """Measure each batch."""
    table = Table("while this runs", "seconds to the end", "exit code")
    for name, text in BATCHES.items():
        seconds, code = stopped(text)
        table.add_row(name, f"{seconds:.1f}", str(code))
    load = os.getloadavg()[0]
    Console().print(table, f"{os.cpu_count()} processors, load {load:.1f}", sep="\n")
    return 0


class Server(subprocess.Popen[str]):
    """A server that does not outlive its context."""

    def __exit__(self, *error: object) -> None:
        self.kill()
        super().__exit__(*error)


def stopped(text: str) -> tuple[float, int]:
    """Seconds that a server took to end while the batch ran, and its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"HOME": folder, "SQL_USER": USER, "SQL_PASSWORD": PASSWORD}
        environment = {f"BIKECAST_{name}": value for name, value in settings.items()}
        with Server(
            [sys.executable, "-m", "bikecast", "sql-server", "--port", "0"],
            cwd=PROJECT,
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stderr is not None
            port = re.search(r"127\.0\.0\.1,(\d+)", server.stderr.readline())
            assert port is not None
            with raw(int(port[1]), seconds=60) as client:
                client.sendall(prelogin())
                answer(client)
                client.sendall(login(USER, PASSWORD))
                answer(client)
                if text:
                    client.sendall(batch(text))
                    time.sleep(HEAD_START)
                began = time.perf_counter()
                server.send_signal(signal.SIGTERM)
                code = server.wait()
        return time.perf_counter() - began, code


if __name__ == "__main__":
    sys.exit(main())
