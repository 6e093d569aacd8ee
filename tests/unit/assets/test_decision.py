"""What a rollback settles, by its audit rows and the registered versions alone."""

import datetime

import pytest

from assets.live_model.decision import settled_before
from resources.registry.port import ModelVersion
from resources.sql_pool.model_table import AuditEntry

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def version(number, digest):
    return ModelVersion("m", number, f"job-{number}", digest, NOW)


def entry(number, action, before, after):
    return AuditEntry(number, NOW, "me", action, before, after, after, "", "", "", "")


#: Newest first: version 2 won, and people went back to version 1.
TRAIL = [
    entry(3, "rollback", 2, 1),
    entry(2, "promote", 1, 2),
    entry(1, "promote", None, 1),
]


@pytest.mark.parametrize(
    ("digest", "settled"), [("bbb", True), ("ccc", False), ("", False)], ids=["same", "new", "none"]
)
def test_a_rollback_settles_a_new_version_of_known_bytes_alone(digest, settled):
    """A version without a digest, as a registry may have one, is the twin of none."""
    candidate = version(3, digest)
    versions = [version(1, "aaa" if digest else ""), version(2, "bbb" if digest else ""), candidate]

    assert bool(settled_before(TRAIL, candidate, 1, versions)) is settled
