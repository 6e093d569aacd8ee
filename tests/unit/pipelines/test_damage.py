"""Each kind of damage to a home: told by the file's name, mended by `bikecast repair`, and nothing
else is changed.

One home is made and copied for each. tests/e2e/test_repair.py damages one that a run has made.
"""

import contextlib
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bikecast.core.errors import Damaged, ModelRejected
from bikecast.core.spec_json import spec_to_json
from bikecast.core.sql_types import arrow_schema
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.doctor.damage import damage, diagnose, findings
from pipelines.environments import registry_for, sql_pool_for
from pipelines.home import Home
from pipelines.repair import FOLDER, repair
from resources.automl.embedded import LocalAutoML
from resources.lake.local import LocalLake
from resources.lake.tables import open_table
from resources.spark.content import Content
from resources.spark.delta_table import commit_folder
from resources.sql_pool.model_table import Change, audit_trail, live_model, publish_model

MODELS = {1: b"the first model" * 99, 2: b"the second model" * 99}
DIGESTS = {number: hashlib.sha256(model).hexdigest() for number, model in MODELS.items()}
MODEL = f"models/{SPEC.model_name}/{DIGESTS[2]}/model.onnx"
JOB, RESULT = "jobs/job-2", "jobs/job-2/result"
TABLE = f"lake/{SPEC.training_table_path}"
RUN = "dagster/history/runs/4a60813d.db"


def make_job(home, number, model, kept=True):
    """The folder of an ended training, and MLflow's copy of its files."""
    folder = home.jobs / f"job-{number}"
    (folder / "result").mkdir(parents=True)
    request = {
        "job_id": folder.name,
        "spec": spec_to_json(SPEC),
        "tags": {"data_version": "data", "code_version": "code", "source": "a.csv"},
        "submitted_at": float(number),
    }
    (folder / "request.json").write_text(json.dumps(request))
    (folder / "process.json").write_text('{"pid": 1, "created": 1.0, "started": 1.0}')
    scores = {"holdout": {"spearman": 0.8 + number / 100}}
    facts = {"digest": hashlib.sha256(model).hexdigest(), "plots": {}, "warnings": []}
    for name, content in (
        ("result", facts),
        ("scores", scores),
        ("leaderboard", []),
        ("diagnostics", {}),
    ):
        (folder / f"result/{name}.json").write_text(json.dumps(content))
    (folder / "result/model.onnx").write_bytes(model)
    if kept:
        copies = home.root / f"mlflow-artifacts/{number}/artifacts"
        shutil.copytree(folder / "result", copies)


def make_table(home):
    """The training table with two versions."""
    columns, place = SPEC.training_columns, home.root / TABLE
    for version in (1, 2):
        rows = pa.table(
            {field.name: pa.nulls(9, field.type) for field in arrow_schema(columns)},
            schema=arrow_schema(columns),
        )
        (place / f"prepared-{version}").mkdir(parents=True)
        pq.write_table(rows, place / f"prepared-{version}/part.parquet")
        commit_folder(
            LocalLake(root=str(home.lake)),
            SPEC.training_table_path,
            place,
            f"prepared-{version}",
            columns,
            Content(9, (version, version)),
            lambda _: Content(0, (0, 0)),
        )


