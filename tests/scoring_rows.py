"""A file of rows to score, as COPY INTO takes it."""

import io
from pathlib import Path

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bikecast.core.spec import FORECAST_ROW, ModelSpec
from bikecast.core.sql_types import arrow_schema


def write_rows(path: Path, spec: ModelSpec, *lines: str) -> str:
    """Write lines of forecast_row, keys and features with the spec's types; returns the URL."""
    schema = arrow_schema((FORECAST_ROW, *spec.keys, *spec.features))
    rows = pa_csv.read_csv(
        io.BytesIO("\n".join(lines).encode()),
        pa_csv.ReadOptions(column_names=schema.names),
        convert_options=pa_csv.ConvertOptions(
            column_types=schema, strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )
    pq.write_table(rows, path)
    return f"file://{path}"
