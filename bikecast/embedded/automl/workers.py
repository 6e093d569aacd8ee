"""A pool of killable worker processes.

Each task runs in a process that may be killed when it takes too long; a crash is an outcome with
an error, and a new worker takes the place. With a fork server that has imported everything, a new
worker costs about .02 s.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any

import numpy as np

from bikecast.core.processes import die_with_parent, watch_parent
from bikecast.embedded.automl import awake
from bikecast.embedded.automl.data import Dataset
from bikecast.embedded.automl.importance import Shuffle
from bikecast.embedded.automl.models import FittedModel, fit_model
from bikecast.embedded.automl.portfolio import Configuration
from bikecast.embedded.automl.process import ONE_THREAD

#: select() takes no infinite wait; the loop comes round again.
_LONGEST_WAIT = 60.0
#: Gives a value of awake.now(); it is asked again after each task.
Deadline = Callable[[], float]
PRELOAD = "bikecast.embedded.automl.preload"


@dataclass(frozen=True)
class Task:
    """Fit a configuration on the first rows of each split and predict the second."""

    key: tuple[str, ...]
    configuration: Configuration
    splits: Sequence[tuple[np.ndarray, np.ndarray]]
    seed: int = 0
    keep_model: bool = False
    """Send back the model fitted on the last split."""
    shuffle: Shuffle | None = None
    """Also predict these rows with each feature shuffled, by the model of the last split."""
    expected_seconds: float = 0.0
    """The task is not begun where less time than this is left; 0 where nothing is known of it."""


@dataclass(frozen=True)
class Outcome:
    """What became of a task: predictions a split, or an error text."""

    task: Task
    seconds: float
    predictions: list[np.ndarray] = field(default_factory=list)
    model: FittedModel | None = None
    error: str = ""
    shuffled: np.ndarray | None = None
    processor_seconds: float = 0.0
    """What of `seconds` was computing; 0 where it is not known."""


@dataclass
class _Worker:
    process: Any
    pipe: connection.Connection
    task: Task | None = None
    started: float = 0.0


def start_server() -> Any:
    """Start the fork server (it imports in the background); returns the start context.

    Workers use one thread each. Where the system has no fork server, they are spawned.
    """
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    forkserver.ensure_running()
    return context


class WorkerPool:
    """Runs tasks on at most `size` processes. Use as a context manager: leaving kills them."""

    def __init__(self, data: Dataset, size: int, context: Any = None) -> None:
        self._data = data
        self._size = size
        self._context = context or start_server()
        self._workers: list[_Worker] = []

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            self._kill(worker)
        self._workers.clear()

    def run(
        self, tasks: Sequence[Task], *, deadline: Deadline, task_seconds: float = float("inf")
    ) -> Iterator[Outcome]:
        """Run all tasks and yield each outcome as it comes.

        Tasks that run at the deadline are killed, and tasks that have not begun, or are expected
        to end after it, are left out (no outcome).
        `task_seconds` is the limit of each single task.
        """
        queue = deque(tasks)
        while queue or any(worker.task for worker in self._workers):
            now, last = awake.now(), deadline()
            if now >= last:
                queue.clear()
            for worker in list(self._workers):
                limit = min(last, worker.started + task_seconds)
                if worker.task is not None and now >= limit:
                    yield self._fail(worker, "stopped: out of time")
            while queue and (idle := self._idle()) is not None:
                task, now = queue.popleft(), awake.now()
                if now + task.expected_seconds > last:
                    continue
                idle.task, idle.started = task, now
                idle.pipe.send(task)
            yield from self._collect(last, task_seconds)

    def _collect(self, deadline: float, task_seconds: float) -> Iterator[Outcome]:
        busy = {worker.pipe: worker for worker in self._workers if worker.task is not None}
        if not busy:
            return
        first = min(worker.started for worker in busy.values())
        timeout = min(deadline, first + task_seconds) - awake.now()
        for pipe in connection.wait(list(busy), min(max(0.0, timeout), _LONGEST_WAIT)):
            worker = busy[pipe]  # type: ignore[index]
            try:
                outcome: Outcome = worker.pipe.recv()
            except (EOFError, OSError):
                worker.process.join(1)
                yield self._fail(worker, f"the worker died (exit code {worker.process.exitcode})")
            else:
                worker.task = None
                yield outcome

    def _idle(self) -> _Worker | None:
        for worker in self._workers:
            if worker.task is None:
                return worker
        if len(self._workers) >= self._size:
            return None
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._data), daemon=True)
        process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours))
        return self._workers[-1]

    def _fail(self, worker: _Worker, error: str) -> Outcome:
        task = worker.task
        assert task is not None  # noqa: S101  # only busy workers fail
        self._workers.remove(worker)
        self._kill(worker)
        return Outcome(task, awake.now() - worker.started, error=error)

    @staticmethod
    def _kill(worker: _Worker) -> None:
        worker.process.kill()
        worker.process.join()
        worker.process.close()
        worker.pipe.close()


def _work(pipe: connection.Connection, data: Dataset) -> None:
    """A worker's life: take a task, answer with its outcome, until the pipe closes."""
    die_with_parent()
    watch_parent()
    while True:
        try:
            task: Task = pipe.recv()
        except EOFError:
            return
        pipe.send(perform(task, data))


def perform(task: Task, data: Dataset) -> Outcome:
    """Run a task here. An exception of the estimator becomes the outcome's error."""
    import warnings

    start, computed = time.monotonic(), time.process_time()
    predictions = []
    model = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # convergence: a poor score says it
            for fit_rows, predict_rows in task.splits:
                model = fit_model(task.configuration, data, fit_rows, task.seed)
                predictions.append(model.predict(data.values, predict_rows))
            if not all(np.isfinite(p).all() for p in predictions):
                raise ValueError("the model predicts values that are not finite")
            shuffled = None
            if task.shuffle is not None and model is not None:
                shuffled = task.shuffle.predictions(model, data)
    except Exception as error:  # noqa: BLE001  # any failure of a trial is a failed row
        text = f"{type(error).__name__}: {error}"
        return Outcome(task, time.monotonic() - start, error=text)
    return Outcome(
        task,
        time.monotonic() - start,
        predictions,
        model if task.keep_model else None,
        shuffled=shuffled,
        processor_seconds=time.process_time() - computed,
    )
