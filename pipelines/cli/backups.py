"""`bikecast backup` and `bikecast restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import say


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write, such as bikes.backup.")],
) -> None:
    """Write all of the home into one file with checksums; it may be in use meanwhile.

    Example: `bikecast backup nightly/bikes-$(date +%F).backup`
    """
    from pipelines import backups
    from pipelines.home import open_home
    from pipelines.settings import load_settings

    home = open_home(load_settings())
    count = backups.backup(home, file)
    say(f"Wrote {file}: {count:,} files of {home.root}, {file.stat().st_size:,} bytes.")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `bikecast backup` wrote.")],
) -> None:
    """Make the home of a backup, where there is none yet; every file is checked first.

    Example: `BIKECAST_HOME=/srv/bikes bikecast restore nightly/bikes-2026-11-30.backup`
    """
    from pipelines import backups
    from pipelines.home import Home, open_home
    from pipelines.settings import load_settings

    settings = load_settings()
    count = backups.restore(file, Home.of(settings))
    home = open_home(settings)
    say(f"Restored {count:,} files into {home.root}.")
    say("Next: bikecast status")
