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
    max_text_bytes: int = 65_536 * 4096
    """The longest batch, in UTF-16: 65,536 packets of 4 KB, as in a dedicated pool."""
    max_tokens: int = 250_000
    """Words and signs of a batch: about 20 s of parsing. A literal or a name is one."""
    session_bytes: int = 2 << 30
    """What the results of one batch take in memory."""
    server_bytes: int = 4 << 30
    """What the results of all sessions of this process take in memory."""
    process_bytes: int = 6 << 30
    """The memory of this process beyond which no long text is made."""
    remembered_vectors: int = 2**18
    """Distinct feature vectors whose scores one PREDICT remembers; 0: it scores every row."""
