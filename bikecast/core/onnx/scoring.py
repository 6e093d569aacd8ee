"""Scores of an Arrow table by ONNX Runtime, outside the pool: the reference for PREDICT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bikecast.core.errors import ModelRejected
from bikecast.core.spec import ModelSpec
from bikecast.core.sql_types import type_names

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def score_table(model: bytes, spec: ModelSpec, table: pa.Table) -> np.ndarray:
    """Predictions of the rows in order, float64 [rows]; the table has the spec's features.

    Raises ModelRejected for a model that `bikecast.core.onnx.contract` refuses or whose inputs and
    output do not fit the spec.
    """
    import numpy as np

    from bikecast.core.onnx.contract import inspect_model
    from bikecast.core.onnx.session import one_thread_session, scores_of

    signature = inspect_model(model)
    columns = {
        column.name: table[column.name]
        .to_numpy(zero_copy_only=False)
        .astype(type_names(column).numpy)
        for column in spec.features
    }
    try:
        scores = scores_of(
            one_thread_session(model), columns, spec.model_output, signature.rows_at_once
        )
    except ValueError as error:
        raise ModelRejected(str(error)) from error
    return scores.astype(np.float64)
