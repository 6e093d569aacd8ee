"""One training at a time: a job waits for its turn, and its budget with it."""

import sys
import threading
import time

from bikecast.embedded.automl import driver
from bikecast.embedded.automl.job import JobRecord
from bikecast.embedded.automl.locks import exclusive


def test_a_job_is_queued_while_another_one_trains_and_its_budget_begins_with_its_turn(
    tmp_path, monkeypatch
):
    folder = tmp_path / "model-0123456789ab-1"
    folder.mkdir()
    begun: list[float] = []
    monkeypatch.setattr(JobRecord, "request", lambda self: {})
    monkeypatch.setattr(driver, "run", lambda record, request, started: begun.append(started))
    launched = time.time()
    lock = folder / "lock"
    lock.touch()
    with lock.open() as held:
        argv = ["driver", str(folder), str(held.fileno()), str(launched)]
        monkeypatch.setattr(sys, "argv", argv)
        job = threading.Thread(target=driver.main)
        path = tmp_path / driver.TRAINER_LOCK
        with exclusive(path):
            path.write_text("model-first-1")
            job.start()
            while not JobRecord(folder).progress():
                time.sleep(0.01)
            job.join(0.2)
            assert job.is_alive()
            assert begun == []
            assert JobRecord(folder).process() == {}
            assert JobRecord(folder).progress()["phase"] == "waits for model-first-1"
        job.join()
    assert path.read_text() == folder.name
    assert begun[0] > launched
