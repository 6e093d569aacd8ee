"""AutoML jobs in Azure ML, from submission to the checked model."""

import io
import json
import logging
import re
from dataclasses import replace

import onnx
import pyarrow.parquet as pq
import pytest

from bikecast.core.errors import BikecastError, InvalidInput, ModelRejected
from bikecast.core.jobs import JobState
from bikecast.core.onnx.contract import inspect_model
from pipelines.bike_rentals import BIKE_RENTALS
from resources.automl.azure_job import regression_job
from resources.automl.training_data import has_credentials
from resources.azure.ml_client import blob_container, workspace_client
from tests.azure.cloud import faults
from tests.azure.cloud.machine_learning import RUN_SECONDS, Trial
from tests.azure.workspace import PLACE, automl, training_request, write_training_table
from tests.unit.sql_pool.onnx_models import model_bytes, value_info


@pytest.fixture
def azure(cloud, tmp_path):
    write_training_table(tmp_path)
    return automl(tmp_path)


def test_a_job_is_submitted_with_the_labs_settings(azure, cloud):
    status = azure.submit(training_request("bikes-1"))

    assert status.job_id == "bikes-1"
    assert status.state is JobState.QUEUED
    assert status.link.startswith("https://ml.azure.com/runs/bikes-1?wsid=/subscriptions/")
    [put] = cloud.calls("PUT", "/jobs/bikes-1")
    asked = json.loads(put.body)["properties"]
    assert asked["experimentName"] == "mslearn-bike-rentals"
    assert asked["tags"]["root_run_id"] == "run"
    task = asked["taskDetails"]
    assert task["taskType"] == "Regression"
    assert task["primaryMetric"] == "SpearmanCorrelation"
    assert task["targetColumnName"] == "rentals"
    assert task["limitSettings"]["timeout"] == "PT15M"
    assert task["limitSettings"]["maxConcurrentTrials"] == 2
    assert task["trainingSettings"]["enableOnnxCompatibleModels"] is True
    assert task["trainingSettings"]["enableStackEnsemble"] is False
    uri = task["trainingData"].pop("uri")
    assert uri.startswith("azureml://datastores/workspaceblobstore/paths/bikecast-training/")
    assert task["trainingData"] == {"jobInputType": "mltable"}


def test_a_job_has_no_more_trials_than_the_spec_says(azure, cloud):
    few = replace(BIKE_RENTALS, training=replace(BIKE_RENTALS.training, max_trials=2))
    azure.submit(training_request("bikes-1", spec=few))

    [put] = cloud.calls("PUT", "/jobs/bikes-1")
    assert json.loads(put.body)["properties"]["taskDetails"]["limitSettings"]["maxTrials"] == 2


def featurization(cloud):
    [put] = cloud.calls("PUT", "/jobs/bikes-1")
    return json.loads(put.body)["properties"]["taskDetails"].get("featurizationSettings")


def test_numbers_that_are_no_codes_are_marked_numeric(azure, cloud):
    """Else AutoML takes whole numbers of few values for categories."""
    no_code = [replace(c, codes=()) if c.name == "mnth" else c for c in BIKE_RENTALS.features]
    azure.submit(training_request("bikes-1", spec=replace(BIKE_RENTALS, features=tuple(no_code))))

    asked = featurization(cloud)
    assert asked["mode"] == "Custom"
    assert asked["columnNameAndTypes"] == dict.fromkeys(
        ("mnth", "temp", "atemp", "hum", "windspeed"), "Numeric"
    )


def test_codes_alone_are_left_to_automl(azure, cloud):
    codes = [column for column in BIKE_RENTALS.features if column.codes]
    azure.submit(
        training_request("bikes-1", spec=replace(BIKE_RENTALS, features=tuple(codes), shown=()))
    )
    assert featurization(cloud) is None


def test_algorithms_are_allowed_and_blocked_as_far_as_azure_has_them(azure, cloud):
    training = replace(
        BIKE_RENTALS.training,
        allowed_algorithms=("Ridge", "LightGBM", "KNN"),
        blocked_algorithms=("KNN", "SVR"),
    )
    azure.submit(training_request("bikes-1", spec=replace(BIKE_RENTALS, training=training)))

    [put] = cloud.calls("PUT", "/jobs/bikes-1")
    asked = json.loads(put.body)["properties"]["taskDetails"]["trainingSettings"]
    assert asked["allowedTrainingAlgorithms"] == ["LightGBM", "KNN"]
    assert asked["blockedTrainingAlgorithms"] == ["KNN"]


BLOB_STORE = ("mlstorage", "azureml-blobstore")


def staged(cloud):
    """Each folder of training data in the workspace's blob store, with its files."""
    folders = {}
    for path in cloud.storage.paths(*BLOB_STORE, "bikecast-training/"):
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(name)
    return folders


