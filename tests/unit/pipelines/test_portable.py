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


def facts(**changes):
    def change(content):
        content["version.json"] = json.dumps(json.loads(content["version.json"]) | changes)

    return change


def without(key):
    def change(content):
        kept = json.loads(content["version.json"])
        del kept[key]
        content["version.json"] = json.dumps(kept)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.update({"model.onnx": b"other"}), "do not have its digest"),
        (lambda content: content.pop("version.json"), "version.json"),
        (lambda content: content.update({"version.json": b"["}), "no exported version"),
        (lambda content: content.update({"version.json": b"[" * 200_000}), "no exported version"),
        (lambda content: content.update({"version.json": b" " * 1_000_001}), "too large"),
        (lambda content: content.update({"version.json": b"[1]"}), "no exported version"),
        (facts(format=2), "format 2, not 1"),
        (without("model"), "lacks model"),
        (without("tags"), "lacks tags"),
        (facts(scores={"rmse": 10**400}), "no exported version"),
        (facts(scores={"rmse": float("nan")}), "a score is nan"),
        (facts(scores=[]), "no exported version"),
        (facts(tags={"a/b": "1"}), "not allowed"),
    ],
)
def test_a_file_that_was_changed_is_refused(file, change, said):
    rewritten(file, change)
    with pytest.raises(InvalidInput, match=said):
        read_version(file)


@pytest.mark.parametrize(
    ("local", "central", "value"),
    [(6, 8, 1), (8, 10, 99), (8, 10, 8), (8, 10, 14)],
    ids=["encrypted", "unknown compression", "bad deflate", "bad lzma"],
)
def test_an_archive_that_cannot_be_unpacked_is_refused(file, local, central, value):
    """Each was a traceback of another kind: the fields of both headers of the first entry."""
    data = bytearray(file.read_bytes())
    for place in (local, data.index(b"PK\x01\x02") + central):
        data[place] = value
    file.write_bytes(data)
    with pytest.raises(InvalidInput, match="no exported version"):
        read_version(file)


def test_a_file_cannot_make_its_version_the_live_one(file, tmp_path, prepared_database):
    rewritten(file, facts(tags={"bikecast.alias.champion": "9999", "data_version": "d1"}))
    there = installation(tmp_path / "there", prepared_database)
    with dg.DagsterInstance.ephemeral() as instance:
        import_version(instance, there, SPEC, file)
    [entry] = there.registry.versions(SPEC.model_name)
    assert entry.aliases == ()
    assert entry.tags.keys() == {"data_version", "imported_from", "imported_job"}


def test_a_version_that_was_registered_before_a_crash_is_reported_once(
    file, tmp_path, prepared_database
):
    there = installation(tmp_path / "there", prepared_database)
    with dg.DagsterInstance.ephemeral() as crashed:
        import_version(crashed, there, SPEC, file)
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(2):
            assert import_version(instance, there, SPEC, file) == (1, False)
        key = dg.AssetKey(SPEC.model_table)
        assert len(instance.fetch_materializations(key, limit=9).records) == 1


@pytest.mark.parametrize(
    "model",
    [
        weighted_sum({"price": "varchar"}, 2.0, output=SPEC.output),
        weighted_sum({"price": "float"}, 2.0, output=SPEC.output, shape=(7, 1)),
    ],
    ids=["another type of input", "another number of rows"],
)
def test_a_model_that_cannot_score_a_row_is_refused(file, here, model):
    rewritten(file, facts(digest=hashlib.sha256(model).hexdigest()))
    rewritten(file, lambda content: content.update({"model.onnx": model}))
    with pytest.raises(InvalidInput, match="cannot score a row of"):
        import_version(None, here, SPEC, file)


def test_a_model_that_asks_for_other_columns_is_refused(file, here):
    other = replace(SPEC, features=SPEC.features[2:], segments=())
    with pytest.raises(InvalidInput, match="asks for price"):
        import_version(None, here, other, file)
