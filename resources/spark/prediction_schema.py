"""The Arrow schema of a Delta table of predictions: the columns of the pool's table."""

from __future__ import annotations

import pyarrow as pa

from bikecast.core.spec import ModelSpec
from bikecast.core.sql_types import arrow_schema
from resources.spark.scoring import source_columns


def predictions_schema(spec: ModelSpec) -> pa.Schema:
    """What was read, the score, and the stamp, in the order of the pool's columns."""
    text = ("model_digest", "data_version", "code_version", "run_id")
    return pa.schema(
        [
            *arrow_schema(source_columns(spec)),
            pa.field(spec.output, pa.float32()),
            pa.field("model_version", pa.int32()),
            *[pa.field(name, pa.string()) for name in text],
            pa.field("predicted_at", pa.timestamp("us", tz="UTC")),
        ]
    )
