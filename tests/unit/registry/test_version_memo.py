import sqlite3
from contextlib import closing
from datetime import UTC, datetime

from resources.registry.port import ModelVersion
from resources.registry.version_memo import remembered


def version(number):
    return ModelVersion("m", number, "job", "digest", datetime(2026, 1, 1, tzinfo=UTC))


def test_a_change_that_is_only_in_the_write_ahead_log_is_read(tmp_path):
    memo, database = tmp_path / "versions.json", tmp_path / "mlflow.db"
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("CREATE TABLE versions (number int)")
        writer.commit()
        assert remembered(memo, database, lambda: [version(1)]) == [version(1)]
        assert remembered(memo, database, lambda: [version(2)]) == [version(1)]
        before = database.read_bytes()
        writer.execute("INSERT INTO versions VALUES (2)")
        writer.commit()
        assert database.read_bytes() == before
        assert remembered(memo, database, lambda: [version(2)]) == [version(2)]
