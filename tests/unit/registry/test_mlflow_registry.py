import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bikecast.core.errors import BikecastError, InvalidInput, ModelRejected
from bikecast.embedded.mlflow import mlflow_client, reading
from resources.registry import mlflow_registry
from resources.registry.mlflow_registry import MlflowRegistry

DATA = b"an ONNX file"
DIGEST = hashlib.sha256(DATA).hexdigest()

REGISTER = """
import sys
from pathlib import Path
from resources.registry.mlflow_registry import MlflowRegistry

uri, root, path, digest, job = sys.argv[1:]
registry = MlflowRegistry(tracking_uri=uri, artifact_root=root)
made = registry.register("m", Path(path), job_id=job, digest=digest, scores={}, tags={})
print(made.version)
"""


@pytest.fixture
def empty_registry(tmp_path):
    return MlflowRegistry(
        tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}", artifact_root=str(tmp_path / "models")
    )


@pytest.fixture
def registry(empty_registry, prepared_database, tmp_path):
    shutil.copyfile(prepared_database, tmp_path / "mlflow.db")
    return empty_registry


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(DATA)
    return path


def register(registry, model, name="m", job_id="job", digest=DIGEST, tags=None):
    return registry.register(
        name, model, job_id=job_id, digest=digest, scores={"r2": 0.5}, tags=tags or {}
    )


def test_reading_creates_nothing(empty_registry, tmp_path):
    assert empty_registry.versions("m") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_two_processes_that_register_one_job_at_once_make_one_version_without_a_word(
    empty_registry, model
):
    registry = empty_registry
    arguments = [
        registry.tracking_uri,
        registry.artifact_root,
        str(model),
        DIGEST,
        "job",
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", REGISTER, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]

    assert [process.communicate() for process in processes] == [("1\n", "")] * 2
    assert [entry.version for entry in registry.versions("m")] == [1]


def test_a_stored_file_that_was_changed_is_refused(registry, model, tmp_path):
    register(registry, model)
    (stored,) = (tmp_path / "models").rglob("*.onnx")
    stored.write_bytes(DATA + b"!")

    with pytest.raises(ModelRejected, match="no longer matches"):
        registry.download("m", 1)


def test_a_stored_file_that_is_gone_is_refused(registry, model, tmp_path):
    register(registry, model)
    (stored,) = (tmp_path / "models").rglob("*.onnx")
    stored.unlink()

    with pytest.raises(ModelRejected, match="missing"):
        registry.download("m", 1)


def test_registering_the_same_bytes_again_repairs_a_damaged_file(registry, model, tmp_path):
    register(registry, model)
    (stored,) = (tmp_path / "models").rglob("*.onnx")
    stored.write_bytes(b"")

    register(registry, model, job_id="job-2")

    assert registry.download("m", 1) == DATA


READ = """
import sys
from resources.registry.mlflow_registry import MlflowRegistry

[entry] = MlflowRegistry(tracking_uri=sys.argv[1], artifact_root=sys.argv[2]).versions("m")
print(entry.aliases, "mlflow" in sys.modules)
"""


def test_mlflow_is_asked_again_only_after_somebody_changed_its_database(
    registry, model, monkeypatch
):
    asked = []

    def recorded(uri):
        asked.append(uri)
        return reading(uri)

    monkeypatch.setattr(mlflow_registry, "reading", recorded)
    register(registry, model)
    registry.versions("m")
    asked.clear()
    assert registry.versions("m")[0].aliases == ()
    assert asked == []
    mlflow_client(registry.tracking_uri).set_registered_model_alias("m", "mine", "1")
    assert [registry.versions("m")[0].aliases for _ in range(2)] == [("mine",)] * 2
    assert len(asked) == 1


@pytest.mark.slow
def test_versions_are_read_without_mlflow_until_somebody_changes_its_database(registry, model):
    def read():
        command = [sys.executable, "-c", READ, registry.tracking_uri, registry.artifact_root]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    register(registry, model)
    registry.versions("m")
    assert read() == "() False"
    mlflow_client(registry.tracking_uri).set_registered_model_alias("m", "mine", "1")
    assert read() == "('mine',) True"
    assert read() == "('mine',) False"


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"state": "", "versions": []}'])
def test_without_a_readable_memo_the_versions_are_the_same(registry, model, tmp_path, content):
    made = register(registry, model)
    assert registry.versions("m") == [made]
    memo = tmp_path / "models" / "m" / "versions.json"
    memo.write_bytes(content) if content is not None else memo.unlink()
    assert registry.versions("m") == [made]


