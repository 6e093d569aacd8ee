"""The options of all commands that take data files: which files, and how they are written."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

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
StartDate = Annotated[
    str | None,
    typer.Option(
        metavar="DAY",
        help="The forecast has no days: its first row is of this day (2013-01-01), each next row "
        "of the next.  [default: rows have numbers]",
        show_default=False,
    ),
]


FileFormat = Mapping[str, str | None]
"""Settings by their names: what the options of a command say of its files."""
RECOGNISED: FileFormat = MappingProxyType({})
_OPTIONS = {
    "rename": Rename,
    "delimiter": Delimiter,
    "decimal": Decimal,
    "date_format": DateFormat,
    "encoding": Encoding,
}
#: Of commands with a forecast.
_START_DATE = {"start_date": StartDate}
_Result = TypeVar("_Result")


def with_file_options(command: Callable[..., _Result]) -> Callable[..., _Result]:
    """The command with these options in place of its parameter `file_format`, a FileFormat."""
    parameters = inspect.signature(command, eval_str=True).parameters
    options_shown = _OPTIONS | (_START_DATE if "forecast" in parameters else {})
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    of_files = [
        inspect.Parameter(name, kind, default=None, annotation=option)
        for name, option in options_shown.items()
    ]
    shown = [
        each
        for parameter in parameters.values()
        for each in (of_files if parameter.name == "file_format" else (parameter,))
    ]
    signature = inspect.Signature(shown)

    @functools.wraps(command)
    def with_options(*arguments: Any, **options: Any) -> _Result:
        values = signature.bind(*arguments, **options).arguments
        given = {name: values.pop(name, None) for name in options_shown}
        return command(**values, file_format=_settings(**given))

    with_options.__signature__ = signature  # type: ignore[attr-defined] # what Typer reads
    with_options.__annotations__ = {each.name: each.annotation for each in shown}
    return with_options


def _settings(rename: list[str] | None, **others: str | None) -> FileFormat:
    return {"rename": joined(rename) if rename else None, **others}


def joined(pairs: list[str]) -> str:
    """One setting for all pairs, a pair with a comma in quotes."""
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(pairs)
    return out.getvalue()
