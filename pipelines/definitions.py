"""The code location: what `dagster` and `dg` load."""

from __future__ import annotations

import dagster as dg

from pipelines.build import build_definitions
from pipelines.environments import resources_for
from pipelines.model_files import load_models, other_definitions
from pipelines.settings import load_settings

_settings = load_settings()
_models = load_models()

defs = dg.Definitions.merge(
    build_definitions(_settings, resources_for(_settings, _models), _models), *other_definitions()
)
