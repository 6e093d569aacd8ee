"""Logs of the command line: rotating files below BIKECAST_HOME, with secrets blanked."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler

from bikecast.core.redaction import redacted
from pipelines.home import Home

MAX_BYTES = 1_000_000
KEPT_FILES = 5
LOGGER = logging.getLogger("bikecast")


class Redaction(logging.Filter):
    """Blanks secrets, as `redacted` does."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record's text; keeps every record."""
        record.msg, record.args = redacted(record.getMessage()), ()
        return True


def open_log(home: Home) -> logging.Logger:
    """Write this process's log to `logs/bikecast.log`; older files are kept up to a number."""
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()
    handler = RotatingFileHandler(
        home.logs / "bikecast.log",
        maxBytes=MAX_BYTES,
        backupCount=KEPT_FILES,
        encoding="utf-8",
        errors="backslashreplace",  # a file's name may be no UTF-8
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    handler.addFilter(Redaction())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    return LOGGER
