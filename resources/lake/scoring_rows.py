"""The rows to score, as every engine reads them: a Parquet file of the lake, numbered."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bikecast.core.errors import InvalidInput
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake, LakeFile

if TYPE_CHECKING:
    import pyarrow.dataset as ds


@dataclass(frozen=True)
class ScoringRows:
    """Validated rows of forecast_row, keys and features, in order of the scoring CSV's.

    `dataset` reads only the columns and rows that it is asked for. Keys that the CSV lacks are
    listed in `absent` and null.
    """

    file: LakeFile
    dataset: ds.Dataset
    absent: tuple[str, ...]


def scoring_rows(lake: Lake, spec: ModelSpec) -> ScoringRows:
    """The rows to score of a spec; where nobody has read the CSV yet, it is read now.

    Raises InvalidInput with file, line and column of what is wrong, or where there is none.
    """
    from resources.lake.raw_files import engine_path, kept_content
    from resources.lake.tables import open_parquet

    path = engine_path(lake, spec.scoring_file, spec, "scoring")
    content, file = kept_content(lake, spec.scoring_file, spec), lake.stat(path)
    if content is None or file is None:
        raise InvalidInput(
            f"{spec.scoring_file} in the lake was replaced while it was read. Nothing was "
            "changed; run again"
        )
    return ScoringRows(file, open_parquet(lake, file), content.absent)


def stage_some_rows(lake: Lake, rows: ScoringRows, only: ds.Expression, name: str) -> LakeFile:
    """Store some of the rows in a file of another `name`, for COPY INTO."""
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
        some = Path(folder) / "rows.parquet"
        scanner = rows.dataset.scanner(filter=only)
        with pq.ParquetWriter(some, rows.dataset.schema) as writer:
            for batch in scanner.to_batches():
                writer.write_batch(batch)
        return lake.put(f"staging/{name}.parquet", some)
