"""The code location: what `dagster` and `dg` load."""

from __future__ import annotations

from pipelines.build import build_definitions
from pipelines.environments import resources_for
from pipelines.models import load_models
from pipelines.settings import load_settings

_settings = load_settings()
_models = load_models()

defs = build_definitions(_settings, resources_for(_settings, _models), _models)
