"""A backup is one consistent file, and a home is made of it whole or not at all."""

import contextlib
import json
import sqlite3
import tarfile

import pytest

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.embedded.sql_pool import Pool
from pipelines import backups
from pipelines.backups import backup, restore
from pipelines.home import Home


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A small home: a pool, two SQLite databases, one of them in use, a Delta table, a job."""
    home = Home(tmp_path_factory.mktemp("home"))
    for folder in (home.lake / "data", home.lake / "t/_delta_log", home.jobs / "j", home.logs):
        folder.mkdir(parents=True)
    (home.lake / "data/rentals.csv").write_text("a,b\n1,2\n")
    (home.lake / "t/_delta_log/0.json").write_text("{}")
    (home.lake / "t/part.parquet").write_bytes(b"PAR1")
    (home.jobs / "j/result.json").write_text("{}")
    (home.logs / "bikecast.log").write_text("old")
    (home.root / "server.pem").write_text("KEY")
    (home.root / "run.lock").touch()
    (home.dagster / "history").mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(home.root / "mlflow.db")) as database:
        database.execute("CREATE TABLE versions (number)")
        database.execute("INSERT INTO versions VALUES (7)")
        database.commit()
    with Pool(home.pool, home.lake).session() as session:
        session.run("CREATE SCHEMA s")
        session.run("CREATE TABLE s.t (id int NOT NULL IDENTITY, name nvarchar(9), m varbinary(9))")
        session.run("INSERT INTO s.t (name, m) VALUES (N'ä', 0x01)")
        session.run("CREATE VIEW dbo.v AS SELECT UPPER(name) AS n FROM s.t WHERE name LIKE '_'")
        session.run("CREATE PROCEDURE dbo.p AS SELECT n FROM dbo.v")
        session.run("CREATE STATISTICS st ON s.t (name)")
    return home


@pytest.fixture
def busy(home):
    """The event log as a running UI has it: a transaction that is in the WAL alone."""
    place = home.dagster / "history/runs.db"
    with contextlib.closing(sqlite3.connect(place)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE IF NOT EXISTS runs (id)")
        database.execute("INSERT INTO runs VALUES (1)")
        database.commit()
        database.execute("INSERT INTO runs VALUES (2)")  # not committed
        yield database
    place.unlink()


@pytest.fixture
def file(home, tmp_path):
    backup(home, tmp_path / "home.backup")
    return tmp_path / "home.backup"


def rows(path, query):
    with contextlib.closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_a_home_that_is_in_use_comes_back_as_it_was(home, busy, tmp_path):
    with Pool(home.pool, home.lake).session() as session:
        before = session.run("SELECT name, type FROM sys.objects ORDER BY name")[0].rows
    count = backup(home, tmp_path / "b")
    new = Home(tmp_path / "elsewhere" / "home")
    assert restore(tmp_path / "b", new) == count == 7
    assert rows(new.root / "mlflow.db", "SELECT number FROM versions") == [(7,)]
    assert rows(new.dagster / "history/runs.db", "SELECT id FROM runs") == [(1,)]
    assert (new.lake / "data/rentals.csv").read_text() == "a,b\n1,2\n"
    with Pool(new.pool, new.lake).session() as session:
        assert session.run("EXEC dbo.p")[0].rows == [("Ä",)]
        session.run("INSERT INTO s.t (name) VALUES ('b')")
        assert session.run("SELECT COUNT(DISTINCT id) FROM s.t")[0].rows == [(2,)]
        assert session.run("SELECT name, type FROM sys.objects ORDER BY name")[0].rows == before


def test_what_can_be_made_again_or_is_a_secret_of_this_machine_is_left_out(file):
    with tarfile.open(file) as tar:
        names = set(tar.getnames())
    assert "manifest.json" in names
    assert not names & {"server.pem", "run.lock", "logs/bikecast.log"}


def test_a_home_is_never_overwritten(file, home, tmp_path):
    with pytest.raises(InvalidInput, match="is not empty"):
        restore(file, home)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert restore(file, Home(empty))


@pytest.mark.parametrize("place", [0.02, 0.3, 0.6, 0.95])
def test_a_byte_that_changed_makes_no_home(file, tmp_path, place):
    content = bytearray(file.read_bytes())
    with tarfile.open(file) as tar:
        members = [m for m in tar.getmembers() if m.size]
    member = members[int(place * len(members))]
    content[member.offset_data + member.size // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match="Nothing was changed"):
        restore(file, Home(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["home.backup"]


@pytest.mark.parametrize("size", [0, 100, 5000, -20_000])
def test_a_backup_that_was_cut_off_makes_no_home(file, tmp_path, size):
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(InvalidInput, match="Nothing was changed"):
        restore(file, Home(tmp_path / "new"))


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", "link"])
def test_a_backup_writes_nothing_beside_the_home(tmp_path, name):
    manifest = {"version": 1, "files": {name: {"sha256": "0", "size": 0}}}
    with tarfile.open(tmp_path / "b", "w") as tar:
        (tmp_path / "m").write_text(json.dumps(manifest))
        tar.add(tmp_path / "m", "manifest.json")
        member = tarfile.TarInfo(name)
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(InvalidInput, match="is not what its manifest says"):
        restore(tmp_path / "b", Home(tmp_path / "new"))


def test_a_backup_of_a_later_format_says_which_version_it_needs(tmp_path):
    with tarfile.open(tmp_path / "b", "w") as tar:
        (tmp_path / "m").write_text('{"version": 2, "files": {}}')
        tar.add(tmp_path / "m", "manifest.json")
    with pytest.raises(InvalidInput, match="format 2; this bikecast reads 1"):
        restore(tmp_path / "b", Home(tmp_path / "new"))


def test_a_damaged_database_is_named_and_no_backup_is_left(tmp_path):
    home = Home(tmp_path / "home")
    home.root.mkdir()
    (home.root / "mlflow.db").write_bytes(b"SQLite format 3\x00" + b"x" * 5000)
    with pytest.raises(BikecastError, match=r"mlflow\.db cannot be read"):
        backup(home, tmp_path / "b")
    (home.root / "mlflow.db").unlink()
    home.pool.write_bytes(b"not a database" * 1000)
    with pytest.raises(BikecastError, match=r"pool\.duckdb cannot be copied"):
        backup(home, tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_nothing_is_not_backed_up(tmp_path):
    with pytest.raises(InvalidInput, match="no home"):
        backup(Home(tmp_path / "none"), tmp_path / "b")


def test_of_two_restores_at_once_the_later_one_changes_nothing(file, tmp_path, monkeypatch):
    """Guards the fault that it ended with a traceback."""
    unpack, place = backups._unpack, Home(tmp_path / "new")

    def slow(*arguments):
        contents = unpack(*arguments)
        monkeypatch.setattr(backups, "_unpack", unpack)
        restore(file, place)
        return contents

    monkeypatch.setattr(backups, "_unpack", slow)
    with pytest.raises(InvalidInput, match="is not empty"):
        restore(file, place)
    assert place.pool.exists()
    assert [path.name for path in tmp_path.glob(".bikecast-restore-*")] == []
