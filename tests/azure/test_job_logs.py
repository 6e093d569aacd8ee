"""What Livy batches and training jobs printed is in the log of the Dagster run that ends them."""

import contextlib
from types import SimpleNamespace

import dagster as dg
import pytest
from azure.core.exceptions import HttpResponseError

from bikecast.core.errors import BikecastError
from pipelines.sample.simulator import write_training_csv
from resources.azure.job_logs import MOST_CHARACTERS, show_log
from resources.azure.run_logs import USER_LOGS, _printed
from resources.spark.port import Preparation
from tests.azure.cloud import faults
from tests.azure.cloud.livy import RUN_SECONDS as BATCH_SECONDS
from tests.azure.cloud.livy import START_SECONDS
from tests.azure.cloud.machine_learning import RUN_SECONDS, Unreadable
from tests.azure.workspace import BIKE_RENTALS as SPEC
from tests.azure.workspace import automl, lake, spark, training_request, write_training_table


def run_log(work):
    """The log entries of a run that does some work, whatever comes of it."""

    @dg.op
    def doing() -> None:
        with contextlib.suppress(BikecastError):
            work()

    @dg.job
    def job() -> None:
        doing()

    with dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(instance=instance)
        return [entry.user_message for entry in instance.all_logs(run.run_id)]


def entry(log, start):
    [found] = [text for text in log if text.startswith(start)]
    return found


@pytest.fixture
def training(cloud, tmp_path):
    write_training_table(tmp_path)
    training = automl(tmp_path)
    training.submit(training_request("bikes-1"))
    return training


def fail(cloud):
    def unreadable(job):
        raise Unreadable("ScriptExecution.StreamAccess.Authentication")

    cloud.machine_learning.trainer = unreadable


def test_a_training_that_failed_says_what_its_set_up_printed(training, cloud):
    fail(cloud)
    cloud.clock.advance(RUN_SECONDS)

    text = entry(run_log(lambda: training.result("bikes-1")), "What bikes-1_setup printed:")
    assert "[std_log.txt]\nTraceback ...\nUserError: ScriptExecution.StreamAccess" in text
    assert "All of it: https://ml.azure.com/runs/bikes-1?wsid=" in text


def test_the_reason_of_a_failed_training_is_told_where_its_trials_cannot_be_listed(
    training, cloud, monkeypatch
):
    def refused(*_, **__):
        raise HttpResponseError("try later")

    fail(cloud)
    cloud.clock.advance(RUN_SECONDS)
    monkeypatch.setattr("azure.ai.ml.operations.JobOperations.list", refused)

    errors = []
    log = run_log(lambda: errors.append(failure_of(training)))
    assert "training job bikes-1 is Failed" in errors[0]
    assert "try later" in entry(log, "What bikes-1 printed cannot be read:")


def failure_of(training):
    with pytest.raises(BikecastError) as caught:
        training.result("bikes-1")
    return str(caught.value)


class Logs:
    """A container of logs by name, each newer than the one before; counts the bytes it gives."""

    def __init__(self, logs):
        self.logs, self.given = logs, 0

    def list_blobs(self, name_starts_with, **_):
        names = [f"{name_starts_with}{name}" for name in self.logs]
        self.by_name = dict(zip(names, self.logs.values(), strict=True))
        for age, name in enumerate(names):
            yield SimpleNamespace(name=name, size=len(self.by_name[name]), last_modified=age)

    def download_blob(self, name, offset, length):
        self.given += length
        return SimpleNamespace(readall=lambda: self.by_name[name][offset : offset + length])


def test_of_many_logs_the_newest_are_shown_in_equal_shares():
    """Before, all were downloaded, and those whose names come last took all the place."""
    logs = Logs({f"{n % 10}-{n}.txt": b"a line of a log\n" * 2000 for n in range(500)})
    printed = _printed(logs, "run", USER_LOGS)

    heads = [line for line in printed.splitlines() if line.startswith("[")]
    assert heads == [f"[{n % 10}-{n}.txt]" for n in range(492, 500)]
    assert MOST_CHARACTERS * 0.9 < len(printed) <= MOST_CHARACTERS
    assert logs.given <= MOST_CHARACTERS


def test_a_log_is_cut_between_lines_so_that_no_rest_of_a_secret_stays():
    text = b"AccountKey=" + b"secret" * MOST_CHARACTERS + b"\nlast line"
    assert _printed(Logs({"a.txt": text}), "run", USER_LOGS) == "[a.txt]\nlast line"


def test_a_training_that_is_done_says_what_its_best_trial_printed(training, cloud):
    cloud.clock.advance(RUN_SECONDS)

    log = run_log(lambda: training.result("bikes-1"))
    assert "Training VotingEnsemble" in entry(log, "What bikes-1_2 printed:")


def test_a_log_that_cannot_be_read_costs_no_result(training, cloud):
    cloud.clock.advance(RUN_SECONDS)
    cloud.faults.add("GET", "/datastores/workspaceartifactstore", faults.FORBIDDEN)

    results = []
    log = run_log(lambda: results.append(training.result("bikes-1")))
    assert results
    assert "AuthorizationFailed" in entry(log, "What bikes-1 printed cannot be read:")


def test_a_batch_says_what_its_driver_printed_when_it_is_done_and_when_it_failed(cloud, tmp_path):
    write_training_csv(tmp_path / "days.csv", years=1)
    lake().put("data/days.csv", tmp_path / "days.csv")
    asked = Preparation(SPEC, "data/days.csv", SPEC.training_table_path)
    first = spark().prepare(asked)
    cloud.clock.advance(START_SECONDS)
    spark().status(first.job_id)
    cloud.livy.batches[0].options["file"] = "abfss://files@bikelake.dfs.core.windows.net/lost.py"
    cloud.clock.advance(BATCH_SECONDS)

    text = entry(run_log(lambda: spark().prepare(asked)), f"What {first.job_id} printed:")
    assert "lost.py" in text
    assert "All of it: https://web.azuresynapse.net/monitoring/sparkapplication/" in text


def test_a_log_is_cut_to_its_end_and_signatures_are_left_out():
    url = "https://a.blob.core.windows.net/azureml/x?sv=1&sig=secret"
    printed = "head\n" + "x" * MOST_CHARACTERS + url
    log = run_log(lambda: show_log("j", printed, {"All of it": "https://ml.azure.com/runs/j"}))

    text = entry(log, "What j printed:")
    assert "secret" not in text
    assert "head" not in text
    assert f"... the last {MOST_CHARACTERS:,} characters:" in text
