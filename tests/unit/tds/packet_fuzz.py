"""Packets for the fuzzer: sessions whose values and texts change, and broken bytes."""

import random
import re

from bikecast.embedded.sql_pool.tds.packets import HEADER, Kind
from tests.unit.tds.sessions import (
    REQUESTS,
    batch,
    call,
    integer,
    login,
    named_call,
    nvarchar,
    packet,
    prelogin,
    transaction,
)

TEXTS = (
    "SELECT 1 AS a, N'x' AS b, CAST(2.5 AS decimal(9,3)) AS c",
    "SELECT CAST('2024-02-29' AS date) AS d, CAST('12:30' AS time(3)) AS t, 0x0102 AS v",
    "DECLARE @i int = 3; SELECT @i * 2 AS c; PRINT 'done'",
    "SELECT name, type FROM sys.objects WHERE object_id > 5 ORDER BY name",
    "SELECT REPLICATE('ab', 20) AS r, LEN(N'abc') AS n, NULL AS z",
    "BEGIN TRY SELECT 1 / 0 AS a END TRY BEGIN CATCH SELECT ERROR_NUMBER() AS e END CATCH",
    "SELECT TOP (3) x FROM (SELECT 1 AS x UNION ALL SELECT 2) AS t ORDER BY x DESC",
    "CREATE TABLE #t (a int); INSERT INTO #t SELECT 7; SELECT a FROM #t; DROP TABLE #t",
)
KINDS = ("int", "nvarchar(20)", "bigint", "varchar(max)", "date", "sql")
WORDS = ("1", "NULL", "'x'", "N'é'", "(", ")", ",", "AS", "SELECT", "+", "-1", "@p", "a", "0x01")
_TOKEN = re.compile(r"\w+|'[^']*'|\s+|.")


class PacketFuzz:
    """Draws packets of a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self) -> str:
        """A text of SQL of which now and then a token is another."""
        found = self.random.choice(TEXTS)
        found = re.sub(r"\d+", lambda old: self.number(old[0]), found)
        if self.random.random() < 0.2:
            tokens = _TOKEN.findall(found)
            tokens[self.random.randrange(len(tokens))] = self.random.choice(WORDS)
            found = "".join(tokens)
        return found

    def number(self, old: str) -> str:
        chosen = ("0", "-1", "2147483648", str(self.random.randrange(1000)))
        return self.random.choice(chosen) if self.random.random() < 0.15 else old

    def value(self, name: str) -> bytes:
        if self.random.random() < 0.5:
            return integer(self.random.choice((0, -1, 2**31 - 1, -(2**31), 42)), name)
        letters = self.random.choice(("", "x", "é", "中😀", "'; DROP", "x" * 3000, "\0"))
        return nvarchar(letters, name)

    def session_packet(self) -> bytes:
        """A request that is well formed, with other values than the last one."""
        text = self.text()
        choices = (
            lambda: batch(text),
            lambda: batch(text),
            lambda: call(10, nvarchar(text)),
            lambda: call(
                10,
                nvarchar(f"SELECT @p AS x; {text}"),
                nvarchar(f"@p {self.random.choice(KINDS)}"),
                self.value("@p"),
            ),
            lambda: call(
                10, nvarchar(f"{text}; SELECT @p AS x"), nvarchar("@p int"), self.value("@p")
            ),
            lambda: call(
                13,
                integer(0, output=True),
                nvarchar("@p nvarchar(4000)"),
                nvarchar("SELECT LEN(@p) AS n, @p AS p"),
                self.value(""),
            ),
            lambda: call(12, integer(self.random.randrange(4)), self.value("")),
            lambda: named_call("sp_executesql", nvarchar(text)),
            lambda: named_call("[sys].sp_tables", nvarchar("%")),
            lambda: transaction(self.random.choice((5, 7, 8))),
        )
        return self.random.choice(choices)()

    def broken(self, stage: str) -> bytes:
        """A packet of a stage with some bytes changed, or cut."""
        whole = {"prelogin": prelogin(), "login": login()}
        data = bytearray(whole.get(stage) or self.random.choice((*REQUESTS, self.session_packet())))
        for _ in range(self.random.randint(1, 4)):
            at = self.random.randrange(len(data))
            data[at] = self.random.choice((0, 1, 0x7F, 0x80, 0xFF, self.random.randrange(256)))
        if self.random.random() < 0.2:
            del data[self.random.randrange(len(data)) :]
        if self.random.random() < 0.7 and len(data) >= HEADER.size:  # a true length gets further in
            data[2:4] = len(data).to_bytes(2, "big")
            data[1] = 1
        return bytes(data)

    def packet(self, stage: str) -> bytes:
        """A packet for a stage of a connection."""
        if stage == "noise":
            return self.random.randbytes(self.random.randint(1, 300))
        if stage == "session":
            return self.session_packet()
        if stage == "cancelled":
            return packet(Kind.ATTENTION, b"") if self.random.random() < 0.3 else batch(self.text())
        return self.broken(stage)
