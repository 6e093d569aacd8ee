"""The rows to score: read from the lake's CSV, and staged in the form that COPY INTO takes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake, LakeFile

if TYPE_CHECKING:
    from resources.lake.csv_file import CsvContent


def read_scoring_rows(lake: Lake, spec: ModelSpec) -> CsvContent:
    """The validated scoring CSV of a spec; keys are optional.

    Raises InvalidInput with file, line and column of what is wrong.
    """
    from resources.lake.csv_file import read_scoring_csv
    from resources.lake.raw_files import engine_path

    with lake.local_copy(engine_path(lake, spec.scoring_file, spec, "scoring")) as path:
        return read_scoring_csv(path, spec, source_name=spec.scoring_file)


def stage_scoring_rows(lake: Lake, spec: ModelSpec) -> tuple[CsvContent, LakeFile]:
    """Number the rows and store them in the lake: forecast_row, keys, features, empty for NULL."""
    from resources.lake.csv_file import normalize_scoring_csv

    content = read_scoring_rows(lake, spec)
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder) / f"{spec.scoring_table}.csv"
        normalize_scoring_csv(content, spec, staged)
        return content, lake.put(f"staging/{staged.name}", staged)