@pytest.fixture(scope="module")
def sound(tmp_path_factory, prepared_database, prepared_pool):
    """A home with a file of each kind: two versions of a model, the second one live."""
    home = Home(tmp_path_factory.mktemp("sound") / "home")
    home.lake.mkdir(parents=True)
    shutil.copyfile(prepared_database, home.root / "mlflow.db")
    shutil.copyfile(prepared_pool, home.pool)
    for number, model in MODELS.items():
        make_job(home, number, model)
        entry = registry_for(home).register(
            SPEC.model_name,
            home.jobs / f"job-{number}/result/model.onnx",
            job_id=f"job-{number}",
            digest=DIGESTS[number],
            scores={"holdout_spearman": 0.8 + number / 100},
            tags={"data_version": "data"},
        )
        publish_model(
            sql_pool_for(home),
            SPEC,
            version=entry.version,
            digest=entry.digest,
            job_id=entry.job_id,
            model=model,
            change=Change("promote", "a test", "it is new"),
        )
    registry_for(home).set_alias(SPEC.model_name, "champion", 2)
    registry_for(home).versions(SPEC.model_name)
    failed = home.jobs / "job-3"
    failed.mkdir()
    (failed / "request.json").write_text((home.jobs / "job-2/request.json").read_text())
    (failed / "end.json").write_text('{"state": "Failed", "error": "no", "kind": ""}')
    for name in ("history/runs.db", "history/runs/index.db", "schedules/schedules.db"):
        make_database(home.dagster / name)
    make_database(home.root / RUN)
    make_table(home)
    (home.lake / "data").mkdir()
    (home.lake / "data/rentals.csv").write_text("a\n1\n")
    (home.lake / "data/rentals.manifest.json").write_text('{"version": 1, "digest": "0"}')
    return home


