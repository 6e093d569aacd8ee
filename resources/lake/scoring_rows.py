"""The rows to score: read from the lake's CSV, and staged in the form that COPY INTO takes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake, LakeFile

if TYPE_CHECKING:
    import pyarrow as pa

    from resources.lake.csv_file import CsvContent

#: Rows of a file that are shown.
PREVIEW_ROWS = 5


def read_scoring_rows(
    lake: Lake,
    spec: ModelSpec,
    *,
    kept_rows: int = 0,
    take: Callable[[pa.Table], None] | None = None,
) -> CsvContent:
    """The validated scoring CSV of a spec, with its first `kept_rows` rows; keys are optional.

    `take` gets all rows, block by block, before the file is known to be right.
    Raises InvalidInput with file, line and column of what is wrong.
    """
    from resources.lake.csv_file import read_scoring_csv
    from resources.lake.raw_files import engine_path

    with lake.local_copy(engine_path(lake, spec.scoring_file, spec, "scoring")) as path:
        return read_scoring_csv(
            path, spec, source_name=spec.scoring_file, kept_rows=kept_rows, take=take
        )


def stage_scoring_rows(
    lake: Lake,
    spec: ModelSpec,
    *,
    name: str = "",
    only: Callable[[pa.Table], pa.Table] | None = None,
) -> tuple[CsvContent, LakeFile]:
    """Number the rows and store them in the lake: forecast_row, keys, features, empty for NULL.

    `only` picks the rows, block by block, of a file of another `name`.
    """
    from resources.lake.csv_file import scoring_rows_file

    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder) / f"{name or spec.scoring_table}.csv"
        with scoring_rows_file(spec, staged, only) as take:
            content = read_scoring_rows(lake, spec, kept_rows=PREVIEW_ROWS, take=take)
        return content, lake.put(f"staging/{staged.name}", staged)
