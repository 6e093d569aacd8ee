"""Scores of an Arrow table by ONNX Runtime, outside the pool: the reference for PREDICT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bikecast.core.spec import ModelSpec
from bikecast.core.sql_types import type_names

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def score_table(model: bytes, spec: ModelSpec, table: pa.Table) -> np.ndarray:
    """Predictions of the rows in order, float64 [rows]; the table has the spec's features.

    Raises ModelRejected for a model that breaks the contract of PREDICT.
    """
    import numpy as np

    from bikecast.core.onnx.contract import inspect_model
    from bikecast.core.onnx.session import one_thread_session

    inspect_model(model)
    session = one_thread_session(model)
    inputs = {entry.name for entry in session.get_inputs()}
    feed = {}
    for column in spec.features:
        if column.name in inputs:
            values = table[column.name].to_numpy(zero_copy_only=False)
            feed[column.name] = values.astype(type_names(column).numpy)[:, None]
    output = session.run([spec.output], feed)[0]
    return np.asarray(output, dtype=np.float64).reshape(table.num_rows)
