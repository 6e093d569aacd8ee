"""What the notebook `train` imports: the lab's steps, one call a cell, on the pipeline's assets.

Each step materializes the assets that it is about, so that the UI shows them with their lineage,
and a step that is called twice does nothing twice.
"""

from __future__ import annotations

import atexit
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from assets.waiting import JOB_TAG
from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobStatus
from pipelines.in_process.dead_runs import clean_up_dead_runs
from pipelines.in_process.main_job import execute_job
from pipelines.in_process.outcome import Record
from pipelines.in_process.sole_run import sole_run
from pipelines.installation import open_installation
from pipelines.jobs import FINISH_TRAINING, TRAIN
from pipelines.settings import load_settings

if TYPE_CHECKING:
    import pandas as pd

#: Seconds between two polls: short at first.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0


class Training:
    """One training of a model, step by step.

    `model` None is the only one; `budget` is the longest training in seconds.
    """

    def __init__(self, model: str | None = None, *, budget: float | None = None) -> None:
        warnings.filterwarnings("ignore", "IProgress not found")  # of a library's progress bars
        self._settings = load_settings(model=model, budget=budget)
        self._stack = ExitStack()
        atexit.register(self.close)
        self._here = self._stack.enter_context(open_installation(self._settings))
        self._spec = self._here.model(self._settings.model).spec
        self._record, self._watcher = Record(), _Lines()
        clean_up_dead_runs(self._here.instance)

    def settings(self) -> pd.DataFrame:
        """What is trained, under which names."""
        spec = self._spec
        return _table(
            {
                "environment": self._settings.env,
                "model": spec.model_name,
                "experiment": spec.training.experiment,
                "table": spec.training_table,
                "target": spec.target.name,
                "features": ", ".join(spec.feature_names),
            }
        )

    def connection(self) -> pd.DataFrame:
        """The systems that the training uses. In azure Azure ML is asked for its models."""
        resources = self._here.resources
        versions = resources.registry.versions(self._spec.model_name)
        return _table(
            {
                "table": resources.lake.url(self._spec.training_table_path),
                "Spark": type(resources.spark).__name__,
                "AutoML": type(resources.automl).__name__,
                "registry": type(resources.registry).__name__,
                "versions there": len(versions),
            }
        )

    def data(self) -> pd.DataFrame:
        """Make the training table of the CSV, and show its first rows.

        Waits for the Spark pool in azure. Raises InvalidInput for a CSV that breaks the schema.
        """
        import pandas as pd

        from resources.lake.tables import read_rows

        spec = self._spec
        self._run(TRAIN, [spec.source_asset, spec.training_table])
        for pause in _pauses():
            if spec.training_table in self._record.metadata:
                break
            time.sleep(pause)
            self._run(TRAIN, [spec.training_table])
        lake = self._here.resources.lake
        return pd.DataFrame(read_rows(lake, spec.training_table_path, limit=5))

    def configuration(self) -> pd.DataFrame:
        """How the training searches; the model's defs.yaml says it."""
        training = self._spec.training
        budget = self._settings.budget or training.max_training_hours * 3600
        return _table(
            {
                "task": "regression",
                "primary metric": training.primary_metric,
                "longest training": f"{budget:.0f} s",
                "concurrent trials": training.max_concurrent_trials,
                "ONNX compatible models only": training.onnx_compatible,
                "blocked algorithms": ", ".join(training.blocked_algorithms) or "none",
            }
        )

    def run(self) -> str:
        """Submit the job, or join the one of this data, code and settings; returns its id."""
        spec, budget = self._spec, self._settings.budget
        config = {} if budget is None else {"budget_seconds": budget}
        self._run(TRAIN, [spec.run_asset], {"ops": {spec.run_asset: {"config": config}}})
        return self._job_id

    def link(self) -> Any:
        """The job in Azure ML studio; here its folder."""
        from IPython.display import Markdown

        link = self._status().link
        return Markdown(f"[{self._job_id}]({link})" if "://" in link else f"`{link}`")  # type: ignore[no-untyped-call]

    def wait(self) -> str:
        """Wait until the job has ended; returns its state. An interrupted wait stops no job."""
        told = ""
        for pause in _pauses():
            status = self._status()
            if str(status.state) != told:
                told = str(status.state)
                self._watcher.training(status)
            if status.state.is_terminal:
                break
            time.sleep(pause)
        return told

    def register(self) -> pd.DataFrame:
        """Register the best model as the next version. It is not live: `bikecast run` decides.

        Raises BikecastError with the job's own error where it failed.
        """
        spec = self._spec
        config = {"ops": {spec.model_table: {"config": {"job_id": self._job_id}}}}
        tags = {JOB_TAG: self._job_id}
        self._run(FINISH_TRAINING, [spec.model_table], config, tags)
        facts = self._record.metadata.get(spec.model_table)
        if facts is None:
            raise BikecastError(f"job {self._job_id} has not ended yet: wait for it first")
        version = facts.get("version")
        models = self._here.resources.registry.versions(spec.model_name)
        [entry] = [each for each in models if each.version == version]
        return _table({"model": entry.name, "version": entry.version, **entry.scores})

    def close(self) -> None:
        """Close the event log."""
        atexit.unregister(self.close)
        self._stack.close()

    @property
    def _job_id(self) -> str:
        submission = self._record.metadata.get(self._spec.run_asset)
        if submission is None:
            raise BikecastError("no job was submitted yet: run the cell with `training.run()`")
        return str(submission["job_id"])

    def _status(self) -> JobStatus:
        return self._here.resources.automl.status(self._job_id)

    def _run(
        self,
        job: str,
        assets: Sequence[str],
        config: dict[str, Any] | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        """Materialize assets of a job, alone on this home."""
        import dagster as dg

        keys = [dg.AssetKey(name) for name in assets]
        # A notebook's own thread has an event loop, beside which Dagster starts none.
        with sole_run(self._here.home, self._watcher), ThreadPoolExecutor(1) as thread:
            thread.submit(
                execute_job,
                self._here,
                self._spec.named(job),
                config or {},
                tags or {},
                self._record,
                self._watcher,
                assets=keys,
            ).result()


class _Lines:
    """Tells how the steps go on, a line each."""

    def stage_started(self, stage: str) -> None:
        """Nothing: the end is told."""

    def stage_ended(self, stage: str, seconds: float, note: str) -> None:
        print(f"{stage}: {note} ({seconds:.1f} s)")  # noqa: T201 # it is a notebook's output

    def training(self, status: JobStatus) -> None:
        print(f"{status.job_id} is {status.state}")  # noqa: T201

    def warning(self, text: str) -> None:
        print(f"warning: {text}")  # noqa: T201


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(_LONGEST_PAUSE, pause * 1.3)


def _table(facts: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({"value": facts})
