"""A run that has nothing to do is recognised; whatever has changed, one has to look."""

import json
import os
import shutil
import time
from types import SimpleNamespace

import dagster as dg
import pytest

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.environments import local_resources
from pipelines.home import open_home
from pipelines.in_process import unchanged_run as module
from pipelines.in_process.unchanged_run import input_of, is_noted, note_run, unchanged_run
from pipelines.model_files import load_models
from pipelines.settings import load_settings

MODELS = load_models()
OUTCOME = SimpleNamespace(
    candidate=SimpleNamespace(version=1, job_id="job-1"),
    prediction_rows=10,
    warnings=["hum"],
    run_ids=["a-run"],
)


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "rentals.csv"
    path.write_text("season\n1\n")
    return path


def inputs(**flags):
    settings = load_settings(**flags)
    return input_of(settings, SPEC, local_resources(settings, MODELS))


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    """Dagster's storage without a run."""
    folder = tmp_path_factory.mktemp("dagster")
    with dg.DagsterInstance.local_temp(str(folder)):
        return folder


@pytest.fixture
def home(tmp_path, monkeypatch, storage):
    """A home with Dagster's storage, a pool and a lake, whose last run is noted."""
    monkeypatch.setenv("BIKECAST_HOME", str(tmp_path / "home"))
    home = open_home(load_settings())
    (home.pool).write_bytes(b"pool")
    (home.lake / "file.csv").write_bytes(b"a")
    shutil.copytree(storage, home.dagster, dirs_exist_ok=True)
    note_run(home, SPEC, "inputs", OUTCOME)
    return home


@pytest.fixture
def answered(monkeypatch):
    """Counts how often the answer was read from the stores; the model stays live."""
    answers = []
    monkeypatch.setattr(
        "assets.live_model.live_model.LiveModel",
        lambda *_: SimpleNamespace(
            current=lambda: SimpleNamespace(version=1),
            decide=lambda *_, **__: SimpleNamespace(action=None, reason="live already"),
        ),
    )
    monkeypatch.setattr(module, "outcome_of", lambda *args, **_: answers.append(args[2]))
    monkeypatch.setattr(module, "replace", lambda *_, **__: "the outcome")
    return answers


def recognised(home, of="inputs"):
    return unchanged_run(home, SPEC, of, local_resources(load_settings(), MODELS))


def test_a_run_of_the_same_inputs_on_the_same_home_has_nothing_to_do(home, answered):
    assert recognised(home) == "the outcome"
    (record,) = answered
    assert record.warnings == ["hum"]
    assert record.run_ids == ["a-run"]
    assert record.metadata[f"{SPEC.model_table}_table"]["reason"] == "live already"


def changed_pool(home):
    home.pool.write_bytes(b"loop")


def changed_file_of_the_same_size_and_time(home):
    file = home.lake / "file.csv"
    before = file.stat()
    file.write_bytes(b"b")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def new_file(home):
    (home.jobs / "job").mkdir()
    (home.jobs / "job" / "result.json").write_bytes(b"")


def lost_file(home):
    (home.lake / "file.csv").unlink()


def new_event(home):
    with dg.DagsterInstance.local_temp(str(home.dagster)) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("bike_data"))


def run_under_way(home):
    with dg.DagsterInstance.local_temp(str(home.dagster)) as instance:
        instance.add_run(dg.DagsterRun("job", "r", status=dg.DagsterRunStatus.STARTED))


def other_storage(home):
    (home.dagster / "dagster.yaml").write_text("storage: {postgres: {}}")


def damaged_log(home):
    index = home.dagster / "history" / "runs" / "index.db"
    index.write_bytes(index.read_bytes()[:100] + b"x" * 20_000)


def damaged_note(home):
    (home.root / f"last_run-{SPEC.name}.json").write_text("{")


def old_note(home):
    path = home.root / f"last_run-{SPEC.name}.json"
    note = json.loads(path.read_text())
    path.write_text(json.dumps(note | {"until": time.time() - 1}))


@pytest.mark.parametrize(
    "change",
    [
        changed_pool,
        changed_file_of_the_same_size_and_time,
        new_file,
        lost_file,
        new_event,
        run_under_way,
        other_storage,
        damaged_log,
        damaged_note,
        old_note,
    ],
)
def test_after_any_change_one_has_to_look(home, answered, change):
    change(home)

    assert recognised(home) is None
    assert not answered


@pytest.mark.parametrize("of", ["other inputs", None])
def test_other_inputs_have_to_be_looked_at(home, answered, of):
    assert not is_noted(home, SPEC, of)
    assert recognised(home, of) is None


def test_a_model_that_is_no_longer_settled_has_to_be_looked_at(home, answered, monkeypatch):
    monkeypatch.setattr(
        "assets.live_model.live_model.LiveModel",
        lambda *_: SimpleNamespace(
            current=lambda: SimpleNamespace(version=1),
            decide=lambda *_, **__: SimpleNamespace(action="promote", reason="better"),
        ),
    )

    assert recognised(home) is None


def test_a_run_on_a_damaged_log_leaves_no_note(home):
    (home.root / f"last_run-{SPEC.name}.json").unlink()
    damaged_log(home)

    note_run(home, SPEC, "inputs", OUTCOME)

    assert not is_noted(home, SPEC, "inputs")


def test_a_note_holds_no_longer_than_assets_count_as_fresh(home):
    note = json.loads((home.root / f"last_run-{SPEC.name}.json").read_text())

    assert note["until"] - time.time() <= module.MOST_SECONDS


def test_inputs_are_the_content_of_the_files_and_the_settings(csv):
    first = inputs(csv=str(csv))
    assert first == inputs(csv=str(csv))
    assert first != inputs(csv=str(csv), budget=5)
    assert first != inputs()
    csv.write_text("season\n2\n")
    assert first != inputs(csv=str(csv))


def test_inputs_are_all_files_of_a_folder(csv):
    first = inputs(csv=str(csv.parent))
    (csv.parent / "more.csv").write_text("season\n1\n")

    assert None is not first != inputs(csv=str(csv.parent))


@pytest.mark.parametrize(
    "source", ["-", "https://example.org/a.csv", "file:///a.csv", "/no/such/file.csv"]
)
def test_what_cannot_be_read_before_the_run_has_to_be_looked_at(source):
    assert inputs(csv=source) is None
