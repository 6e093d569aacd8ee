"""Damage to a home is found by `bikecast doctor`, by the file's name, and nothing is changed."""

import contextlib
import hashlib
import shutil
import sqlite3

import deltalake
import pyarrow as pa
import pytest

from bikecast.embedded.sql_pool import Pool
from pipelines.doctor.damage import damage
from pipelines.home import Home

MODEL = b"a model" * 100


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A home with a file of each kind."""
    home = Home(tmp_path_factory.mktemp("sound") / "home")
    for folder in (home.jobs / "j", home.lake / "data", home.dagster / "history"):
        folder.mkdir(parents=True)
    for place in (home.root / "mlflow.db", home.dagster / "history/runs.db"):
        with contextlib.closing(sqlite3.connect(place)) as database:
            database.execute("CREATE TABLE t (id, text)")
            database.executemany("INSERT INTO t VALUES (?, ?)", [(i, "x" * 99) for i in range(999)])
            database.commit()
    (home.jobs / "j/result.json").write_text('{"state": "Completed"}')
    (home.lake / "data/rentals.manifest.json").write_text("{}")
    model = home.models / "m" / hashlib.sha256(MODEL).hexdigest() / "model.onnx"
    model.parent.mkdir(parents=True)
    model.write_bytes(MODEL)
    deltalake.write_deltalake(str(home.lake / "t"), pa.table({"a": list(range(1000))}))
    with Pool(home.pool, home.lake).session() as session:
        session.run("CREATE TABLE dbo.t (id int)")
    return home


@pytest.fixture
def home(sound, tmp_path):
    shutil.copytree(sound.root, tmp_path / "home")
    return Home(tmp_path / "home")


def contents(home):
    return {path: path.read_bytes() for path in home.root.rglob("*") if path.is_file()}


def test_a_sound_home_is_whole(home):
    [diagnosis] = damage(home)
    assert diagnosis.state == "ok"
    assert diagnosis.detail.startswith("7 files")


def test_there_may_be_no_home_yet(tmp_path):
    assert damage(Home(tmp_path / "none"))[0].state == "skipped"


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(
    ("pattern", "harm"),
    [
        ("mlflow.db", cut),
        ("mlflow.db", zeros),
        ("dagster/history/runs.db", cut),
        ("dagster/history/runs.db", zeros),
        ("pool.duckdb", cut),
        ("pool.duckdb", zeros),
        ("jobs/j/result.json", cut),
        ("jobs/j/result.json", zeros),
        ("lake/data/*.manifest.json", cut),
        ("models/m/*/model.onnx", cut),
        ("models/m/*/model.onnx", flip),
        ("lake/t/*.parquet", cut),
        ("lake/t/*.parquet", zeros),
        ("lake/t/*.parquet", lambda path: path.unlink()),
        ("lake/t/_delta_log/*.json", cut),
        ("lake/t/_delta_log/*.json", zeros),
    ],
)
def test_damage_is_told_by_file_with_what_to_do(home, pattern, harm):
    [path] = home.root.glob(pattern)
    harm(path)
    before = contents(home)
    [diagnosis] = damage(home)
    assert diagnosis.state == "failed"
    shown = path.parent if "_delta_log" in pattern else path
    assert f"{shown.relative_to(home.root)}: " in diagnosis.detail
    assert "bikecast restore" in diagnosis.remedy
    assert contents(home) == before
