"""Job folders without a submission: found, and removed."""

import os
from pathlib import Path

import dagster as dg
import pytest

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.event_log.dagster_log import DagsterLog
from pipelines.in_process.orphan_jobs import OLD_SECONDS, clean_up_orphan_jobs, orphan_jobs
from resources.automl.embedded import LocalAutoML

BASE = f"{SPEC.model_name}-0123456789ab"


@pytest.fixture
def automl(tmp_path):
    return LocalAutoML(jobs_dir=str(tmp_path / "jobs"), lake_root=str(tmp_path))


def folder(automl, name: str, *, is_old: bool = True) -> Path:
    path = Path(automl.jobs_dir) / name
    path.mkdir(parents=True)
    if is_old:
        then = path.stat().st_mtime - OLD_SECONDS - 1
        os.utime(path, (then, then))
    return path


def test_an_old_job_that_no_run_submitted_is_removed(automl):
    orphan = folder(automl, f"{BASE}-1")
    with dg.DagsterInstance.ephemeral() as instance:
        assert orphan_jobs(DagsterLog(instance), SPEC, automl) == [orphan]
        assert clean_up_orphan_jobs(instance, SPEC, automl) == [orphan.name]
    assert not orphan.exists()


def test_submitted_young_earlier_and_foreign_folders_stay(automl):
    submitted = folder(automl, f"{BASE}-7")
    folder(automl, f"{SPEC.model_name}-aaaaaaaaaaaa-1", is_old=False)
    folder(automl, f"{SPEC.model_name}-bbbbbbbbbbbb-1")
    folder(automl, f"{SPEC.model_name}-bbbbbbbbbbbb-2", is_old=False)
    folder(automl, "trials")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(SPEC.run_asset, tags={"dagster/data_version": submitted.name})
        )
        assert clean_up_orphan_jobs(instance, SPEC, automl) == []
