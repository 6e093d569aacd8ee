"""Folders of training jobs that no event tells of: their run was killed while it submitted them."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import dagster as dg

from assets.events import DATA_VERSION_TAG
from bikecast.core.spec import ModelSpec
from resources.automl.embedded import LocalAutoML
from resources.automl.port import AutoML

#: Younger ones may still get their event, or be joined by the next run.
OLD_SECONDS = 24 * 3600.0


def orphan_jobs(instance: dg.DagsterInstance, spec: ModelSpec, automl: AutoML) -> list[Path]:
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
    submitted = _submitted(instance, spec)
    return sorted(
        path
        for path in old.values()
        if path.name not in submitted and automl.status(path.name).state.is_terminal
    )


def clean_up_orphan_jobs(
    instance: dg.DagsterInstance, spec: ModelSpec, automl: AutoML
) -> list[str]:
    """Remove them; returns their names. What is killed on the way is removed the next time."""
    orphans = orphan_jobs(instance, spec, automl)
    for path in orphans:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in orphans]


def _submitted(instance: dg.DagsterInstance, spec: ModelSpec) -> set[str]:
    """The ids of all jobs that runs have submitted."""
    submitted: set[str] = set()
    cursor: str | None = None
    while True:
        page = instance.fetch_materializations(
            dg.AssetKey(spec.run_asset), limit=1000, cursor=cursor
        )
        for record in page.records:
            event = record.asset_materialization
            submitted.add((event.tags or {}).get(DATA_VERSION_TAG, "") if event else "")
        cursor = page.cursor
        if not page.has_more:
            return submitted
