"""Logs of the command line: rotating files below BIKECAST_HOME, with secrets blanked."""

from __future__ import annotations

import logging
import os
import re
from logging.handlers import RotatingFileHandler

from pipelines.home import Home

MAX_BYTES = 1_000_000
KEPT_FILES = 5
LOGGER = logging.getLogger("bikecast")

_SECRET_NAMES = re.compile(r"(SECRET|PASSWORD|PASSWD|TOKEN|KEY|CONNECTION_STRING|SAS)$", re.I)
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"(://[^\s'\"?]*)\?[^\s'\"]*")
_SHORTEST_SECRET = 6


class Redaction(logging.Filter):
    """Blanks values of secret environment variables, user names in URLs and signed queries."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record's text; keeps every record."""
        record.msg, record.args = redacted(record.getMessage()), ()
        return True


def redacted(text: str) -> str:
    """The text without what the environment or a URL holds as a secret."""
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET_NAMES.search(name):
            text = text.replace(value, "***")
    return _QUERY.sub(r"\1?***", _USERINFO.sub("***@", text))


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
