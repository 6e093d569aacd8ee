"""Text from outside, and standard output and error that print any, whatever they lack."""

from __future__ import annotations

import codecs
import io
import sys

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
#: Name of the error handler: what an encoding lacks is printed by its number.
BY_NUMBER = "bikecast-by-number"


def print_any_text() -> None:
    """Let standard output and error print characters that their encoding lacks by their number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=BY_NUMBER)


def is_text(text: str) -> bool:
    """Whether a text from outside was bytes that this machine reads as text."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _by_number(error: UnicodeError) -> tuple[str | bytes, int]:
    """One character; an ellipsis stays one wide, so that tables keep their form."""
    if not isinstance(error, UnicodeEncodeError):
        return codecs.backslashreplace_errors(error)
    if error.object[error.start] == ELLIPSIS:
        return "~", error.start + 1
    error.end = error.start + 1
    return codecs.backslashreplace_errors(error)


codecs.register_error(BY_NUMBER, _by_number)