def make_database(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE t (id, text)")
        database.executemany("INSERT INTO t VALUES (?, ?)", [(i, "x" * 99) for i in range(999)])
        database.commit()


@pytest.fixture
def home(sound, tmp_path, monkeypatch, prepared_database):
    """A copy of it; a new registry's schema is copied too, which takes seconds to make."""

    def prepared(uri):
        place = uri.removeprefix("sqlite:///")
        if not Home(tmp_path).root.joinpath(place).exists():
            shutil.copyfile(prepared_database, place)

    monkeypatch.setattr("bikecast.embedded.mlflow.store.prepare_store", prepared)
    shutil.copytree(sound.root, tmp_path / "home")
    return Home(tmp_path / "home")


def contents(home):
    """The files that are somebody's: no locks, and nothing that remembers a reading."""
    return {
        path.relative_to(home.root).as_posix(): path.read_bytes()
        for path in home.root.rglob("*")
        if path.is_file() and path.suffix != ".lock" and path.name != "versions.json"
    }


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def tail(path):
    """Without its last byte, as a copy that was broken off."""
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("<html>404</html>")


def gone(path):
    path.unlink()


def head(path):
    """Another first kilobyte."""
    content = path.read_bytes()
    path.write_bytes(b"\xff" * 1024 + content[1024:])


#: A file and what befalls it.
KINDS = [
    *(("mlflow.db", harm) for harm in (cut, zeros, empty, text, gone, head)),
    *(("pool.duckdb", harm) for harm in (cut, zeros, empty, text, gone, head)),
    *(("dagster/history/runs.db", harm) for harm in (cut, zeros, empty)),
    *(("dagster/history/runs/index.db", harm) for harm in (cut, zeros, text)),
    *((RUN, harm) for harm in (cut, empty)),
    *(("dagster/schedules/schedules.db", harm) for harm in (cut, head)),
    *((MODEL, harm) for harm in (cut, tail, flip, zeros, gone)),
    *((f"{RESULT}/model.onnx", harm) for harm in (tail, flip, gone)),
    *((f"{RESULT}/result.json", harm) for harm in (cut, gone)),
    *((f"{RESULT}/scores.json", harm) for harm in (zeros, gone)),
    (f"{RESULT}/leaderboard.json", empty),
    (f"{RESULT}/diagnostics.json", text),
    *((f"{JOB}/request.json", harm) for harm in (cut, gone)),
    (f"{JOB}/process.json", empty),
    ("jobs/job-3/end.json", zeros),
    *(("lake/data/rentals.manifest.json", harm) for harm in (cut, zeros)),
    *((f"{TABLE}/prepared-2/part.parquet", harm) for harm in (cut, flip, zeros, gone)),
    *((f"{TABLE}/_delta_log/{1:020}.json", harm) for harm in (cut, flip, zeros, empty, text)),
]
#: What else is moved away with a file.
WITH_IT = {
    f"{TABLE}/prepared-2/part.parquet": (f"{TABLE}/_delta_log/",),
    f"{JOB}/request.json": (f"{JOB}/",),
    "jobs/job-3/end.json": ("jobs/job-3/",),
}
#: Told of by the folder that they are in.
TOLD_AS = {f"{TABLE}/_delta_log/{1:020}.json": f"{TABLE}/_delta_log"}


def test_there_are_forty_kinds():
    assert len({(name, harm.__name__) for name, harm in KINDS}) == len(KINDS) >= 40


@pytest.mark.parametrize(
    ("name", "harm"), KINDS, ids=lambda value: getattr(value, "__name__", value)
)
def test_damage_is_told_and_mended_and_nothing_else_is_changed(home, name, harm):
    sound = contents(home)
    harm(home.root / name)
    damaged = contents(home)

    told = {finding.path.relative_to(home.root).as_posix() for finding in damage(home)}
    assert told == {TOLD_AS.get(name, name)}
    assert contents(home) == damaged

    repairs = list(repair(home, [SPEC]))

    assert len(repairs) == 1
    assert damage(home) == []
    after = contents(home)
    kept = {
        path.split("/", 2)[2]: content
        for path, content in after.items()
        if path.startswith(f"{FOLDER}/")
    }
    assert kept.get(name) == damaged.get(name)
    for path, content in sound.items():
        is_with_it = path == name or path.startswith(WITH_IT.get(name, ("-",)))
        assert after.get(path) == content or (is_with_it and path not in after) or path == name
        assert is_with_it or path not in kept


@pytest.mark.parametrize("name", ["mlflow.db", "pool.duckdb", MODEL])
def test_versions_numbers_the_live_one_and_bytes_are_as_before(home, name):
    before = registry_for(home).versions(SPEC.model_name)
    zeros(home.root / name)

    list(repair(home, [SPEC]))

    after = registry_for(home).versions(SPEC.model_name)
    facts = ("version", "job_id", "digest", "scores", "tags", "aliases")
    assert [[getattr(e, f) for f in facts] for e in after] == [
        [getattr(e, f) for f in facts] for e in before
    ]
    assert registry_for(home).download(SPEC.model_name, 2) == MODELS[2]
    live = live_model(sql_pool_for(home), SPEC)
    assert (live.version, live.digest) == (2, DIGESTS[2])


def test_a_registry_without_its_last_reading_is_made_from_pool_and_trainings(home):
    memo = home.models / SPEC.model_name / "versions.json"
    make_job(home, 4, b"never registered")
    memo.unlink()
    empty(home.root / "mlflow.db")

    list(repair(home, [SPEC]))

    after = registry_for(home).versions(SPEC.model_name)
    assert [(e.version, e.job_id, e.aliases) for e in after] == [
        (3, "job-4", ()),
        (2, "job-2", ("champion",)),
        (1, "job-1", ()),
    ]
    assert after[1].scores == pytest.approx({"holdout_spearman": 0.82})
    assert after[1].tags["trained_on"] == "a.csv"


def test_a_pool_that_is_made_again_says_what_its_model_was_trained_on(home):
    """Predictions after a repair had no data version."""
    cut(home.pool)

    list(repair(home, [SPEC]))

    [entry] = audit_trail(sql_pool_for(home), SPEC)
    assert (entry.actor, entry.data_version) == ("bikecast repair", "data")


def test_registry_and_pool_are_both_made_again_where_both_are_damaged(home):
    zeros(home.root / "mlflow.db")
    cut(home.pool)

    list(repair(home, [SPEC]))

    assert damage(home) == []
    assert live_model(sql_pool_for(home), SPEC).version == 2


def test_a_model_comes_back_from_the_pool_where_that_has_the_only_copy(home):
    shutil.rmtree(home.root / JOB)
    shutil.rmtree(home.root / "mlflow-artifacts/2")
    flip(home.root / MODEL)

    list(repair(home, [SPEC]))

    assert (home.root / MODEL).read_bytes() == MODELS[2]


def test_a_version_whose_model_is_lost_is_taken_out_of_the_registry(home):
    for folder in (JOB, "mlflow-artifacts/2"):
        shutil.rmtree(home.root / folder)
    (home.root / MODEL).unlink()
    empty(home.pool)

    lost = {each.finding.path.name: each.lost for each in repair(home, [SPEC])}

    assert lost["model.onnx"] == "version 2"
    assert [e.version for e in registry_for(home).versions(SPEC.model_name)] == [1]
    assert damage(home) == []


def test_a_result_without_a_copy_is_moved_away_so_that_it_is_trained_again(home):
    shutil.rmtree(home.root / "mlflow-artifacts")
    cut(home.root / RESULT / "scores.json")

    list(repair(home, [SPEC]))

    automl = LocalAutoML(jobs_dir=str(home.jobs), lake_root=str(home.lake))
    assert automl.status("job-2").state == "NotFound"
    assert automl.result("job-1").digest == DIGESTS[1]


def test_a_table_without_a_whole_version_is_moved_away(home):
    for path in (home.root / TABLE).glob("prepared-*/*"):
        zeros(path)

    list(repair(home, [SPEC]))

    assert not (home.root / TABLE).exists()
    assert damage(home) == []


def test_a_pool_whose_log_alone_is_damaged_keeps_what_was_written_to_it(home):
    wal = home.pool.with_name("pool.duckdb.wal")
    die_with_a_log = (
        "import duckdb, os, sys; pool = duckdb.connect(sys.argv[1], "
        "config={'default_collation': 'nocase'}); pool.execute('CREATE TABLE own (a int)'); "
        "pool.execute('INSERT INTO own SELECT * FROM range(999)'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", die_with_a_log, str(home.pool)], check=True)
    flip(wal)

    [mended] = repair(home, [SPEC])

    assert mended.lost == "what was committed last"
    assert [e.is_file() for e in home.root.glob(f"{FOLDER}/*/pool.duckdb.wal")] == [True]
    with sql_pool_for(home).session() as session:
        assert len(session.run(f"SELECT 1 AS one FROM dbo.{SPEC.model_table}")[0].rows) == 2


