"""What runs in Spark's workers: rows in, rows with scores out, by ONNX Runtime.

It is pickled by value or shipped in the job's archive, and needs NumPy, PyArrow and ONNX Runtime
there, nothing of this project but `bikecast.core.onnx.session`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from bikecast.core.onnx.session import one_thread_session, scores_of

if TYPE_CHECKING:
    import pyarrow as pa

Scorer = Callable[[Iterator["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]


def row_scorer(
    model: bytes, digest: str, features: Sequence[tuple[str, str]], output: str
) -> Scorer:
    """A function for `mapInArrow` that appends the column `output` (float32) to each batch.

    `features` are names and NumPy types. `digest` (SHA-256 in hex) is that of the bytes which
    `bikecast.core.onnx.contract` checked; other bytes are not loaded. The function raises
    ValueError for a missing value of a feature, what `scores_of` raises, and what ONNX Runtime
    raises.
    """

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import hashlib

        import numpy as np
        import pyarrow as pa

        if hashlib.sha256(model).hexdigest() != digest:
            raise ValueError(f"the model is not the one that was checked ({digest})")
        session = one_thread_session(model)
        inputs = {entry.name for entry in session.get_inputs()}
        used = [(name, dtype) for name, dtype in features if name in inputs]
        for batch in batches:
            columns = {}
            for name, dtype in used:
                values = batch.column(batch.schema.get_field_index(name))
                if values.null_count:
                    raise ValueError(f"{values.null_count} rows have no {name}")
                columns[name] = values.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
            scores = np.empty(0, dtype=np.float32)
            if batch.num_rows:
                scores = scores_of(session, columns, output)
            yield pa.RecordBatch.from_arrays(
                [*batch.columns, pa.array(scores, pa.float32())],
                names=[*batch.schema.names, output],
            )

    return score
