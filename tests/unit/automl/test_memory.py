"""What a killed job had finished is recalled, and only that."""

import time
from dataclasses import replace

import numpy as np
import pytest

from bikecast.core.errors import BikecastError
from bikecast.core.spec import TrainingSettings
from bikecast.embedded.automl.budget import Clock
from bikecast.embedded.automl.job import JobRecord
from bikecast.embedded.automl.memory import TrialMemory
from bikecast.embedded.automl.portfolio import Configuration
from bikecast.embedded.automl.search import search
from bikecast.embedded.automl.workers import Outcome, Task, WorkerPool
from tests.unit.automl.tables import coffee_data

RIDGE = Configuration("ridge", "ridge", "raw", "none", {"alpha": 1.0})
ROWS = np.arange(120)
TASK = Task(("ridge",), RIDGE, [(ROWS[:100], ROWS[100:])])
DONE = Outcome(TASK, 1.5, [np.arange(20.0)])


@pytest.fixture
def memory(tmp_path):
    return TrialMemory.open(tmp_path / "trials", coffee_data())


def test_a_recorded_trial_is_recalled(memory):
    assert memory.recall(TASK) is None
    memory.record(DONE)
    known = memory.recall(TASK)
    assert known.seconds == 1.5
    assert known.predictions[0].tolist() == list(range(20))


@pytest.mark.parametrize(
    "other",
    [
        replace(TASK, seed=1),
        replace(TASK, configuration=replace(RIDGE, parameters={"alpha": 2.0})),
        replace(TASK, splits=[(ROWS[:99], ROWS[100:])]),
    ],
)
def test_another_seed_configuration_or_split_is_another_trial(memory, other):
    memory.record(DONE)
    assert memory.recall(other) is None


def test_other_data_has_other_records(memory):
    memory.record(DONE)
    assert TrialMemory.open(memory.folder, coffee_data(seed=2)).recall(TASK) is None


def test_a_failed_trial_is_not_recorded(memory):
    memory.record(replace(DONE, error="stopped: out of time"))
    assert memory.recall(TASK) is None


def test_a_damaged_record_counts_as_none(memory):
    memory.record(DONE)
    (path,) = memory.folder.glob("*.npz")
    path.write_bytes(path.read_bytes()[:40])
    assert memory.recall(TASK) is None


def test_a_full_disk_costs_only_the_record(memory, monkeypatch):
    def full(*_, **__):
        raise BikecastError("no space left on device")

    monkeypatch.setattr("bikecast.embedded.automl.memory.replaced_file", full)
    memory.record(DONE)
    assert memory.recall(TASK) is None


def test_attempts_of_one_job_share_their_records(tmp_path):
    first, second = (JobRecord.of(tmp_path, f"model-abc-{n}").trials_folder for n in (1, 2))
    assert first == second
    assert first != JobRecord.of(tmp_path, "model-abd-1").trials_folder


def test_a_search_goes_on_from_what_is_recorded(memory):
    settings = TrainingSettings(experiment="t", allowed_algorithms=("Ridge",))
    data = coffee_data()
    tried = []

    class Counting(WorkerPool):
        def run(self, tasks, **limits):
            tried.extend(tasks)
            return super().run(tasks, **limits)

    def find():
        with Counting(data, 1) as pool:
            clock = Clock(time.monotonic() + 60)
            return search(data, ROWS, pool, settings, clock=clock, memory=memory)

    first, before = find(), len(tried)
    second = find()
    assert before == len(tried) == 2
    assert second.cv == first.cv
    memory.forget()
    assert not memory.folder.exists()