def test_a_sound_home_is_whole_and_left_alone(home):
    before = contents(home)
    [diagnosis] = diagnose(home)
    assert diagnosis.state == "ok"
    assert diagnosis.detail == f"{len(list(findings(home)))} files were looked at and are whole"
    assert list(repair(home, [SPEC])) == []
    assert contents(home) == before


def test_the_doctor_names_damaged_files_and_the_command(home):
    cut(home.root / "mlflow.db")
    [diagnosis] = diagnose(home)
    assert diagnosis.state == "failed"
    assert "mlflow.db: " in diagnosis.detail
    assert "bikecast repair" in diagnosis.remedy


def test_there_may_be_no_home_yet(tmp_path):
    assert diagnose(Home(tmp_path / "none"))[0].state == "skipped"


def test_a_running_training_is_not_looked_at(home):
    import fcntl

    cut(home.root / JOB / "request.json")
    with (home.root / JOB / "driver.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert damage(home) == []
    assert len(damage(home)) == 1


def test_a_damaged_result_is_told_in_two_lines_where_it_is_used(home):
    """`bikecast run` was named, which found the same again."""
    cut(home.root / RESULT / "result.json")
    automl = LocalAutoML(jobs_dir=str(home.jobs), lake_root=str(home.lake))
    with pytest.raises(Damaged, match=r"jobs/job-2/result is damaged.*\n.*bikecast repair"):
        automl.result("job-2")


def test_a_damaged_record_of_a_training_is_told_in_two_lines_where_it_is_used(home):
    zeros(home.root / "jobs/job-3/end.json")
    automl = LocalAutoML(jobs_dir=str(home.jobs), lake_root=str(home.lake))
    with pytest.raises(Damaged, match=r"jobs/job-3 is damaged.*\n.*bikecast repair"):
        automl.status("job-3")


def test_a_damaged_registry_is_told_in_two_lines_where_it_is_used(home):
    for harm in (text, empty):
        harm(home.root / "mlflow.db")
        with pytest.raises(Damaged, match=r"mlflow.db is damaged.*\n.*bikecast repair"):
            registry_for(home).versions(SPEC.model_name)


def test_a_damaged_model_is_told_where_it_is_used(home):
    flip(home.root / MODEL)
    with pytest.raises(ModelRejected, match="bikecast repair"):
        registry_for(home).download(SPEC.model_name, 2)


def test_a_damaged_table_log_is_told_in_two_lines_where_it_is_used(home):
    zeros(home.root / f"{TABLE}/_delta_log/{1:020}.json")
    with pytest.raises(Damaged, match=r"_delta_log is damaged.*\n.*bikecast repair"):
        open_table(LocalLake(root=str(home.lake)), SPEC.training_table_path)


def test_the_next_preparation_replaces_damaged_files_of_a_table(home):
    """The content was the same, so that the damaged files stayed."""
    place, columns = home.root / TABLE, SPEC.training_columns
    shutil.copytree(place / "prepared-2", place / "prepared-3")
    flip(place / "prepared-2/part.parquet")
    arguments = (SPEC.training_table_path, place, "prepared-3", columns, Content(9, (2, 2)))
    lake = LocalLake(root=str(home.lake))

    commit = commit_folder(lake, *arguments, lambda _: Content(0, (0, 0)))

    assert (commit.changed, commit.delta_version) == (True, 2)
    assert damage(home) == []


@pytest.fixture
def command(home, monkeypatch, capsys):
    """Call `bikecast` in this process on that home."""
    from pipelines.cli.app import main

    monkeypatch.setenv("BIKECAST_HOME", str(home.root))
    monkeypatch.setenv("DAGSTER_HOME", "")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bikecast", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return call


def test_a_failed_command_names_the_damaged_file_and_what_mends_it(home, command):
    cut(home.pool)
    code, _, err = command("sql", "SELECT COUNT(*) AS n FROM dbo.rental_prediction_model")
    assert code == 1
    *_, told, remedy = err.strip().splitlines()
    assert told == f"Damaged: {home.pool}: DuckDB cannot read all of it"
    assert remedy.startswith("`bikecast repair` mends it")
    code, out, _ = command("repair")
    assert (code, out.splitlines()[0]) == (0, "pool.duckdb: DuckDB cannot read all of it")
    assert command("sql", "SELECT COUNT(*) AS n FROM dbo.rental_prediction_model")[0] == 0


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(home, command):
    cut(home.root / "mlflow.db")
    command("repair", "--dry-run")  # the home's dagster.yaml is placed
    before = contents(home)
    code, out, _ = command("repair", "--dry-run")
    assert code == 0
    assert out.splitlines()[1].strip().startswith("made again")
    assert "1 damaged; nothing was changed." in out
    assert {k: v for k, v in contents(home).items() if "dagster/" not in k} == {
        k: v for k, v in before.items() if "dagster/" not in k
    }


def test_nothing_is_repaired_while_dagster_works_in_the_home(home, command, monkeypatch):
    cut(home.root / "mlflow.db")
    monkeypatch.setattr("pipelines.in_process.dead_runs.dagster_runs_here", lambda: True)
    code, _, err = command("repair")
    assert code == 1
    assert "stop `bikecast ui`" in err
    assert len(damage(home)) == 1
