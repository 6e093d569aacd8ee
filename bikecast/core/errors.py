"""The errors that people see: what happened, what was left unchanged, what to do next."""

from __future__ import annotations

import os


class BikecastError(Exception):
    """Base of all errors meant for people; `exit_code` is what the command line ends with."""

    exit_code = 1


class InvalidInput(BikecastError):
    """A file, a setting or an argument is wrong; nothing was changed. Exit code 2."""

    exit_code = 2


class Damaged(BikecastError):
    """A file of the home is not what was written there: cut off, changed or gone.

    `problem` is the first line of what is wrong with it.
    """

    def __init__(self, path: os.PathLike[str] | str, problem: Exception | str) -> None:
        self.problem = first_line(problem).rstrip(".")
        super().__init__(
            f"{os.fspath(path)} is damaged: {self.problem}. Nothing was changed.\n"
            "`bikecast repair` mends it; `bikecast repair --dry-run` says how"
        )


class ModelRejected(BikecastError):
    """An ONNX model breaks the contract that PREDICT needs, so it is not loaded or deployed."""


def first_line(error: Exception | str) -> str:
    """Somebody else's error in one line; the rest is the context of a request or a stack."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def printable(name: str) -> str:
    """A path that may hold control characters, or bytes that are no UTF-8, to print and store."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
