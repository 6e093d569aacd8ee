import hashlib
import shutil
import sqlite3
from contextlib import closing
from threading import Thread

import numpy as np
import pytest

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import replaced_file
from bikecast.embedded.mlflow import (
    database_path,
    is_ready,
    log_training,
    mlflow_client,
    prepare_store,
    store,
)


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def log(uri, prepared_database, tmp_path):
    shutil.copyfile(prepared_database, database_path(uri))
    plot = tmp_path / "plot.png"
    plot.write_bytes(b"png")

    def call(**changes):
        arguments = {
            "tracking_uri": uri,
            "experiment": "mslearn-bike-rentals",
            "job_id": "rental-1",
            "parameters": {"budget_seconds": 20, "metric": "spearman_correlation", "none": None},
            "trials": [
                {"trial": "ridge", "family": "linear", "spearman": 0.8, "status": "Completed"},
                {
                    "trial": "svr",
                    "family": "svm",
                    "spearman": np.float32("nan"),
                    "status": "Failed",
                },
            ],
            "metrics": {"holdout.spearman": 0.91, "time_ordered.spearman": None},
            "artifacts": {"plots/residuals by month": plot, "plot.png": plot},
            "tags": {"root_run_id": "run"},
        }
        return log_training(**(arguments | changes))

    return call


def runs(uri, experiment="mslearn-bike-rentals"):
    client = mlflow_client(uri)
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id], order_by=["attributes.start_time ASC"])


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_prepared_store_is_ready_and_is_left_alone_afterwards(uri, prepared_database):
    assert not is_ready(uri)
    shutil.copyfile(prepared_database, database_path(uri))
    assert is_ready(uri)
    before = digest(database_path(uri))

    prepare_store(uri)

    assert digest(database_path(uri)) == before


def test_threads_prepare_a_store_once(uri, prepared_database, monkeypatch):
    built = []

    def build(path):
        built.append(path)
        with replaced_file(path) as temporary:  # others look at it meanwhile
            shutil.copyfile(prepared_database, temporary)

    monkeypatch.setattr(store, "_build_schema", build)
    threads = [Thread(target=prepare_store, args=(uri,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(built) == 1
    assert is_ready(uri)


def test_a_build_that_breaks_off_leaves_no_database(uri, prepared_database, monkeypatch):
    def broken(*arguments, **options):
        raise sqlite3.OperationalError("database or disk is full")

    def built(arguments, **options):
        shutil.copyfile(prepared_database, database_path(*arguments))

    monkeypatch.setattr("mlflow.db.upgrade.main", broken)
    with pytest.raises(BikecastError, match="disk is full"):
        prepare_store(uri)

    assert [path.name for path in database_path(uri).parent.iterdir()] in ([], ["mlflow.db.lock"])
    monkeypatch.setattr("mlflow.db.upgrade.main", built)
    prepare_store(uri)
    assert is_ready(uri)


def test_a_store_of_another_mlflow_is_migrated_with_its_runs(uri, log):
    run_id = log()
    with closing(sqlite3.connect(database_path(uri))) as connection:
        connection.execute("PRAGMA user_version = 0")

    prepare_store(uri)

    assert is_ready(uri)
    assert mlflow_client(uri).get_run(run_id).info.run_name == "rental-1"


@pytest.mark.parametrize(
    "address", ["sqlite:///mlflow.db", "http://127.0.0.1:5000", "", "sqlite://"]
)
def test_an_address_that_is_no_sqlite_file_is_refused(address):
    with pytest.raises(InvalidInput, match="sqlite:////absolute/path"):
        prepare_store(address)


def test_a_file_where_the_folder_should_be_is_a_clear_error(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(BikecastError, match="cannot write"):
        prepare_store(f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}")


def test_a_job_is_a_parent_run_with_one_child_a_trial(uri, log):
    run_id = log()

    parent, ridge, svr = runs(uri)
    assert parent.info.run_id == run_id
    assert parent.info.run_name == "rental-1"
    assert parent.info.status == "FINISHED"
    assert parent.data.params == {"budget_seconds": "20", "metric": "spearman_correlation"}
    assert parent.data.metrics == {"holdout.spearman": 0.91}
    assert parent.data.tags["root_run_id"] == "run"
    assert [run.data.tags["mlflow.parentRunId"] for run in (ridge, svr)] == [run_id] * 2
    assert (ridge.info.run_name, ridge.info.status) == ("ridge", "FINISHED")
    assert ridge.data.metrics == {"spearman": 0.8}
    assert ridge.data.params["family"] == "linear"
    assert svr.info.status == "FAILED"
    assert svr.data.metrics == {}


def test_artifacts_lie_beside_the_database_under_their_names(uri, log):
    run_id = log()

    folder = database_path(uri).parent / "mlflow-artifacts"
    stored = sorted(path.relative_to(folder) for path in folder.rglob("*.png"))
    assert [str(path) for path in stored] == [
        f"{run_id}/artifacts/plot.png",
        f"{run_id}/artifacts/plots/residuals by month.png",
    ]


def test_a_job_that_is_recorded_is_not_recorded_again(uri, log):
    run_id = log()

    assert log(trials=[{"trial": "new"}]) == run_id
    assert len(runs(uri)) == 3


def test_a_job_that_was_left_half_recorded_is_recorded_again(uri, log):
    first = log()
    client = mlflow_client(uri)
    client.update_run(first, status="RUNNING")

    second = log()

    assert second != first
    assert len(runs(uri)) == 3
    assert log() == second


def test_other_jobs_are_recorded_beside_it(uri, log):
    log()
    log(job_id="it's another", trials=[])

    assert [
        run.info.run_name for run in runs(uri) if "mlflow.parentRunId" not in run.data.tags
    ] == [
        "rental-1",
        "it's another",
    ]


def test_odd_names_many_and_long_values_are_recorded(uri, log):
    parameters = {f"p{number}": number for number in range(150)} | {"long": "x" * 10_000}
    log(parameters=parameters, metrics={"R² (log)": 0.5, "flag": True}, trials=[])

    (run,) = runs(uri)
    assert len(run.data.params) == 151
    assert run.data.params["long"] == "x" * 6000
    assert list(run.data.metrics.values()) == [0.5]


def test_an_artifact_that_is_not_there_is_named_and_nothing_is_recorded(uri, log, tmp_path):
    with pytest.raises(InvalidInput, match=r"lost\.png"):
        log(artifacts={"plot": tmp_path / "lost.png"})

    assert mlflow_client(uri).get_experiment_by_name("mslearn-bike-rentals") is None
