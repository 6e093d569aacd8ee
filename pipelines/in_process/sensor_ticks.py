"""Sensors evaluated in this process, as the daemon does it, for commands that wait themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import dagster as dg

RUN_KEY_TAG = "dagster/run_key"


@dataclass
class Ticker:
    """Evaluates sensors and keeps their cursors; a run key gets one run."""

    defs: dg.Definitions
    instance: dg.DagsterInstance
    cursors: dict[str, str | None] = field(default_factory=dict)

    def tick(self, sensor: str | dg.SensorDefinition) -> list[tuple[str, dg.RunRequest]]:
        """Evaluate a sensor once; returns the new run requests, each with its job's name."""
        definition = self.defs.resolve_sensor_def(sensor) if isinstance(sensor, str) else sensor
        resources = self.defs.resources or {}
        needed = {n: v for n, v in resources.items() if n in definition.required_resource_keys}
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(definition.name),
            definitions=self.defs,
            resources=needed,
        ) as context:
            evaluation = definition.evaluate_tick(context)
        self.cursors[definition.name] = evaluation.cursor
        return [
            (str(request.job_name or definition.job_name), request)
            for request in evaluation.run_requests or []
            if not self._is_known(request)
        ]

    def tags(self, request: dg.RunRequest) -> dict[str, str]:
        """The tags of a request's run, its run key with them."""
        key = {RUN_KEY_TAG: request.run_key} if request.run_key else {}
        return {**request.tags, **key}

    def pending(self) -> list[str]:
        """The jobs that the cursors still wait for."""
        return [
            str(job)
            for cursor in self.cursors.values()
            for job in json.loads(cursor or "{}").get("pending", ())
        ]

    def _is_known(self, request: dg.RunRequest) -> bool:
        if not request.run_key:
            return False
        of_key = dg.RunsFilter(tags={RUN_KEY_TAG: request.run_key})
        return bool(self.instance.get_runs(of_key, limit=1))
