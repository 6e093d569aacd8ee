"""What a pool takes at most: time, models, memory."""

from __future__ import annotations

from dataclasses import dataclass

from bikecast.core.onnx.contract import MAX_MODEL_BYTES


@dataclass(frozen=True)
class Limits:
    """The limits of one pool."""

    wait_seconds: float = 60.0
    """How long a session waits while another process has the file."""
    max_model_bytes: int = MAX_MODEL_BYTES
    """The largest ONNX model that PREDICT loads."""
    remembered_vectors: int = 2**18
    """Distinct feature vectors whose scores one PREDICT remembers; 0: it scores every row."""
