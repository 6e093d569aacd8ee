"""T-SQL text helpers that both adapters share: quoting, GO batches, script templates."""

from __future__ import annotations

import re
from importlib import resources as package_files
from string import Template

from bikecast.core.sql import ResultSet
from resources.sql_pool.port import Session

_GO = re.compile(r"^\s*GO\s*(?:--.*)?$", re.IGNORECASE)


def quote_identifier(name: str) -> str:
    """Quote one part of a name, as T-SQL's QUOTENAME does.

    Raises ValueError for an empty name or one over 128 characters.
    """
    if not name or len(name) > 128 or "\x00" in name:
        raise ValueError(f"not an SQL identifier: {name!r}")
    return "[" + name.replace("]", "]]") + "]"


def split_batches(script: str) -> list[str]:
    """Split a script at lines that hold only GO; empty batches are left out.

    A GO line inside a string or a block comment does not separate.
    """
    batches: list[str] = []
    lines: list[str] = []
    inside = ""  # the delimiter that ends the string or comment a line starts in
    for line in script.splitlines(keepends=True):
        if not inside and _GO.match(line.rstrip("\r\n")):
            batches.append("".join(lines))
            lines = []
            continue
        lines.append(line)
        inside = _open_at_end(line, inside)
    batches.append("".join(lines))
    return [batch.strip() for batch in batches if batch.strip()]


def _open_at_end(line: str, inside: str) -> str:
    """Which string or comment is still open after `line`: "'", '"', "]", "*/" or ""."""
    closing = {"'": "'", '"': '"', "[": "]", "/*": "*/"}
    position = 0
    while position < len(line):
        if inside:
            end = line.find(inside, position)
            if end < 0:
                return inside
            position = end + len(inside)
            inside = ""
            continue
        pair = line[position : position + 2]
        if pair == "--":
            return ""
        opener = pair if pair == "/*" else line[position]
        inside = closing.get(opener, "")
        position += len(opener)
    return inside


def render(template: str, **values: str) -> str:
    """Fill a template of the folder `sql/`; `$name` marks stand for already quoted SQL."""
    text = package_files.files("resources.sql_pool").joinpath("sql", template).read_text("utf-8")
    return Template(text).substitute(values)


def run_script(session: Session, script: str) -> list[ResultSet]:
    """Run the batches of a script in order and return all result sets."""
    return [result for batch in split_batches(script) for result in session.run(batch)]
