"""The options of all commands that take data files: which files, and how they are written."""

from __future__ import annotations

from typing import Annotated

import typer

Rename = Annotated[
    list[str] | None,
    typer.Option(
        "--rename",
        metavar="COLUMN=NAME",
        help="The file calls this column by that name; may be repeated.",
        show_default=False,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(help="Delimiter: comma, semicolon, tab or a character.  [default: recognised]"),
]
Decimal = Annotated[
    str | None, typer.Option(help="Decimal mark: point or comma.  [default: recognised]")
]
DateFormat = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help="How dates are written, such as %d.%m.%Y.  [default: the model's, and ISO]",
    ),
]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding, such as windows-1252.  [default: recognised]")
]


def format_settings(
    rename: list[str] | None,
    delimiter: str | None,
    decimal: str | None,
    date_format: str | None,
    encoding: str | None,
) -> dict[str, str | None]:
    """The settings that these options stand for."""
    return {
        "rename": joined(rename) if rename else None,
        "delimiter": delimiter,
        "decimal": decimal,
        "date_format": date_format,
        "encoding": encoding,
    }


def joined(pairs: list[str]) -> str:
    """One setting for all pairs, a pair with a comma in quotes."""
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(pairs)
    return out.getvalue()
