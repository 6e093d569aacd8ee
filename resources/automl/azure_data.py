"""The training data of an Azure ML job: a snapshot in the lake, readable as an MLTable."""

from __future__ import annotations

import tempfile
from pathlib import Path

from resources.automl.port import TrainingRequest
from resources.lake.port import Lake

#: The MLTable file: https://learn.microsoft.com/azure/machine-learning/reference-yaml-mltable
MLTABLE = """\
type: mltable
paths:
  - file: ./data.parquet
transformations:
  - read_parquet:
      include_path_column: false
"""


def stage_training_data(lake: Lake, request: TrainingRequest) -> str:
    """Store features and target of the current table under the data version; return its URL.

    Keys are left out: AutoML would train on every column it sees. Content that is there already
    is not written again.
    """
    import pyarrow.parquet as pq

    from resources.lake.tables import read_table

    spec = request.spec
    folder = f"training/{spec.training_table}/{request.data_version}"
    table = read_table(lake, request.table_path, [*spec.feature_names, spec.target.name])
    with tempfile.TemporaryDirectory(prefix="bikecast-") as temporary:
        data, description = Path(temporary) / "data.parquet", Path(temporary) / "MLTable"
        pq.write_table(table, data)
        description.write_text(MLTABLE, encoding="utf-8")
        lake.put(f"{folder}/data.parquet", data)
        lake.put(f"{folder}/MLTable", description)
    return lake.url(folder)
