"""The MLflow store on SQLite: its schema, its write lock and a quiet client."""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.errors import BikecastError, Damaged, InvalidInput, first_line
from bikecast.core.files import replaced_file
from bikecast.core.locks import exclusive

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SQLITE = "sqlite:///"
#: What SQLite says of a file that is cut off or changed.
_DAMAGED = ("file is not a database", "malformed")
#: MLflow reads these when it is imported or when it opens a store. Without a pool no idle
#: process holds the file, so the database can be deleted at any time.
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",
    "GIT_PYTHON_REFRESH": "quiet",
}


def database_path(tracking_uri: str) -> Path:
    """The database file of `sqlite:////absolute/path`.

    Raises InvalidInput for any other address.
    """
    path = Path(tracking_uri.removeprefix(_SQLITE))
    if not tracking_uri.startswith(_SQLITE) or not path.is_absolute():
        raise InvalidInput(
            f"the tracking address {tracking_uri!r} is not of the form "
            "sqlite:////absolute/path/mlflow.db; nothing was written"
        )
    return path


def is_ready(tracking_uri: str) -> bool:
    """True when the database exists with the schema of the installed MLflow."""
    database = database_path(tracking_uri)
    if not database.is_file():
        return False
    try:
        with closing(sqlite3.connect(database)) as connection:
            row = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise _unusable(database, error) from error
    if not database.stat().st_size:
        raise Damaged(database, "it is empty")
    return bool(row[0] == _schema_stamp())


def prepare_store(tracking_uri: str) -> None:
    """Create the SQLite schema, or migrate it to the installed MLflow; a no-op once that is done.

    The new database is built beside the old one and renamed, so a kill leaves the old state or
    the new one. Processes and threads that come at the same moment wait for the first.
    Raises InvalidInput for an address that is not a SQLite file, and BikecastError where the
    folder cannot be written.
    """
    if is_ready(tracking_uri):
        return
    with _locked(tracking_uri):
        if not is_ready(tracking_uri):
            _build_schema(database_path(tracking_uri))


@contextmanager
def writing(tracking_uri: str) -> Iterator[MlflowClient]:
    """A client that alone may write: one writer at a time over all processes and threads.

    Raises BikecastError where the database cannot be written.
    """
    prepare_store(tracking_uri)
    client = mlflow_client(tracking_uri)
    from mlflow.exceptions import MlflowException

    with _locked(tracking_uri):
        try:
            yield client
        except MlflowException as error:
            raise _unusable(database_path(tracking_uri), error) from error


@contextmanager
def reading(tracking_uri: str) -> Iterator[MlflowClient]:
    """A client of the prepared store to read with.

    Raises BikecastError where the database cannot be read, Damaged where it is no database.
    """
    client = mlflow_client(tracking_uri)
    from mlflow.exceptions import MlflowException

    try:
        yield client
    except MlflowException as error:
        raise _unusable(database_path(tracking_uri), error) from error


@lru_cache(maxsize=4)
def mlflow_client(tracking_uri: str) -> MlflowClient:
    """The client of the prepared store; opening it imports MLflow."""
    _configure_mlflow()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def _configure_mlflow() -> None:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        Path.home()
    except RuntimeError:  # a user id without a name and no HOME: MLflow's import asks for a folder
        os.environ["HOME"] = tempfile.gettempdir()
    import mlflow  # noqa: F401  # sets its own log level, which is INFO

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It logs the traceback of an error that it also raises.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def _schema_stamp() -> int:
    """The installed MLflow's version as one number.

    It is kept in the database's `user_version`, which SQLite leaves to applications, so that a
    finished schema is recognized without importing MLflow.
    """
    major, minor, patch = version("mlflow-skinny").split(".")[:3]
    return int(major) * 1_000_000 + int(minor) * 1_000 + int("".join(filter(str.isdigit, patch)))


def _build_schema(database: Path) -> None:
    _configure_mlflow()
    from mlflow.db import upgrade
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with replaced_file(database) as temporary:
            if database.is_file():
                _copy_database(database, temporary)
            # `mlflow db upgrade`. Creating the tables from MLflow's metadata instead does not
            # work: the migrations and the metadata differ.
            upgrade.main([f"{_SQLITE}{temporary}"], standalone_mode=False)
            with closing(sqlite3.connect(temporary)) as connection:
                connection.execute(f"PRAGMA user_version = {_schema_stamp()}")
                connection.commit()
    except (sqlite3.Error, SQLAlchemyError) as error:
        raise _unusable(database, error) from error


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _unusable(database: Path, error: Exception) -> BikecastError:
    if any(text in str(error) for text in _DAMAGED):
        return Damaged(database, error)
    return BikecastError(
        f"MLflow's database {database} cannot be used: {first_line(error)}. What it held is "
        "unchanged. Free some space, make the folder writable or restore the file, and run again."
    )


@contextmanager
def _locked(tracking_uri: str) -> Iterator[None]:
    database = database_path(tracking_uri)
    path = database.with_name(f"{database.name}.lock")
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(exclusive(path))
        except OSError as error:
            raise BikecastError(
                f"cannot write {path}: {error.strerror or error}. Nothing was written. "
                "Make the folder writable or free some space, and run again."
            ) from error
        yield