def test_scores_come_back_as_they_were(registry, model):
    scores = {"rows": 146, "r2": 0.5}
    registry.register("m", model, job_id="job", digest=DIGEST, scores=scores, tags={})
    first, second = registry.versions("m"), registry.versions("m")
    assert repr(first) == repr(second)
    assert repr(second[0].scores) == repr(scores)


def test_versions_are_read_in_a_folder_that_cannot_be_written(registry, model, tmp_path):
    made = register(registry, model)
    (tmp_path / "models" / "m" / "versions.json").mkdir()
    assert registry.versions("m") == [made]


def test_a_home_that_was_moved_still_has_its_models(model, tmp_path, prepared_database):
    home = tmp_path / "home"
    home.mkdir()
    shutil.copyfile(prepared_database, home / "mlflow.db")
    old = MlflowRegistry(
        tracking_uri=f"sqlite:///{home / 'mlflow.db'}", artifact_root=str(home / "models")
    )
    register(old, model)
    moved = home.rename(tmp_path / "moved")
    new = MlflowRegistry(
        tracking_uri=f"sqlite:///{moved / 'mlflow.db'}", artifact_root=str(moved / "models")
    )

    assert new.download("m", 1) == DATA


def test_a_deleted_home_is_a_full_reset_even_for_a_process_that_used_it(registry, model, tmp_path):
    register(registry, model)
    (tmp_path / "mlflow.db").unlink()

    assert registry.versions("m") == []
    assert register(registry, model, job_id="job-2").version == 1


def test_no_file_of_the_store_stays_open(registry, model, tmp_path):
    register(registry, model)

    open_files = [Path(file.path) for file in psutil.Process().open_files()]
    assert not [path for path in open_files if path.is_relative_to(tmp_path)]


@pytest.mark.parametrize("name", ["../m", "a/b", "", ".m", "it's", "a:b", "m" * 129])
def test_a_name_that_cannot_be_a_folder_is_refused(registry, model, name):
    with pytest.raises(InvalidInput, match="not a model name"):
        register(registry, model, name=name)


@pytest.mark.parametrize("digest", ["", "../x", DIGEST.upper()])
def test_a_digest_that_is_none_is_refused(registry, model, digest):
    with pytest.raises(ModelRejected, match="not a SHA-256 digest"):
        register(registry, model, digest=digest)


@pytest.mark.parametrize("tag", ["bikecast.job_id", "bikecast.alias.champion"])
def test_a_reserved_tag_is_refused(registry, model, tag):
    with pytest.raises(InvalidInput, match="reserved"):
        register(registry, model, tags={tag: "another"})


def test_a_model_file_that_is_not_there_is_named(registry, tmp_path):
    with pytest.raises(InvalidInput, match=r"nowhere\.onnx"):
        register(registry, tmp_path / "nowhere.onnx")


def test_an_alias_that_mlflow_reserves_is_refused(registry, model):
    register(registry, model)

    with pytest.raises(InvalidInput, match="v1"):
        registry.set_alias("m", "v1", 1)

    assert registry.versions("m")[0].aliases == ()


def test_a_database_that_is_none_is_named_and_left_alone(registry, model, tmp_path):
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"something else " * 100)

    with pytest.raises(BikecastError, match=r"mlflow\.db is damaged"):
        register(registry, model)

    assert database.read_bytes() == b"something else " * 100
