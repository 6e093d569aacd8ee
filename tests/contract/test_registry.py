"""What every registry keeps to; one parameter an adapter."""

import hashlib
import shutil
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from bikecast.core.errors import InvalidInput, ModelRejected
from resources.registry.mlflow_registry import MlflowRegistry

NAME = "rental-prediction-model"


def mlflow_registry(folder, prepared_database):
    folder.mkdir()
    shutil.copyfile(prepared_database, folder / "mlflow.db")
    return MlflowRegistry(
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", artifact_root=str(folder / "models")
    )


@pytest.fixture(params=["mlflow", "azure_ml"])
def registry(request, tmp_path):
    if request.param == "mlflow":
        return mlflow_registry(tmp_path / "home", request.getfixturevalue("prepared_database"))
    pytest.importorskip("azure.ai.ml")
    request.getfixturevalue("cloud")
    from tests.azure.workspace import registry as azure_registry

    return azure_registry()


@pytest.fixture
def register(registry, tmp_path):
    def call(job_id, data=b"model", **changes):
        path = tmp_path / f"{hashlib.sha256(data).hexdigest()}.onnx"
        if not path.exists():
            path.write_bytes(data)
        arguments = {
            "job_id": job_id,
            "digest": hashlib.sha256(data).hexdigest(),
            "scores": {"holdout_spearman": 0.91},
            "tags": {"root_run_id": "run"},
        }
        return registry.register(NAME, path, **(arguments | changes))

    return call


def test_an_unknown_model_has_no_versions(registry):
    assert registry.versions(NAME) == []


def test_a_registered_model_is_version_one_with_all_that_was_said_of_it(registry, register):
    before = datetime.now(UTC) - timedelta(seconds=1)

    made = register("job-1", b"some model")

    assert (made.name, made.version, made.job_id) == (NAME, 1, "job-1")
    assert made.digest == hashlib.sha256(b"some model").hexdigest()
    assert made.scores == {"holdout_spearman": 0.91}
    assert made.tags == {"root_run_id": "run"}
    assert before <= made.created_at <= datetime.now(UTC)
    assert made.link
    assert registry.versions(NAME) == [made]


@pytest.mark.calls
def test_the_bytes_come_back(registry, register):
    register("job-1", b"\x00some\xffmodel")

    assert registry.download(NAME, 1) == b"\x00some\xffmodel"


def test_versions_count_up_and_the_newest_comes_first(registry, register):
    for number in range(1, 12):
        register(f"job-{number}")

    assert [entry.version for entry in registry.versions(NAME)] == list(range(11, 0, -1))


def test_registering_a_job_again_returns_its_version(registry, register):
    first = register("job-1")
    register("job-2")

    assert register("job-1").version == first.version
    assert len(registry.versions(NAME)) == 2


def test_threads_that_register_one_job_make_one_version(registry, register):
    register("job-0", b"model")
    threads = [Thread(target=register, args=("job-1",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [entry.job_id for entry in registry.versions(NAME)] == ["job-1", "job-0"]


def test_equal_models_of_two_jobs_are_two_versions(registry, register):
    register("job-1", b"same")
    register("job-2", b"same")

    assert registry.download(NAME, 1) == registry.download(NAME, 2) == b"same"


def test_a_file_that_does_not_match_its_digest_is_refused(registry, register):
    with pytest.raises(ModelRejected, match="digest"):
        register("job-1", digest="0" * 64)

    assert registry.versions(NAME) == []


def test_an_alias_names_one_version_and_moves(registry, register):
    register("job-1")
    register("job-2")

    registry.set_alias(NAME, "champion", 1)
    registry.set_alias(NAME, "challenger", 2)
    assert [entry.aliases for entry in registry.versions(NAME)] == [("challenger",), ("champion",)]

    registry.set_alias(NAME, "champion", 2)
    newest, oldest = registry.versions(NAME)
    assert newest.aliases == ("challenger", "champion")
    assert oldest.aliases == ()


def test_a_version_that_does_not_exist_is_named(registry, register):
    register("job-1")

    with pytest.raises(InvalidInput, match="no version 7"):
        registry.download(NAME, 7)
    with pytest.raises(InvalidInput, match="no version 7"):
        registry.set_alias(NAME, "champion", 7)


def test_models_are_apart_by_name(registry, register, tmp_path):
    register("job-1")
    path = tmp_path / "other.onnx"
    path.write_bytes(b"other")
    digest = hashlib.sha256(b"other").hexdigest()

    other = registry.register("other", path, job_id="job-1", digest=digest, scores={}, tags={})

    assert other.version == 1
    assert registry.download("other", 1) == b"other"
    assert registry.download(NAME, 1) == b"model"
