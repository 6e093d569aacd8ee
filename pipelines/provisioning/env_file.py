"""The settings of the azure environment in `.env`, which only its owner may read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bikecast.core.errors import BikecastError
from bikecast.core.files import replaced_file

_LINE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=")


def write_env(path: Path, values: Mapping[str, str]) -> None:
    """Set these variables in a file of settings; all other lines stay as they are.

    Raises BikecastError where it cannot be read or written; it is unchanged then.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise BikecastError(
            f"cannot read {path}; it is unchanged: {type(error).__name__}"
        ) from None
    kept = [line for line in lines if _name(line) not in values]
    text = "\n".join([*kept, *(f"{name}={value}" for name, value in values.items())]) + "\n"
    # A link may lead to where the settings really are.
    with replaced_file(path.resolve()) as temporary:
        temporary.chmod(0o600)
        temporary.write_text(text, encoding="utf-8")


def _name(line: str) -> str:
    found = _LINE.match(line)
    return found[1] if found else ""
