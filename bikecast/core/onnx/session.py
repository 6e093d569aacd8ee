"""ONNX Runtime sessions as this project uses them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime

#: MiB that all models of a process may ask for; what they keep counts too.
memory_mb = 2048
_has_arena = False

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
    _make_arena()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 4  # what fails is raised
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


def _make_arena() -> None:
    """Give all sessions of this process one arena: what a model asks for beyond it is an error."""
    import onnxruntime

    global _has_arena  # a cached function would not go to a worker by value
    if _has_arena:
        return
    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    place = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    arena = onnxruntime.OrtArenaCfg({"max_mem": memory_mb << 20, "arena_extend_strategy": 1})
    onnxruntime.create_and_register_allocator(place, arena)
    _has_arena = True


def scores_of(
    session: onnxruntime.InferenceSession,
    columns: Mapping[str, np.ndarray],
    output: str,
    rows_at_once: int | None = None,
) -> np.ndarray:
    """Scores of the rows in order, float32 [rows], from columns of shape [rows].

    A trainer may choose other types than the table has: integers become wider integers or floats,
    floats become floats. The output is the one of that name, else the only one. `rows_at_once` of
    the model's signature bounds the memory.
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
    asked = [output if output in names else names[0]]
    rows = len(next(iter(feed.values()))) if feed else 0
    step = rows_at_once or rows or 1
    parts = [
        session.run(asked, {name: values[start : start + step] for name, values in feed.items()})[0]
        for start in range(0, max(rows, 1), step)
    ]
    return np.concatenate([np.asarray(part, dtype=np.float32).ravel() for part in parts])
