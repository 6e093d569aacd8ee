"""Azure ML's model versions are any text; ours are numbers beside those of other people."""

import logging

import pytest

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.onnx.contract import model_digest
from resources.azure.ml_client import workspace_client
from resources.registry.port import DIGEST, JOB_ID
from tests.azure.cloud.http import arm_error
from tests.azure.workspace import PLACE, registry

NAME = "rental-prediction-model"
TAKEN = arm_error(409, "UserError", "A model with this name and version already exists.")


@pytest.fixture
def register(cloud, tmp_path):
    def call(job_id, **tags):
        file = tmp_path / f"{job_id}.onnx"
        file.write_bytes(job_id.encode())
        digest = model_digest(job_id.encode())
        return registry().register(NAME, file, job_id=job_id, digest=digest, scores={}, tags=tags)

    return call


@pytest.fixture
def others(cloud, tmp_path):
    """Somebody registers a version by hand."""

    from azure.ai.ml.entities import Model

    def call(version, **tags):
        cloud.clock.advance(1)
        file = tmp_path / "theirs.onnx"
        file.write_bytes(version.encode())
        model = Model(name=NAME, version=version, path=str(file), type="custom_model", tags=tags)
        workspace_client(*PLACE.values()).models.create_or_update(model)
        cloud.clock.advance(1)

    return call


@pytest.mark.parametrize("version", ["release-3", "2026.11", "007", "-1", "9" * 20])
def test_a_version_of_any_text_beside_ours_changes_nothing(register, others, version):
    register("job-1")
    others(version, **{"bikecast.alias.champion": "2999-01-01"})
    assert register("job-2").version == 2

    registry().set_alias(NAME, "champion", 1)
    assert [(v.version, v.aliases) for v in registry().versions(NAME)] == [
        (2, ()),
        (1, ("champion",)),
    ]
    assert registry().download(NAME, 2) == b"job-2"


def test_a_text_first_of_all_does_not_keep_ours_from_being_registered(register, others):
    others("release-3")
    assert register("job-1").version == 1


def test_the_newest_version_is_the_one_made_last(register, others):
    others("40")
    assert register("job-1").version == 41
    others("12", **{JOB_ID: "by-hand", DIGEST: model_digest(b"12")})

    assert [entry.version for entry in registry().versions(NAME)] == [12, 41]


def test_a_version_of_ours_under_a_text_is_left_out_with_a_warning(register, others, caplog):
    register("job-1")
    others("release-3", **{JOB_ID: "by-hand"})

    with caplog.at_level(logging.WARNING):
        assert [entry.version for entry in registry().versions(NAME)] == [1]
    assert "version release-3 of rental-prediction-model is no number" in caplog.text


def test_the_number_of_an_archived_version_is_not_used_again(register):
    register("job-1")
    register("job-2")
    workspace_client(*PLACE.values()).models.archive(NAME, version="2")

    assert register("job-3").version == 3


def test_a_number_that_somebody_takes_meanwhile_is_no_error(register, cloud):
    cloud.faults.add("PUT", f"/models/{NAME}/versions/1", TAKEN)
    assert register("job-1").version == 1


def test_a_number_that_is_always_taken_is_an_error_that_says_so(register, cloud):
    cloud.faults.add("PUT", f"/models/{NAME}/versions/1", TAKEN, times=3)
    with pytest.raises(BikecastError, match=r"took its number 3 times. Nothing was registered"):
        register("job-1")


def test_a_tag_that_would_name_the_live_version_is_refused(register):
    with pytest.raises(InvalidInput, match="reserved"):
        register("job-1", **{"bikecast.alias.champion": "9999"})

    assert registry().versions(NAME) == []
