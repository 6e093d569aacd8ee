"""The code location of the simulation: the project's own, with the small AutoML."""

from dataclasses import replace
from functools import cache

import dagster as dg

from pipelines.build import build_definitions
from pipelines.environments import Resources, local_resources
from pipelines.home import Home
from pipelines.model_files import load_models
from pipelines.settings import Settings, load_settings
from tests.simulation.small_automl import SmallAutoML


def resources(settings: Settings) -> Resources:
    """The local adapters but for the training."""
    home = Home.of(settings)
    small = SmallAutoML(jobs_dir=str(home.jobs), lake_root=str(home.lake))
    return replace(local_resources(settings, load_models()), automl=small)


def definitions() -> dg.Definitions:
    """What Dagster loads; the home is that of the environment."""
    return _definitions(load_settings().model_dump_json())


@cache
def _definitions(_: str) -> dg.Definitions:
    settings = load_settings(daily_partitions=True)
    return build_definitions(settings, resources(settings), load_models())
