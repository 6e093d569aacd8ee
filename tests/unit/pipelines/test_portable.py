"""A version goes from one installation to another and is a candidate there."""

import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import dagster as dg
import pytest

from assets.events import latest_metadata
from assets.live_model.live_model import ALIAS
from bikecast.core.errors import BikecastError, InvalidInput
from pipelines.portable import export_version, exported, import_version, read_version
from resources.registry.mlflow_registry import MlflowRegistry
from tests.second_spec import COFFEE_SALES as SPEC
from tests.unit.sql_pool.onnx_models import weighted_sum


class NoJobs:
    """An AutoML whose jobs' folders are gone."""

    def result(self, job_id):
        raise BikecastError("gone")


def installation(folder, database):
    folder.mkdir()
    shutil.copyfile(database, folder / "mlflow.db")
    uri, root = f"sqlite:///{folder / 'mlflow.db'}", str(folder / "models")
    return SimpleNamespace(
        registry=MlflowRegistry(tracking_uri=uri, artifact_root=root), automl=NoJobs()
    )


@pytest.fixture(scope="module")
def here(tmp_path_factory, prepared_database):
    """An installation with one live version."""
    folder = tmp_path_factory.mktemp("portable")
    resources = installation(folder / "here", prepared_database)
    model = weighted_sum({"price": "float"}, 2.0, output=SPEC.output)
    (folder / "m.onnx").write_bytes(model)
    resources.registry.register(
        SPEC.model_name,
        folder / "m.onnx",
        job_id="job-1",
        digest=hashlib.sha256(model).hexdigest(),
        scores={"holdout_rmse": 2.5},
        tags={"data_version": "d1"},
    )
    resources.registry.set_alias(SPEC.model_name, ALIAS, 1)
    return resources


@pytest.fixture
def file(here, tmp_path):
    path = tmp_path / "coffee-1.zip"
    export_version(here, SPEC, exported(here, SPEC, None), path)
    return path


def test_a_version_arrives_whole_once_and_the_event_log_tells_of_it(
    file, tmp_path, prepared_database
):
    there = installation(tmp_path / "there", prepared_database)
    with dg.DagsterInstance.ephemeral() as instance:
        assert import_version(instance, there, SPEC, file) == (1, True)
        assert import_version(instance, there, SPEC, file) == (1, False)
        assert latest_metadata(instance, SPEC.model_table, "version") == 1
    [entry] = there.registry.versions(SPEC.model_name)
    assert entry.aliases == ()
    assert entry.scores == {"holdout_rmse": 2.5}
    assert entry.tags["data_version"] == "d1"
    assert entry.tags["imported_from"] == "coffee-sales-model version 1"
    assert there.registry.download(SPEC.model_name, 1) == read_version(file).model


def test_a_version_that_is_not_there_is_named(here):
    with pytest.raises(InvalidInput, match="does not have version 7; it has 1"):
        exported(here, SPEC, 7)


def rewritten(path, change):
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    change(content)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def newer(content):
    content["version.json"] = json.dumps(json.loads(content["version.json"]) | {"format": 2})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.update({"model.onnx": b"other"}), "do not have its digest"),
        (lambda content: content.pop("version.json"), "version.json"),
        (lambda content: content.update({"version.json": b"["}), "no exported version"),
        (newer, "format 2, not 1"),
    ],
)
def test_a_file_that_was_changed_is_refused(file, change, said):
    rewritten(file, change)
    with pytest.raises(InvalidInput, match=said):
        read_version(file)


def test_a_model_that_asks_for_other_columns_is_refused(file, here):
    other = replace(SPEC, features=SPEC.features[2:], segments=())
    with pytest.raises(InvalidInput, match="asks for price"):
        import_version(None, here, other, file)
