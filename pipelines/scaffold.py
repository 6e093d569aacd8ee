"""`dg scaffold defs pipelines.component.ForecastModel NAME --csv FILE --target COLUMN`."""

from __future__ import annotations

import dagster as dg
from pydantic import BaseModel, Field


class ModelParams(BaseModel):
    """The options, as of `bikecast new-model`."""

    csv: str = Field(description="Training CSV with a header: path or URL")
    target: str = Field(description="The number to predict")
    key: list[str] = Field([], description="Columns that tell rows apart")
    time: str | None = Field(None, description="Key that orders the rows in time")
    metric: str = Field("spearman_correlation", description="What the training maximizes")
    forecast: str | None = Field(None, description="CSV with the rows to score: path or URL")
    rename: list[str] = Field([], description="COLUMN=NAME, where the files call a column NAME")


class ModelScaffolder(dg.Scaffolder[ModelParams]):
    """Makes the file of a new model from a CSV, as `bikecast new-model` does."""

    @classmethod
    def get_scaffold_params(cls) -> type[ModelParams]:
        """The options of the command."""
        return ModelParams

    def scaffold(self, request: dg.ScaffoldRequest[ModelParams]) -> None:
        """Infer and write. Raises InvalidInput, and leaves nothing then."""
        from pipelines.new_model import Wish, make_model
        from resources.lake.csv_format import renamed_columns

        wanted, place = request.params, request.target_path
        wish = Wish(
            name=place.name,
            csv=wanted.csv,
            target=wanted.target,
            keys=tuple(wanted.key),
            time=wanted.time,
            metric=wanted.metric,
            forecast=wanted.forecast,
            columns=renamed_columns(wanted.rename),
        )
        make_model(wish, place.parent)
