"""What a remote job printed, in the log of the Dagster run that finishes it."""

from __future__ import annotations

from collections.abc import Mapping

from dagster import get_dagster_logger

from bikecast.core.redaction import redacted

#: So much of a log is shown; its end says why a job ended.
MOST_CHARACTERS = 20_000


def show_log(job_id: str, printed: str, links: Mapping[str, str | None]) -> None:
    """Log the end of what a job printed without secrets, and the links to all of it by name.

    It goes to the run that is executed in this process, else to the process's log.
    """
    where = [f"{name}: {link}" for name, link in links.items() if link]
    text = redacted(printed.strip())
    if len(text) > MOST_CHARACTERS:
        text = f"... the last {MOST_CHARACTERS:,} characters:\n{text[-MOST_CHARACTERS:]}"
    get_dagster_logger().info("\n".join([f"What {job_id} printed:", text or "nothing", *where]))


def say_log_is_missing(job_id: str, error: Exception) -> None:
    """Log that what a job printed cannot be read; its result does not depend on that."""
    get_dagster_logger().warning(f"What {job_id} printed cannot be read: {redacted(str(error))}")
