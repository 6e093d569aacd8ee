"""Folders of training jobs that no event tells of: their run was killed while it submitted them."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.spec import ModelSpec
from pipelines.event_log.port import EventLog
from resources.automl.embedded import LocalAutoML
from resources.automl.port import AutoML

if TYPE_CHECKING:
    import dagster as dg

#: Younger ones may still get their event, or be joined by the next run.
OLD_SECONDS = 24 * 3600.0


def orphan_jobs(log: EventLog, spec: ModelSpec, automl: AutoML) -> list[Path]:
    """Ended jobs of this machine that no run submitted as far as the event log knows.

    A later attempt at the same training needs the folders of the earlier ones to count on, so
    only the last attempt is one.
    """
    if not isinstance(automl, LocalAutoML):
        return []
    pattern = re.compile(rf"({re.escape(spec.model_name)}-[0-9a-f]{{12}})-(\d+)")
    folders = {
        match.groups(): path
        for path in Path(automl.jobs_dir).glob("*")
        if (match := pattern.fullmatch(path.name)) and path.is_dir()
    }
    old = {
        key: path
        for key, path in folders.items()
        if time.time() - path.stat().st_mtime > OLD_SECONDS
        and (key[0], str(int(key[1]) + 1)) not in folders
    }
    if not old:
        return []
    submitted = {event.data_version for event in log.materializations(spec.run_asset)}
    return sorted(
        path
        for path in old.values()
        if path.name not in submitted and automl.status(path.name).state.is_terminal
    )


def clean_up_orphan_jobs(
    instance: dg.DagsterInstance, spec: ModelSpec, automl: AutoML
) -> list[str]:
    """Remove them; returns their names. What is killed on the way is removed the next time."""
    from pipelines.event_log.dagster_log import DagsterLog

    orphans = orphan_jobs(DagsterLog(instance), spec, automl)
    for path in orphans:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in orphans]
