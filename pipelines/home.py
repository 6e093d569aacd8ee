"""BIKECAST_HOME: where everything local lives, and how Dagster is pointed at it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from string import Template

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import replaced_file
from pipelines.settings import PROJECT, Settings
from resources.lake.local import LocalLake

#: What a step needs at least; less counts as a full disk.
ROOM_BYTES = 1_000_000


class Home:
    """The folders and files below BIKECAST_HOME; deleting the root is a full reset."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lake = root / "lake"  # files and Delta tables
        self.jobs = root / "jobs"  # one folder a training job
        self.pool = root / "pool.duckdb"  # the SQL pool's database file
        self.models = root / "models"  # model files and other artifacts of the registry
        self.tracking_uri = f"sqlite:///{root / 'mlflow.db'}"  # MLflow's store
        self.dagster = root / "dagster"  # DAGSTER_HOME
        self.logs = root / "logs"  # rotating logs of the command line

    @classmethod
    def of(cls, settings: Settings) -> Home:
        """The home that the settings name; nothing is created."""
        return cls(settings.home.expanduser().resolve())


def open_home(settings: Settings) -> Home:
    """Create the folders that are missing, place dagster.yaml and set DAGSTER_HOME.

    From here on this process makes files that only their owner reads, whatever its umask was.

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
    # Files that this process, and those that it starts, make are their owner's alone.
    os.umask(0o077)
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        if home.root.stat().st_mode & 0o077:
            with suppress(PermissionError):  # another user's home, who lets us write in it
                home.root.chmod(0o700)
        for folder in (home.root, home.lake, home.jobs, home.models, home.dagster, home.logs):
            folder.mkdir(parents=True, exist_ok=True)
            # Every command writes into it; a file without a name survives no kill.
            tempfile.TemporaryFile(dir=folder).close()
        target = home.dagster / "dagster.yaml"
        if not target.exists() or target.read_bytes() != config:
            with replaced_file(target) as temporary:
                temporary.write_bytes(config)
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