def test_the_training_data_have_no_keys(azure, cloud):
    azure.submit(training_request("bikes-1"))

    [[folder, files]] = staged(cloud).items()
    assert files == ["MLTable", "data.parquet"]
    data = cloud.storage.read(*BLOB_STORE, f"{folder}/data.parquet")
    table = pq.read_table(io.BytesIO(data))
    assert table.column_names == [*BIKE_RENTALS.feature_names, "rentals"]
    assert table.num_rows == 365


def test_a_data_version_is_stored_once_and_its_mltable_file_last(azure, cloud):
    azure.submit(training_request("bikes-1"))
    azure.submit(training_request("bikes-2"))

    puts = [call.path for call in cloud.calls("PUT", "/azureml-blobstore/")]
    assert [path.rpartition("/")[2] for path in puts] == ["data.parquet", "MLTable"]

    azure.submit(training_request("bikes-3", data_version="v2"))
    assert len(staged(cloud)) == 2


def test_other_columns_of_a_data_version_are_stored_beside_it(azure, cloud):
    azure.submit(training_request("bikes-1"))
    fewer = replace(BIKE_RENTALS, features=BIKE_RENTALS.features[:5], shown=(), segments=())
    azure.submit(training_request("bikes-2", spec=fewer))

    assert len(staged(cloud)) == 2


def test_of_a_table_with_more_rows_than_are_allowed_a_sample_is_stored(azure, cloud):
    few = replace(BIKE_RENTALS, training=replace(BIKE_RENTALS.training, max_rows=100))
    azure.submit(training_request("bikes-1"))
    azure.submit(training_request("bikes-2", spec=few))

    rows = [
        pq.read_table(io.BytesIO(cloud.storage.read(*BLOB_STORE, f"{folder}/data.parquet")))
        for folder in staged(cloud)
    ]
    assert sorted(table.num_rows for table in rows) == [100, 365]
    assert rows[0].column_names == rows[1].column_names


def test_a_folder_without_its_mltable_file_is_written_again(azure, cloud):
    azure.submit(training_request("bikes-1"))
    [folder] = staged(cloud)
    cloud.storage.write(*BLOB_STORE, f"{folder}/data.parquet", b"half")
    del cloud.storage.files[(*BLOB_STORE, f"{folder}/MLTable")]

    azure.submit(training_request("bikes-2"))
    assert cloud.storage.read(*BLOB_STORE, f"{folder}/data.parquet") != b"half"


def test_the_fake_job_cannot_read_a_url_of_the_lake(azure, cloud):
    """As a real one: its compute has no identity there."""
    raw = "abfss://files@bikelake.dfs.core.windows.net/training/bike_data/v1"
    job = regression_job(training_request("bikes-1"), raw, "", folds=5)
    workspace_client(*PLACE.values()).jobs.create_or_update(job)
    cloud.clock.advance(RUN_SECONDS)

    assert azure.status("bikes-1").state is JobState.FAILED


def test_a_storage_account_that_refuses_is_told_and_nothing_is_submitted(azure, cloud):
    cloud.faults.add("PUT", "/azureml-blobstore/", faults.FORBIDDEN)
    with pytest.raises(BikecastError, match="cannot be stored in workspaceblobstore") as caught:
        azure.submit(training_request("bikes-1"))
    assert "No job was submitted" in str(caught.value)
    scope = r"--scope \$\(az storage account show --name \w+ --query id -o tsv\)"
    assert re.search(scope, str(caught.value))
    assert cloud.calls("PUT", "/jobs/bikes-1") == []


def test_a_job_id_is_submitted_once(azure, cloud):
    azure.submit(training_request("bikes-1"))
    cloud.clock.advance(120)

    assert azure.submit(training_request("bikes-1")).state is JobState.RUNNING
    assert len(cloud.calls("PUT", "/jobs/bikes-1")) == 1


def test_an_unknown_job_is_not_found(azure):
    assert azure.status("nobody-1").state is JobState.NOT_FOUND
    assert azure.cancel("nobody-1").state is JobState.NOT_FOUND
    with pytest.raises(BikecastError, match="NotFound"):
        azure.result("nobody-1")


def test_a_budget_of_nothing_is_refused(azure, cloud):
    with pytest.raises(InvalidInput, match="must be above 0"):
        azure.submit(training_request("zero-1", budget_seconds=0))
    assert cloud.calls("PUT", "/jobs/") == []


@pytest.mark.calls
def test_a_canceled_job_says_so(azure, cloud):
    azure.submit(training_request("bikes-1"))

    assert azure.cancel("bikes-1").state is JobState.RUNNING
    cloud.clock.advance(120)
    assert azure.status("bikes-1").state is JobState.CANCELED


def test_an_unknown_state_counts_as_running_with_a_warning(azure, cloud, caplog):
    azure.submit(training_request("bikes-1"))
    cloud.machine_learning.jobs["bikes-1"].status = "Levitating"

    with caplog.at_level(logging.WARNING):
        assert azure.status("bikes-1").state is JobState.RUNNING
    assert "Levitating" in caplog.text


