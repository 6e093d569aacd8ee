"""ONNX Runtime sessions as this project uses them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime

#: NumPy types by ONNX Runtime's names of the types that inputs of a table's model may have.
_INPUT_TYPES = {
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(string)": "object",
}


def one_thread_session(model: bytes) -> onnxruntime.InferenceSession:
    """A session of a checked model on one thread; ONNX Runtime's telemetry is switched off.

    One thread a call makes a prediction independent of its batch. Raises ValueError where this
    machine lacks the locale of a model's texts, and what ONNX Runtime raises for a model that it
    cannot load.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        locale = re.search(r"Failed to construct locale with name:([\w.-]+)", str(error))
        if locale is None:
            raise
        raise ValueError(
            f"the model's StringNormalizer needs the locale {locale[1]}, which this machine lacks; "
            "install it (Debian: the package locales-all)"
        ) from error


def scores_of(
    session: onnxruntime.InferenceSession, columns: Mapping[str, np.ndarray], output: str
) -> np.ndarray:
    """Scores of the rows in order, float32 [rows], from columns of shape [rows].

    A trainer may choose other types than the table has: integers become wider integers or floats,
    floats become floats. The output is the one of that name, else the only one.
    Raises ValueError for an input that is no column or that would change a column's values, and for
    outputs that do not fit.
    """
    import numpy as np

    feed = {}
    for entry in session.get_inputs():
        if entry.name not in columns:
            raise ValueError(f"the model asks for {entry.name}, which the rows do not have")
        values = columns[entry.name]
        wanted = np.dtype(_INPUT_TYPES.get(entry.type, "bool"))
        fits = (values.dtype.kind == "O") == (wanted.kind == "O")
        if not fits or not np.can_cast(values.dtype, wanted, casting="same_kind"):
            raise ValueError(f"the model wants {entry.name} as {entry.type}, not {values.dtype}")
        typed = values.astype(wanted, copy=False)
        if wanted.kind == "i" and not np.array_equal(typed, values):
            raise ValueError(f"{entry.name} has values beyond {entry.type}, which the model wants")
        feed[entry.name] = typed.reshape((-1, 1)[: len(entry.shape)])
    names = [entry.name for entry in session.get_outputs()]
    if output not in names and len(names) != 1:
        raise ValueError(f"the model has the outputs {', '.join(names)} and none named {output}")
    scores = session.run([output if output in names else names[0]], feed)[0]
    rows = len(next(iter(feed.values()))) if feed else 0
    return np.asarray(scores, dtype=np.float32).reshape(rows)
