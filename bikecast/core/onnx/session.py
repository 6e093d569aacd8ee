"""ONNX Runtime sessions as this project uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnxruntime


def one_thread_session(model: bytes) -> onnxruntime.InferenceSession:
    """A session of a checked model on one thread; ONNX Runtime's telemetry is switched off.

    One thread a call makes a prediction independent of its batch. Raises what ONNX Runtime
    raises for a model that it cannot load.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
