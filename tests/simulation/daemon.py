"""Dagster's daemon at simulated times: its own evaluation of schedules, sensors and conditions."""

import datetime as dt
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.remote_representation.external import RemoteSchedule, RemoteSensor
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.asset_daemon import AssetDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs

#: Runs are executed at once, in this process; all else is Dagster's default.
INSTANCE = {
    "run_launcher": {
        "module": "dagster._core.launcher.sync_in_memory_run_launcher",
        "class": "SyncInMemoryRunLauncher",
    },
    "run_coordinator": {
        "module": "dagster._core.run_coordinator",
        "class": "DefaultRunCoordinator",
    },
    "telemetry": {"enabled": False},
}
log = logging.getLogger("simulated-daemon")


class SimulatedDaemon:
    """One iteration of each of Dagster's loops, in order, at the time the clock shows."""

    def __init__(self, workspace: WorkspaceProcessContext, start: dt.datetime) -> None:
        self.workspace = workspace
        self.now = start
        self._schedules: dict = {}
        self._automation = AssetDaemon(settings={}, pre_sensor_interval_seconds=0)

    @property
    def instance(self) -> dg.DagsterInstance:
        return self.workspace.instance

    def switch_on(self, *names: str) -> None:
        """The switches under Automation in the UI."""
        self._switch(names, self.instance.start_sensor, self.instance.start_schedule)

    def switch_off(self, *names: str) -> None:
        """The same switches."""
        instance = self.instance

        def stop(item: RemoteSensor | RemoteSchedule) -> None:
            end = instance.stop_sensor if isinstance(item, RemoteSensor) else instance.stop_schedule
            end(item.get_remote_origin_id(), item.selector_id, item)

        self._switch(names, stop, stop)

    def _switch(
        self,
        names: Sequence[str],
        sensor: Callable[[RemoteSensor], object],
        schedule: Callable[[RemoteSchedule], object],
    ) -> None:
        with freeze_time(self.now):
            [entry] = self.workspace.create_request_context().get_code_location_entries().values()
            [repository] = entry.code_location.get_repositories().values()
            for name in names:
                if repository.has_sensor(name):
                    sensor(repository.get_sensor(name))
                else:
                    schedule(repository.get_schedule(name))

    def tick(self, now: dt.datetime) -> None:
        """Set the clock and evaluate schedules, sensors and conditions once."""
        self.now = now
        with freeze_time(now):
            list(launch_scheduled_runs(self.workspace, log, now, self._schedules))
            list(execute_sensor_iteration(self.workspace, log, None, None))
            self._automation._run_iteration_impl(self.workspace, None, {}, {})

    def launch(self, job: str, run_config: dict | None = None, **tags: str) -> dg.DagsterRun:
        """A person launches a job from the UI; returns its run when it has ended."""
        from tests.simulation.location import definitions

        with freeze_time(self.now):
            done = (
                definitions()
                .resolve_job_def(job)
                .execute_in_process(
                    instance=self.instance, run_config=run_config, tags=tags, raise_on_error=False
                )
            )
        return self.instance.get_run_by_id(done.run_id)


@contextmanager
def simulated_daemon(start: dt.datetime, folder: Path) -> Iterator[SimulatedDaemon]:
    """A daemon on its own persistent instance; the code location is that of the simulation."""
    folder.mkdir(parents=True, exist_ok=True)
    target = LoadableTargetOrigin(
        executable_path=sys.executable,
        module_name="tests.simulation.location",
        attribute="definitions",
        working_directory=str(Path(__file__).parents[2]),
    )
    load = InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(target))
    with (
        dg.instance_for_test(overrides=INSTANCE, temp_dir=str(folder)) as instance,
        create_test_daemon_workspace_context(load, instance) as workspace,
    ):
        yield SimulatedDaemon(workspace, start)
