"""What `dg` finds: the component of models, and what scaffolds its file."""

from __future__ import annotations

import dagster as dg

from pipelines import forecast_model
from pipelines.scaffold import ModelScaffolder

__all__ = ["ForecastModel"]

ForecastModel = dg.scaffold_with(ModelScaffolder)(forecast_model.ForecastModel)
