"""The base of the adapters of one machine: settings and no Dagster, whose import takes a second."""

from pydantic import BaseModel, ConfigDict


class Adapter(BaseModel):
    """Plain settings that do not change; `pipelines.dagster_resources` shows them to Dagster."""

    model_config = ConfigDict(frozen=True, extra="forbid")
