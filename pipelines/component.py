"""What `dg` finds, and what users import: the component of models with what scaffolds its file.

The class is in a module of its own, because its scaffolder reads files by it.
"""

from __future__ import annotations

import dagster as dg

from pipelines import forecast_model
from pipelines.scaffold import ModelScaffolder

__all__ = ["ForecastModel"]

ForecastModel = dg.scaffold_with(ModelScaffolder)(forecast_model.ForecastModel)
