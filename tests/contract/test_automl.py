"""What every AutoML adapter does."""

import csv
import json
import resource
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import replaced_file
from bikecast.core.jobs import JobState
from bikecast.core.onnx.contract import inspect_model, model_digest
from bikecast.core.sql_types import arrow_schema
from resources.automl.embedded import LocalAutoML
from resources.automl.port import TrainingRequest
from tests.second_spec import COFFEE_SALES, write_coffee_files
from tests.unit.automl.tables import TIMED_COFFEE, coffee_table, write_delta


def five_columns(tmp_path) -> pa.Table:
    """The second spec's table: a text, a double, an int, a real and the target."""
    path = write_coffee_files(tmp_path / "files").training
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {}
    for field in arrow_schema(COFFEE_SALES.training_columns):
        values = [row[field.name] for row in rows]
        columns[field.name] = values if field.type == pa.string() else [float(v) for v in values]
    return pa.table(columns).cast(arrow_schema(COFFEE_SALES.training_columns))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The adapter, with the tables of both specs in its lake."""
    folder = tmp_path_factory.mktemp("automl")
    write_delta(folder / "lake", COFFEE_SALES, five_columns(folder))
    write_delta(folder / "lake", replace(TIMED_COFFEE, training_table="timed"), coffee_table())
    return LocalAutoML(jobs_dir=str(folder / "jobs"), lake_root=str(folder / "lake"))


#: Seconds; a search on a machine with dozens of busy processes ends by its plan, not by these.
CEILING = 1800.0


def request(job_id: str, spec=COFFEE_SALES, budget: float = CEILING) -> TrainingRequest:
    return TrainingRequest(
        job_id, spec, spec.training_table_path, "v1", budget, {"root_run_id": "r"}
    )


TIMED = replace(TIMED_COFFEE, training_table="timed")


def wait(automl, job_id: str):
    while not (status := automl.status(job_id)).state.is_terminal:
        time.sleep(0.05)
    return status


def drivers_of(job_id: str) -> list[psutil.Process]:
    """Processes that this one started for the job."""
    found = []
    for process in psutil.Process().children():
        with suppress(psutil.Error):  # one that ends at this moment
            if any(argument.endswith(f"/{job_id}") for argument in process.cmdline()):
                found.append(process)
    return found


@pytest.fixture(scope="module")
def finished(world):
    """A job of each spec, run to its end; the second one is logged to MLflow."""
    world.submit(request("coffee-1"))
    wait(world, "coffee-1")
    tracked = LocalAutoML(
        jobs_dir=world.jobs_dir, lake_root=world.lake_root, tracking_uri=tracking_uri(world)
    )
    tracked.submit(request("timed-1", TIMED))
    wait(world, "timed-1")
    return world


def tracking_uri(world) -> str:
    return f"sqlite:///{Path(world.jobs_dir).parent}/mlflow.db"


def test_a_job_is_an_mlflow_run_with_a_child_a_trial(finished):
    from bikecast.embedded.mlflow import mlflow_client

    client = mlflow_client(tracking_uri(finished))
    experiment = client.get_experiment_by_name(TIMED.training.experiment)
    runs = client.search_runs([experiment.experiment_id], max_results=100)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    result = finished.result("timed-1")
    assert [run.info.run_name for run in parents] == ["timed-1"]
    assert len(runs) == 1 + len(result.leaderboard)
    assert parents[0].data.metrics["holdout_spearman"] == result.scores["holdout"]["spearman"]
    assert [text for text in result.warnings if "baseline" not in text] == []


def test_a_job_with_a_text_feature_completes(finished):
    status = finished.status("coffee-1")
    assert status.state is JobState.COMPLETED, status.error
    assert status.progress["trials_done"] == status.progress["trials_total"] == 13
    result = finished.result("coffee-1")
    assert result.scores["holdout"]["spearman"] > 0.9
    assert result.scores["holdout"]["rows"] == 48
    assert result.scores["cv"]["rows"] == 192
    assert result.scores["time_ordered"] is None
    assert [text for text in result.warnings if "baseline" not in text] == []


def test_the_model_is_one_graph_with_one_input_a_column(finished):
    result = finished.result("coffee-1")
    data = result.model_path.read_bytes()
    signature = inspect_model(data)
    assert [(t.name, t.type) for t in signature.inputs] == [
        ("drink", "STRING"),
        ("price", "DOUBLE"),
        ("seats", "INT32"),
        ("outdoor_temp", "FLOAT"),
    ]
    assert [(t.name, t.shape) for t in signature.outputs] == [("variable_out1", (None, 1))]
    assert result.digest == signature.digest == model_digest(data)


def test_the_model_scores_a_text_that_it_never_saw(finished):
    import onnxruntime

    session = onnxruntime.InferenceSession(finished.result("coffee-1").model_path)
    feed = {
        "drink": np.array([["espresso"], ["never seen"]], dtype=object),
        "price": np.array([[3.0], [3.0]]),
        "seats": np.array([[20], [20]], dtype=np.int32),
        "outdoor_temp": np.array([[10.0], [10.0]], dtype=np.float32),
    }
    (scores,) = session.run(["variable_out1"], feed)
    assert scores.shape == (2, 1)
    assert np.isfinite(scores).all()


def test_the_leaderboard_is_best_first_with_weights_that_sum_to_one(finished):
    rows = finished.result("coffee-1").leaderboard
    trials = [row for row in rows if row["trial"] != "ensemble"]
    scores = [row["score"] for row in trials]
    assert scores == sorted(scores, reverse=True)
    assert sum(row["ensemble_weight"] for row in trials) == pytest.approx(1, abs=1e-3)
    members = [row for row in trials if row["ensemble_weight"]]
    assert all(row["parity"] <= 1e-3 and row["onnx_kb"] > 0 for row in members)
    assert {row["status"] for row in trials} <= {"ok", "raced"}


def test_a_time_key_gives_a_time_ordered_score_and_dated_residuals(finished):
    result = finished.result("timed-1")
    assert result.scores["time_ordered"]["rows"] == 24
    assert result.diagnostics["holdout"][0]["day"].startswith("2024-")
    assert result.diagnostics["residuals"]["by"] == "month"
    assert list(result.plots) == [
        "Predicted against actual",
        "Residuals by month",
        "Permutation importance",
    ]


def test_honest_scores_stand_beside_naive_baselines_with_their_rows(finished):
    timed = finished.result("timed-1").diagnostics["honest_scores"]
    assert [(row["scored on"], row["model"]) for row in timed] == [
        (kind, model)
        for kind in ("time_ordered", "holdout", "cv")
        for model in ("chosen model", "mean by month and weekday", "ridge")
    ]
    assert [(row["rows trained on"], row["rows scored"]) for row in timed[::3]] == [
        (96, 24),
        (96, 24),
        (76, 96),
    ]
    coffee = finished.result("coffee-1").diagnostics
    assert {row["model"] for row in coffee["honest_scores"]} == {
        "chosen model",
        "mean by drink",
        "ridge",
    }
    low, high = coffee["intervals"]["holdout"]["spearman"]
    assert low < finished.result("coffee-1").scores["holdout"]["spearman"] < high


def test_importance_segments_and_findings_are_told(finished):
    told = finished.result("coffee-1").diagnostics
    assert [row["feature"] for row in told["permutation_importance"]][:1] != ["outdoor_temp"]
    assert {row["feature"] for row in told["permutation_importance"]} == set(
        COFFEE_SALES.feature_names
    )
    assert sum(row["rows"] for row in told["segments"] if row["segment"] == "drink") == 48
    assert told["leakage"] == []


def test_the_model_card_says_what_the_model_is(finished):
    card = (finished.result("coffee-1").model_path.parent / "model-card.md").read_text()
    for text in (
        "# Model card: coffee-sales-model",
        "Licence",
        "## Limits",
        "coffee-1",
        "| drink |",
    ):
        assert text in card


def test_the_leaderboard_has_the_speed_of_the_chosen_model(finished):
    rows = finished.result("coffee-1").leaderboard
    assert [row for row in rows if row["rows_per_second"]]


def test_a_finished_job_leaves_no_recorded_trials(finished):
    assert not list(Path(finished.jobs_dir).glob(".trials/coffee/*"))


def test_the_plots_are_small_pictures(finished):
    for job_id in ("coffee-1", "timed-1"):
        for path in finished.result(job_id).plots.values():
            assert path.read_bytes().startswith(b"\x89PNG")
            assert path.stat().st_size < 60_000


def test_submitting_a_finished_job_changes_nothing(finished):
    before = finished.result("coffee-1").model_path.stat().st_mtime_ns
    assert finished.submit(request("coffee-1")).state is JobState.COMPLETED
    assert finished.result("coffee-1").model_path.stat().st_mtime_ns == before


def test_the_same_seed_and_trials_give_the_same_model(finished):
    finished.submit(request("coffee-again"))
    assert wait(finished, "coffee-again").state is JobState.COMPLETED
    assert finished.result("coffee-again").digest == finished.result("coffee-1").digest


def test_a_changed_model_file_is_refused(finished):
    wait(finished, "timed-1")
    path = finished.result("timed-1").model_path
    good = path.read_bytes()
    path.write_bytes(good + b"\x00")
    with pytest.raises(BikecastError, match="does not match its digest"):
        finished.result("timed-1")
    path.write_bytes(good)


def test_an_unknown_job_is_not_found(world):
    assert world.status("nobody-1").state is JobState.NOT_FOUND
    assert world.cancel("nobody-1").state is JobState.NOT_FOUND
    with pytest.raises(BikecastError, match="NotFound"):
        world.result("nobody-1")


def test_bad_data_fails_the_job_with_its_reason(world):
    spec = replace(TIMED_COFFEE, training_table="constant")
    table = coffee_table()
    position = table.column_names.index("cups")
    write_delta(
        Path(world.lake_root),
        spec,
        table.set_column(position, "cups", pa.array([7] * table.num_rows)),
    )
    world.submit(request("constant-1", spec))
    status = wait(world, "constant-1")
    assert status.state is JobState.FAILED
    assert "'cups' is 7 in every row" in status.error
    with pytest.raises(InvalidInput, match="7 in every row"):
        world.result("constant-1")


def test_a_budget_of_nothing_is_refused(world):
    with pytest.raises(InvalidInput, match="must be above 0"):
        world.submit(request("zero-1", budget=0))
    assert world.status("zero-1").state is JobState.NOT_FOUND


def test_two_submissions_at_once_start_one_process(world):
    start = threading.Barrier(4)
    states = []

    def submit():
        start.wait()
        states.append(world.submit(request("twice-1")).state)

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drivers_of("twice-1")) == 1
    assert set(states) <= {JobState.QUEUED, JobState.RUNNING}
    assert world.cancel("twice-1").state is JobState.CANCELED


def test_a_canceled_job_leaves_no_process_and_may_be_tried_again(world):
    world.submit(request("stop-1"))
    family = list[psutil.Process]()
    while len(family) < 2:  # the driver and its workers
        assert not world.status("stop-1").state.is_terminal
        drivers = drivers_of("stop-1")
        family = [p for driver in drivers for p in (driver, *driver.children(recursive=True))]
        time.sleep(0.05)
    status = world.cancel("stop-1")
    assert (status.state, status.error) == (JobState.CANCELED, "canceled on request")
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert world.submit(request("stop-2", budget=3)).state in (JobState.QUEUED, JobState.RUNNING)
    assert wait(world, "stop-2").state is JobState.COMPLETED


def test_a_job_that_computes_beyond_its_limit_is_stopped_and_says_so(world):
    world.submit(request("slow-1"))
    recorded = Path(world.jobs_dir) / "slow-1" / "request.json"
    with replaced_file(recorded) as path:
        path.write_text(json.dumps(json.loads(recorded.read_text()) | {"limit_seconds": 0.5}))
    status = wait(world, "slow-1")
    assert status.state is JobState.CANCELED
    assert "it computed for more than its limit of 2 s" in status.error


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
def test_a_driver_killed_at_any_point_leaves_no_process_and_converges(world, delay):
    job_id = f"killed-{delay}"
    world.submit(request(job_id))
    time.sleep(delay)
    drivers = drivers_of(job_id)
    family = [*drivers]
    for driver in drivers:
        with suppress(psutil.NoSuchProcess):
            family += driver.children(recursive=True)
            driver.kill()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    status = world.status(job_id)
    if status.state is JobState.COMPLETED:  # it was faster than the kill
        assert world.result(job_id).digest
        return
    assert status.state in (JobState.NOT_FOUND, JobState.FAILED)
    again = job_id if status.state is JobState.NOT_FOUND else f"{job_id}-2"
    world.submit(request(again, budget=4))
    assert wait(world, again).state is JobState.COMPLETED


@pytest.mark.slow
def test_a_training_that_was_suspended_for_ninety_seconds_loses_nothing(world):
    """A suspended laptop: the budget is shorter than the stop, and the model is the same."""
    budget = 60.0
    world.submit(request("awake-1", budget=budget))
    quiet = wait(world, "awake-1")
    assert quiet.state is JobState.COMPLETED
    world.submit(request("asleep-1", budget=budget))
    while not world.status("asleep-1").progress.get("trials_done"):
        time.sleep(0.05)
    family = [
        each for driver in drivers_of("asleep-1") for each in (driver, *driver.children(True))
    ]
    for process in family:
        process.suspend()
    time.sleep(90)
    assert world.status("asleep-1").state is JobState.RUNNING
    for process in reversed(family):
        process.resume()
    assert wait(world, "asleep-1").state is JobState.COMPLETED
    suspended = world.result("asleep-1")
    assert suspended.digest == world.result("awake-1").digest
    assert suspended.diagnostics["seconds"]["all"] < budget


@pytest.mark.slow
def test_the_attempt_after_a_killed_driver_recalls_its_trials(world):
    world.submit(request("resumed-1"))
    trials = Path(world.jobs_dir) / ".trials" / "resumed"
    while len(list(trials.glob("*.npz"))) < 3:
        assert not world.status("resumed-1").state.is_terminal
        time.sleep(0.02)
    for driver in drivers_of("resumed-1"):
        driver.kill()
        driver.wait()
    assert world.status("resumed-1").state is JobState.FAILED
    recorded = len(list(trials.glob("*.npz")))
    # Every trial is too slow for this budget, so what has a score was recalled.
    world.submit(request("resumed-2", budget=0.5))
    assert wait(world, "resumed-2").state is JobState.COMPLETED
    scored = [row for row in world.result("resumed-2").leaderboard if row["score"] is not None]
    assert len(scored) >= recorded
    for driver in drivers_of("resumed-2"):
        driver.wait()  # the records go after the result is there, so that a kill loses neither
    assert not trials.exists()


@pytest.mark.slow
def test_a_full_disk_leaves_no_result_and_the_next_attempt_completes(world):
    """A limit on file size stands for the full disk: the model cannot be written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        world.submit(request("full-1"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    status = wait(world, "full-1")
    assert status.state is JobState.FAILED
    assert "could not be read or written" in status.error or "cannot write" in status.error
    assert not (Path(world.jobs_dir) / "full-1" / "result").exists()
    world.submit(request("full-2"))
    assert wait(world, "full-2").state is JobState.COMPLETED