def operators(model):
    nodes = onnx.load_model_from_string(model).graph.node
    return {
        f"{node.domain}.{node.op_type}".removeprefix("ai.onnx.ml").lstrip(".") for node in nodes
    }


@pytest.mark.calls
def test_a_completed_job_gives_the_best_model_and_a_leaderboard(azure, cloud):
    azure.submit(training_request("bikes-1"))
    cloud.clock.advance(RUN_SECONDS)

    result = azure.result("bikes-1")

    assert [row["trial"] for row in result.leaderboard] == [
        "StandardScalerWrapper, VotingEnsemble",
        "StandardScalerWrapper, LightGBM",
    ]
    assert result.scores["cv"] == {"spearman": 0.91}
    model = result.model_path.read_bytes()
    signature = inspect_model(model)
    assert operators(model) >= {"ReduceMean", "Scaler", "com.microsoft.Tokenizer"}
    assert signature.digest == result.digest
    assert [tensor.name for tensor in signature.outputs] == ["variable_out1"]
    assert result.diagnostics["best_trial"] == "bikes-1_2"
    assert result.diagnostics["best_trial_found_by"] == "tag"


def test_the_best_score_decides_where_the_job_names_no_trial(azure, cloud):
    cloud.machine_learning.names_best = False
    azure.submit(training_request("bikes-1"))
    cloud.clock.advance(RUN_SECONDS)

    diagnostics = azure.result("bikes-1").diagnostics
    assert (diagnostics["best_trial"], diagnostics["best_trial_found_by"]) == ("bikes-1_2", "score")


@pytest.mark.parametrize(
    ("where", "name"),
    [("tags", "automl_best_child_run_id"), ("run_properties", "best_child_run_id")],
)
def test_the_best_trial_is_the_one_that_the_job_names(azure, cloud, where, name):
    cloud.machine_learning.names_best = False
    azure.submit(training_request("bikes-1"))
    cloud.clock.advance(RUN_SECONDS)
    getattr(cloud.machine_learning.jobs["bikes-1"], where)[name] = "bikes-1_1"

    assert azure.result("bikes-1").diagnostics["best_trial"] == "bikes-1_1"


@pytest.mark.parametrize(
    ("operator", "reason"),
    [
        ("Hardmax", "uses the operator Hardmax, which is not allowed"),
        ("Cast", "Required attribute 'to' is missing"),
    ],
)
def test_a_model_that_is_refused_says_why_and_what_to_do(azure, cloud, operator, reason):
    node = onnx.helper.make_node(operator, ["temp"], ["y"])
    model = model_bytes([node], [value_info("temp", "real")], [value_info("y", "real")])
    azure.submit(training_request("bikes-1"))
    cloud.clock.advance(RUN_SECONDS)
    cloud.machine_learning.trainer = lambda job: [(Trial("bikes-1_1", "LightGBM", 0.9), model)]

    with pytest.raises(ModelRejected, match=rf"trial bikes-1_1 is refused: .*{reason}") as caught:
        azure.result("bikes-1")
    assert "`blocked_algorithms` of the training's settings" in str(caught.value)
    assert "See https://ml.azure.com/runs/bikes-1" in str(caught.value)


def test_a_best_trial_without_an_onnx_file_is_a_clear_error(azure, cloud):
    azure.submit(training_request("bikes-1"))
    cloud.clock.advance(RUN_SECONDS)
    cloud.machine_learning.jobs["bikes-1"].tags["automl_best_child_run_id"] = "bikes-1_0"

    with pytest.raises(BikecastError, match="bikes-1_0 of bikes-1 has no ONNX file"):
        azure.result("bikes-1")


@pytest.mark.parametrize(
    ("credentials", "kind"),
    [
        ({"AccountKeyConfiguration": {"account_key": "a2V5"}}, "SharedKeyCredentialPolicy"),
        ({"SasTokenConfiguration": {"sas_token": "sv=1&sig=x"}}, None),
        ({"NoneCredentialConfiguration": {}}, "RenewableCredential"),
        ({}, "RenewableCredential"),
    ],
)
def test_the_blob_store_is_opened_by_its_own_secret_or_else_by_this_process(
    cloud, credentials, kind
):
    from azure.ai.ml import entities

    own = [getattr(entities, name)(**values) for name, values in credentials.items()]
    store = entities.AzureBlobDatastore(
        name="s", account_name="acc", container_name="c", credentials=own[0] if own else None
    )
    with blob_container(store) as container:
        assert container.url.startswith("https://acc.blob.core.windows.net/c")
        assert type(container.credential).__name__ == (kind or "NoneType")
    assert has_credentials(store) is (kind != "RenewableCredential")
