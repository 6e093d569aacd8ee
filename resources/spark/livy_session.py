"""An interactive Livy session of a Synapse Spark pool, with the lake's tables as views.

Livy itself is the record: the session goes by a name that this home gives it, so that its processes
share one. A guard (`resources.spark.session_guard`) of each ends it when the last of them is gone,
or none has used it for a while.
"""

from __future__ import annotations

import atexit
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bikecast.core.errors import BikecastError
from bikecast.core.redaction import redacted
from bikecast.core.sql import ResultColumn, ResultSet
from resources.azure.credentials import TIMEOUTS
from resources.azure.refusals import refused_by_azure
from resources.lake.adls import AdlsLake
from resources.spark.lake_session import MOST_ROWS, TABLES, check_reads, refusal, too_many_rows
from resources.spark.livy_sessions import LIVE, LivySessions
from resources.spark.session_use import SessionUse

#: Minutes that a session may stand unused before the guard ends it. Sessions that the recordings
#: show left alone were dead after 12 to 15.
IDLE_MINUTES = 20.0
#: A session that is not ready by then is given up.
START_SECONDS = 900.0
#: Pauses between two polls, in seconds: short at first.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: Starts a line of a statement's output that is a table as JSON, from `display` or `sql`.
TABLE_MARK = "bikecast-table:"


@dataclass
class LivySession:
    """One session of a pool; a LakeSession, and it runs Python too.

    `tables_there` are lake paths by table name, of which those that exist become views. `say`
    hears what people should know: a session costs while it is open.
    """

    workspace: str
    pool: str
    lake: AdlsLake
    name: str
    tables_there: Mapping[str, str]
    folder: Path
    """Of this machine: the processes that use the session have a file open there."""
    kept_tables: Collection[str] = ()
    """Names that `lake.save` refuses."""
    training_csv: str = ""
    say: Callable[[str], None] = print
    executors: int = 2
    cores: int = 4
    memory: str = "28g"
    _id: int | None = None
    _is_ready: bool = False
    """Whether the session has this process's names, such as `lake`."""
    _is_starting: bool = False
    """Whether a start was asked for and never answered."""
    _use: SessionUse | None = None
    _guard: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def tables(self) -> list[str]:
        """The names of those tables that the lake has."""
        from resources.lake.tables import open_table_if_any

        there = self.tables_there.items()
        return sorted(name for name, path in there if open_table_if_any(self.lake, path))

    def sql(self, query: str, *, most: int = MOST_ROWS) -> ResultSet:
        """The rows of one query of Spark SQL; see the port."""
        check_reads(query)
        try:
            output = self.run(f"_bikecast_show(spark.sql({query!r}), {most + 1})")
        except StatementFailed as error:
            raise BikecastError(refusal(error, self.tables())) from error
        [result] = [each for each in parts_of(output) if isinstance(each, ResultSet)]
        if len(result.rows) > most:
            raise too_many_rows(most)
        return result

    def run(self, code: str) -> str:
        """What a statement of Python prints on the pool.

        Raises StatementFailed with the pool's own error, BikecastError where Azure refuses.
        """
        with self._refused():
            number = self._open()
            return self._statement(number, code)

    def stop(self) -> None:
        """End the session, if one is open, also for other processes of this home."""
        if self._use is not None:
            self._end()

    def leave(self) -> None:
        """End the session, unless another process of this home uses it."""
        if self._use is None:
            return
        if self._is_starting:
            self.say(
                f"The start of a Spark session on {self.pool} was not answered; its guard ends it."
            )
        elif self._use.is_last():
            self._end()
        else:
            self.say(f"The Spark session {self._id} of {self.pool} stays: others here use it.")
            self._dismiss_guard()

    def _end(self) -> None:
        # By name: the answer to a start may have been lost.
        with self._refused():
            for number in self._sessions.end():
                self.say(f"The Spark session {number} of {self.pool} was stopped.")
        if not self._is_starting:
            self._dismiss_guard()

    def _leave_at_exit(self) -> None:
        try:
            self.leave()
        except BikecastError as error:
            self.say(f"{error}\nIts guard tries on for some minutes.")

    def _open(self) -> int:
        """The id of a session that takes statements, started where there is none."""
        if self._id is not None and self._is_ready and LIVE.get(self._sessions.state(self._id)):
            return self._id
        self._is_ready = False
        self._watch()
        before, live = self._id, self._sessions.live()
        self._id = number = live[0] if live else self._start()
        if live and number != before:
            self.say(f"The open Spark session {number} of {self.pool} is used again.")
        self._await_ready(number)
        code = lake_code(self.lake, self.tables(), self.training_csv, self.kept_tables)
        self._statement(number, f"{code}\n{_DISPLAY}")
        self._is_ready = True
        if not live:
            self.say(
                f"Spark session {number} runs on {self.pool} and costs until it is stopped: by "
                "spark.stop(), with this process, or by itself when it was not used for "
                f"{IDLE_MINUTES:.0f} minutes."
            )
        return number

    def _start(self) -> int:
        from azure.synapse.spark.models import SparkSessionOptions

        options = SparkSessionOptions(
            name=self.name,
            driver_memory=self.memory,
            driver_cores=self.cores,
            executor_memory=self.memory,
            executor_cores=self.cores,
            executor_count=self.executors,
        )
        self.say(f"A Spark session is started on {self.pool}; that takes some minutes.")
        self._is_starting = True
        self._tell_guard("starting")
        session = self._sessions.client.spark_session.create_spark_session(
            options, detailed=True, retry_status=0, retry_read=0, **TIMEOUTS
        )
        self._is_starting = False
        self._tell_guard("started")
        return int(session.id)

    def _await_ready(self, number: int) -> None:
        begun = time.monotonic()
        for pause in _pauses():
            state = self._sessions.state(number)
            if LIVE.get(state):
                return
            if state not in LIVE or time.monotonic() - begun > START_SECONDS:
                self.stop()
                raise BikecastError(
                    f"the Spark session {number} of {self.pool} is {state}, not ready. It was "
                    "stopped; look at Synapse Studio, Monitor, and run the cell again"
                )
            self._note_use()
            time.sleep(pause)

    def _statement(self, number: int, code: str) -> str:
        from azure.synapse.spark.models import SparkStatementOptions

        self._note_use()
        calls = self._sessions.client.spark_session
        options = SparkStatementOptions(code=code, kind="pyspark")
        statement = calls.create_spark_statement(
            number, options, retry_status=0, retry_read=0, **TIMEOUTS
        )
        try:
            for pause in _pauses():
                statement = calls.get_spark_statement(number, statement.id, **TIMEOUTS)
                if str(statement.state) not in ("waiting", "running"):
                    break
                self._note_use()
                time.sleep(pause)
        except KeyboardInterrupt:
            calls.cancel_spark_statement(number, statement.id, **TIMEOUTS)
            raise
        output = statement.output
        if str(statement.state) != "available" or output is None:
            raise StatementFailed(f"the statement is {statement.state}")
        if output.status != "ok":
            text = f"{output.error_name}: {output.error_value}"
            raise StatementFailed(redacted(text))
        return str((output.data or {}).get("text/plain", ""))

    def _watch(self) -> None:
        """Use the session's file, and start a guard, which outlives a kill of this process."""
        if self._use is None:
            self._use = SessionUse.begin(
                self.folder / f"{self.workspace}-{self.pool}.lock",
                lambda: self.say("Waiting until the session of an earlier process is ended."),
            )
            atexit.register(self._leave_at_exit)
        self._note_use()
        if self._guard is not None and self._guard.poll() is None:
            return
        descriptor = self._use.descriptor
        command = [sys.executable, "-m", "resources.spark.session_guard"]
        arguments = [self.workspace, self.pool, self.name, str(descriptor), str(IDLE_MINUTES * 60)]
        self._guard = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(descriptor,),
        )

    def _dismiss_guard(self) -> None:
        """There is nothing to guard any more."""
        atexit.unregister(self._leave_at_exit)
        self._id, self._is_ready = None, False
        self._tell_guard("stopped")
        if self._guard is not None and self._guard.stdin is not None:
            with suppress(OSError, subprocess.TimeoutExpired):
                self._guard.stdin.close()
                self._guard.wait(10)
        self._guard = None
        if self._use is not None:
            self._use.end()
        self._use = None

    def _note_use(self) -> None:
        if self._use is not None:
            self._use.note()

    def _tell_guard(self, word: str) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with suppress(OSError, ValueError):
                self._guard.stdin.write(f"{word}\n".encode())
                self._guard.stdin.flush()

    @property
    def _sessions(self) -> LivySessions:
        return LivySessions(self.workspace, self.pool, self.name)

    def _refused(self) -> AbstractContextManager[None]:
        return refused_by_azure(
            f"the Spark pool {self.pool} of {self.workspace} refuses",
            role="Synapse Compute Operator",
            scope=self.workspace,
        )


