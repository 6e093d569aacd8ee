"""The training data of an AutoML job, in the datastore that every Azure ML workspace has.

A job reads what it was submitted with, whatever happens to the table. It needs no identity and no
role for that: by default the datastore keeps credentials, which the service uses. A raw URL of the
lake would be read by the compute's identity, which serverless compute does not have:
https://learn.microsoft.com/azure/machine-learning/how-to-administrate-data-authentication
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.automl.port import TrainingRequest
from resources.azure.credentials import TIMEOUTS
from resources.azure.ml_client import blob_container
from resources.azure.refusals import account_id, refused_by_azure
from resources.lake.port import Lake

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import AzureBlobDatastore

DATASTORE = "workspaceblobstore"
#: The folder of all training data in the datastore.
FOLDER = "bikecast-training"
#: The MLTable file: https://learn.microsoft.com/azure/machine-learning/reference-yaml-mltable
MLTABLE = """\
type: mltable
paths:
  - file: ./data.parquet
transformations:
  - read_parquet:
      include_path_column: false
"""


def stage_training_data(client: MLClient, lake: Lake, request: TrainingRequest) -> str:
    """Store features and target of the current table, once a data version; return their URI.

    Of a table with more rows than the spec's `max_rows` the sample that any training takes.
    Keys are left out: AutoML would train on every column it sees. The MLTable file is written last,
    so a folder that has one is whole. The rows pass through a file of this machine in batches.
    Raises BikecastError where the storage account refuses.
    """
    from resources.lake.tables import write_parquet

    spec, most = request.spec, request.spec.training.max_rows
    names = [*spec.feature_names, spec.target.name]
    decided: list[str | int] = [*names, *([most] if most else [])]
    folder = f"{FOLDER}/{spec.training_table}/{request.data_version}-{_digest(decided)}"
    store: Any = client.datastores.get(DATASTORE, include_secrets=True)
    with (
        refused_by_azure(
            f"the training data cannot be stored in {DATASTORE}",
            role="Storage Blob Data Contributor",
            scope=account_id(store.account_name),
            unchanged="No job was submitted",
        ),
        blob_container(store) as container,
    ):
        description = container.get_blob_client(f"{folder}/MLTable")
        if not description.exists(**TIMEOUTS):
            with tempfile.TemporaryDirectory(prefix="bikecast-") as temporary:
                data = Path(temporary) / "data.parquet"
                write_parquet(lake, request.table_path, names, data, spec=spec, most=most)
                with data.open("rb") as content:
                    blob = container.get_blob_client(f"{folder}/data.parquet")
                    blob.upload_blob(content, overwrite=True, **TIMEOUTS)
            description.upload_blob(MLTABLE.encode(), overwrite=True, **TIMEOUTS)
    return f"azureml://datastores/{DATASTORE}/paths/{folder}"


def _digest(decided: Sequence[str | int]) -> str:
    """What tells training tables of one data version apart: their columns, and the sample."""
    return hashlib.sha256(json.dumps(decided).encode()).hexdigest()[:12]


def has_credentials(store: AzureBlobDatastore) -> bool:
    """Whether a datastore keeps a key, a token or a service principal; else identities read it."""
    from azure.ai.ml.entities import NoneCredentialConfiguration

    return not isinstance(store.credentials, NoneCredentialConfiguration | None)
