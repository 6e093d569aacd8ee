"""The DuckDB file: opened for one unit of work, waited for while another process holds it.

DuckDB reads a file's header before it locks the file. A process that opens the file in the moment
when another one closes it would go on from the state before, and what the other one committed
would be lost. So a lock beside the file is taken before DuckDB opens it, and kept until DuckDB has
closed it; the system releases it when the process dies.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from bikecast.core.sql import quoted, text_literal
from bikecast.embedded.sql_pool.catalog.catalog import create_catalog
from bikecast.embedded.sql_pool.errors import SqlError, failure
from bikecast.embedded.sql_pool.values.python_functions import create_functions, create_macros

if TYPE_CHECKING:
    import duckdb

_LOCKED = re.compile(r"Could not set lock on file|being used by another process", re.IGNORECASE)
_HOLDER = re.compile(r"\(PID (\d+)\)")
#: Connecting and closing of one process do not overlap, so that its first connection alone
#: configures the database and makes the catalog.
_opening = threading.Lock()
#: DuckDB keeps what it read up to this size; larger sorts and joins go to a file beside the pool's.
MEMORY_LIMIT = "512MiB"


@contextlib.contextmanager
def open_database(
    path: Path, lake_root: Path, wait_seconds: float
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the pool's file; connections of one process share the database.

    Files can be read inside `lake_root` only, and no extension is downloaded. Raises SqlError
    1222 that names the holding process after `wait_seconds`, and 5120 for a file that cannot be
    opened.
    """
    patience = Patience(wait_seconds)
    with contextlib.ExitStack() as stack:
        try:
            path = path.resolve()  # one file has one lock, by whatever links it is reached
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(path, patience))
        except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
            raise _unusable(path, error) from error
        connection = _connect(path, lake_root, patience)
        try:
            yield connection
        finally:
            with _opening:
                connection.close()


def _connect(path: Path, lake_root: Path, patience: Patience) -> duckdb.DuckDBPyConnection:
    import duckdb

    while True:
        try:
            with _opening:
                connection = duckdb.connect(str(path), config=_config())
                try:
                    _restrict(connection, lake_root)
                    create_catalog(connection)
                    create_functions(connection)
                    create_macros(connection)
                except BaseException:
                    connection.close()
                    raise
                return connection
        except duckdb.IOException as error:
            if not _LOCKED.search(str(error)):
                raise _unusable(path, error) from error
            if not patience.wait():  # a program that opens the file without our lock
                holder = _HOLDER.search(str(error))
                raise in_use(path, int(holder[1]) if holder else None, patience) from error


def _config() -> dict[str, str | bool | int | float | list[str]]:
    return {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
        "default_null_order": "nulls_first_on_asc_last_on_desc",
        "default_collation": "nocase",
        "memory_limit": MEMORY_LIMIT,
    }


@contextlib.contextmanager
def _as_it_is(
    path: Path, wait_seconds: float, *, read_only: bool
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a pool's file without the catalog's setup."""
    import duckdb

    path = path.resolve()
    with held(path, Patience(wait_seconds)):
        try:
            opened = duckdb.connect(str(path), read_only=read_only, config=_config())
            with contextlib.closing(opened) as connection:
                yield connection
        except duckdb.Error as error:
            if _LOCKED.search(str(error)):
                raise in_use(path, None, Patience(wait_seconds)) from error
            raise _unusable(path, error) from error


def copy_database(path: Path, target: Path, wait_seconds: float) -> None:
    """Copy the last committed state of a pool's file to a new file, by DuckDB itself.

    Raises SqlError 1222 where another process keeps the file, and 5120 where it cannot be read.
    """
    with _as_it_is(path, wait_seconds, read_only=False) as connection:
        row = connection.execute("SELECT current_database()").fetchone()
        connection.execute(f"ATTACH {text_literal(str(target))} AS copy_of_pool")
        source = quoted(str(row[0] if row else ""))
        connection.execute(f"COPY FROM DATABASE {source} TO copy_of_pool")
        connection.execute("DETACH copy_of_pool")


def check_database(path: Path, wait_seconds: float, *, is_read: bool) -> None:
    """Open a pool's file, without its catalog, and with `is_read` read each row in it.

    Raises SqlError 1222 where another process keeps the file, and 5120 where it cannot be read.
    """
    with _as_it_is(path, wait_seconds, read_only=True) as connection:
        names = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
        ).fetchall()
        for schema, name in names if is_read else ():
            table = f"{quoted(schema)}.{quoted(name)}"
            query = f"SELECT BIT_XOR(HASH(t)) FROM {table} AS t"  # noqa: S608 # quoted
            connection.execute(query).fetchall()


def _unusable(path: Path, error: Exception) -> SqlError:
    return failure("5120", path, str(error).splitlines()[0])


def _restrict(connection: duckdb.DuckDBPyConnection, lake_root: Path) -> None:
    """Let the database read files of the lake only; its later connections find that done."""
    row = connection.execute("SELECT current_setting('enable_external_access')").fetchone()
    if row and row[0]:
        folder = text_literal(str(lake_root.resolve()))
        connection.execute(f"SET allowed_directories = [{folder}]")
        connection.execute("SET enable_external_access = false")


_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


@dataclass
class _Hold:
    lock: FileLock
    users: int = 0


_mutex = threading.Lock()
_holds: dict[tuple[int, Path], _Hold] = {}  # by process id, since a fork inherits this module


class Patience:
    """A time to wait for a file, in pauses that grow."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._pause = _FIRST_PAUSE

    def wait(self) -> bool:
        """Pause; False at once when the time is over."""
        if time.monotonic() >= self._end:
            return False
        time.sleep(self._pause)
        self._pause = min(self._pause * 1.5, _LONGEST_PAUSE)
        return True


@contextlib.contextmanager
def held(path: Path, patience: Patience) -> Iterator[None]:
    """Keep other processes from the file; the threads of this one share it.

    `path` is absolute and free of links, so that every user of the file takes the same lock.
    Raises SqlError 1222 that names the holding process when patience ends, and OSError where no
    lock can be made.
    """
    lock_file = path.with_name(f".{path.name}.lock")
    key = (os.getpid(), path)
    while not _taken(key, lock_file):
        if not patience.wait():
            raise in_use(path, _holder(lock_file), patience)
    try:
        yield
    finally:
        with _mutex:
            hold = _holds[key]
            hold.users -= 1
            if not hold.users:
                del _holds[key]
                hold.lock.release()


def _taken(key: tuple[int, Path], lock_file: Path) -> bool:
    with _mutex:
        hold = _holds.get(key)
        if hold is None:
            hold = _Hold(FileLock(lock_file, thread_local=False))
            try:
                hold.lock.acquire(blocking=False)
            except Timeout:
                return False
            _holds[key] = hold
            with contextlib.suppress(OSError):  # it only names the holder to those who wait
                lock_file.write_text(str(key[0]), encoding="ascii")
        hold.users += 1
        return True


def _holder(lock_file: Path) -> int | None:
    try:
        return int(lock_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def in_use(path: Path, process_id: int | None, patience: Patience) -> SqlError:
    """The error 1222 for a file that another process has, named where it is known."""
    import psutil

    holder = "another process"
    if process_id is not None:
        holder = f"process {process_id}"
        with contextlib.suppress(psutil.Error):
            holder += f" ({psutil.Process(process_id).name()})"
    return failure("1222", holder, path, patience.seconds)
