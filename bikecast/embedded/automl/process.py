"""Starting the detached driver, and ending it with all that it started."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from bikecast.embedded.automl.job import JobRecord
from bikecast.embedded.automl.locks import FileLock, is_held

DRIVER = "bikecast.embedded.automl.driver"
#: Trials run side by side in processes, so each of them uses one thread.
_THREADS = "OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS VECLIB_MAXIMUM_THREADS"
ONE_THREAD = dict.fromkeys(_THREADS.split(), "1")


def start_driver(record: JobRecord, lock: FileLock) -> None:
    """Start the driver in a session of its own; it inherits the lock and nothing else."""
    import psutil

    root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    with record.log_path.open("ab") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                DRIVER,
                str(record.folder),
                str(lock.descriptor),
                str(time.time()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=record.folder,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
            pass_fds=(lock.descriptor,),
            start_new_session=True,
        )
    with suppress(psutil.NoSuchProcess):  # it ended at once
        record.write_launch(process.pid, psutil.Process(process.pid).create_time())
    # A long-lived parent must collect the exit code, or the driver stays behind as a zombie.
    threading.Thread(target=process.wait, daemon=True).start()


def kill_driver(record: JobRecord, *, patience: float = 5.0) -> bool:
    """Kill the driver and its children; True once nobody holds the job's lock.

    One whose starter died before it recorded the process is awaited for `patience` seconds.
    """
    import psutil

    deadline = time.monotonic() + patience
    while is_held(record.lock_path) and time.monotonic() < deadline:
        recorded = record.driver()
        try:
            driver = psutil.Process(int(recorded["pid"]))
            if abs(driver.create_time() - float(recorded["created"])) < 0.1:
                family = [driver, *driver.children(recursive=True)]
                for process in family:
                    process.kill()
                psutil.wait_procs(family, timeout=1)
        except (KeyError, psutil.Error):
            pass
        time.sleep(0.02)
    return not is_held(record.lock_path)