class StatementFailed(BikecastError):
    """The pool's own error of a statement."""


def parts_of(output: str) -> list[str | ResultSet]:
    """What a statement printed: texts, and the tables among them."""
    parts: list[str | ResultSet] = []
    for text in re.split(rf"(?m)^({TABLE_MARK}.*)$", output):
        if text.startswith(TABLE_MARK):
            table = json.loads(text.removeprefix(TABLE_MARK))
            columns = tuple(ResultColumn(name, kind) for name, kind in table["columns"])
            parts.append(ResultSet(columns, [tuple(row) for row in table["rows"]]))
        elif text.strip():
            parts.append(text.strip("\n"))
    return parts


def lake_code(
    lake: AdlsLake, tables: Sequence[str], training_csv: str, kept: Collection[str]
) -> str:
    """Python that gives a session of the pool `lake`, which saves no table of `kept`, and views."""
    root = lake.url(TABLES).removesuffix(TABLES)
    names = {"ROOT": root, "TABLES": TABLES, "CSV": training_csv}
    lists = {"NAMES": list(tables), "KEPT": sorted(kept)}
    return "\n".join(f"{name} = {value!r}" for name, value in (names | lists).items()) + _LAKE


_LAKE = '''

class lake:
    """The lake: addresses of its files, and its tables."""

    @staticmethod
    def url(path):
        return ROOT.rstrip("/") + "/" + path

    @staticmethod
    def training_csv():
        return lake.url(CSV)

    @staticmethod
    def view(name):
        rows = spark.read.format("delta").load(lake.url(TABLES + "/" + name))
        rows.createOrReplaceTempView(name)

    @staticmethod
    def save(frame, name):
        if not name.isidentifier() or name.lower() in map(str.lower, KEPT):
            raise ValueError(name + " is no name for a new table, or one of the pipeline's")
        frame.write.format("delta").mode("overwrite").save(lake.url(TABLES + "/" + name))
        lake.view(name)

for _name in NAMES:
    lake.view(_name)
'''
_DISPLAY = f'''
def _bikecast_show(frame, rows):
    import json
    fields = [[field.name, field.dataType.simpleString()] for field in frame.schema]
    values = [list(row) for row in frame.limit(rows).collect()]
    print("{TABLE_MARK}" + json.dumps({{"columns": fields, "rows": values}}, default=str))

def display(frame, rows=20):
    _bikecast_show(frame, rows)
'''


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(_LONGEST_PAUSE, pause * 1.5)
