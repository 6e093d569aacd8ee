"""BIKECAST_HOME: where everything local lives, and how Dagster is pointed at it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import replaced_file
from pipelines.settings import PROJECT, Settings
from resources.lake.local import LocalLake

#: What a step needs at least; less counts as a full disk.
ROOM_BYTES = 1_000_000


@dataclass(frozen=True)
class Home:
    """The folders and files below BIKECAST_HOME; deleting the root is a full reset."""

    root: Path

    @classmethod
    def of(cls, settings: Settings) -> Home:
        """The home that the settings name; nothing is created."""
        return cls(settings.home.expanduser().resolve())

    @property
    def lake(self) -> Path:
        """Files and Delta tables."""
        return self.root / "lake"

    @property
    def jobs(self) -> Path:
        """One folder a training job."""
        return self.root / "jobs"

    @property
    def pool(self) -> Path:
        """The SQL pool's database file."""
        return self.root / "pool.duckdb"

    @property
    def models(self) -> Path:
        """Model files and other artifacts of the registry."""
        return self.root / "models"

    @property
    def tracking_uri(self) -> str:
        """MLflow's SQLite store."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def dagster(self) -> Path:
        """DAGSTER_HOME."""
        return self.root / "dagster"

    @property
    def logs(self) -> Path:
        """Rotating logs of the command line."""
        return self.root / "logs"


def open_home(settings: Settings) -> Home:
    """Create the folders that are missing, place dagster.yaml and set DAGSTER_HOME.

    Raises InvalidInput where the dagster.yaml of the settings cannot be read, BikecastError where
    the home cannot be written.
    """
    try:
        config = _dagster_config(settings)
    except OSError as error:
        raise InvalidInput(
            f"BIKECAST_DAGSTER_CONFIG names {settings.dagster_config}, which cannot be read: "
            f"{error.strerror or error}. Nothing was started."
        ) from error
    home = Home.of(settings)
    LocalLake(root=str(home.lake))  # refuses names that its readers mistake, before any is made
    try:
        for folder in (home.root, home.lake, home.jobs, home.models, home.dagster, home.logs):
            folder.mkdir(parents=True, exist_ok=True)
            _check_writable(folder)
        _place(config, home.dagster / "dagster.yaml")
    except OSError as error:
        raise BikecastError(
            f"The home folder {home.root} cannot be written: {error.strerror or error}.\n"
            "Nothing was started. Make room there or make it writable, or set BIKECAST_HOME to "
            "another folder."
        ) from error
    os.environ["BIKECAST_HOME"] = str(home.root)
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    return home


@contextmanager
def full_disk_explained(home: Home) -> Iterator[None]:
    """Say that the home has no room, where that is why the work inside failed.

    Databases report a full disk in many ways, so the room is looked at once something failed.
    """
    try:
        yield
    except InvalidInput:
        raise  # wrong whatever the disk
    except Exception as error:
        try:
            (home.root / ".room").write_bytes(bytes(ROOM_BYTES))
        except OSError as reason:
            raise BikecastError(
                f"The home folder {home.root} cannot be written: {reason.strerror or reason}.\n"
                "What was complete before is kept; nothing is half written. Make room there, or "
                "set BIKECAST_HOME to another folder, and run again."
            ) from error
        finally:
            with suppress(OSError):
                (home.root / ".room").unlink(missing_ok=True)
        raise


def _check_writable(folder: Path) -> None:
    """Raise OSError where no file can be made; every command writes locks, logs or databases."""
    import tempfile

    with tempfile.TemporaryFile(dir=folder):  # without a name: a kill leaves nothing
        pass


def _dagster_config(settings: Settings) -> bytes:
    """The dagster.yaml of the settings; in azure with run logs in the lake's account.

    A file that says where logs go keeps its own word.
    """
    config = settings.dagster_config.read_bytes()
    if settings.env != "azure" or re.search(rb"^compute_logs:", config, re.MULTILINE):
        return config
    logs = Template((PROJECT / "pipelines" / "azure_logs.yaml").read_text("utf-8"))
    place = settings.azure
    added = logs.safe_substitute(account=place.account, container=place.container)
    return config.rstrip(b"\n") + b"\n" + added.encode()


def _place(content: bytes, target: Path) -> None:
    """Put a small file into place, unless it is there."""
    if target.exists() and target.read_bytes() == content:
        return
    with replaced_file(target) as temporary:
        temporary.write_bytes(content)
