"""Errors meant for people become Dagster failures that carry their text and exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from bikecast.core.errors import BikecastError


@contextmanager
def shown_to_people() -> Iterator[None]:
    """Turn a BikecastError into a Failure that is not retried: trying again cannot mend it."""
    try:
        yield
    except BikecastError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"error": type(error).__name__, "exit_code": error.exit_code},
            allow_retries=False,
        ) from error
