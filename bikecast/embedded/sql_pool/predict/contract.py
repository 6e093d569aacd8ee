"""PREDICT's contract between a model, its data and the WITH clause, and the models at work.

Source: https://learn.microsoft.com/sql/t-sql/queries/predict-transact-sql (Azure Synapse). The
numbers of Synapse's errors are not published, except 39096.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bikecast.core.errors import ModelRejected
from bikecast.core.onnx.contract import ModelSignature, Tensor, inspect_model, model_digest
from bikecast.core.onnx.session import one_thread_session
from bikecast.embedded.sql_pool.errors import SqlError, failure
from bikecast.embedded.sql_pool.values.types import SqlType

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession, RunOptions


#: SQL types that an ONNX element type matches; nothing is converted on the way.
SQL_TYPES = {
    "INT32": ("int",),
    "INT64": ("bigint",),
    "FLOAT": ("real",),
    "DOUBLE": ("float",),
    "STRING": ("varchar", "char", "nvarchar"),
}


def refused(reason: str) -> SqlError:
    """The error of a model that was checked and not loaded, in Synapse's words where known."""
    if "corrupt or invalid" in reason:
        reason = "HRESULT 0x80070057. Model is corrupt or invalid."
    return failure("39051", reason)


def check_contract(
    signature: ModelSignature,
    data: list[tuple[str, SqlType]],
    outputs: list[tuple[str, SqlType]],
) -> None:
    """Check a model against the data's columns and the WITH clause; names match exactly.

    Raises SqlError with Synapse's texts, where they are known.
    """
    if not signature.inputs:
        raise refused("the model has no input; PREDICT scores one input a column")
    types = dict(data)
    for position, tensor in enumerate(signature.inputs, 1):
        _check_shape("Input", position, tensor)
        _check_type(tensor, types.get(tensor.name))
    for position, tensor in enumerate(signature.outputs, 1):
        _check_shape("Output", position, tensor)
    _check_outputs(signature, outputs)


def _check_shape(side: str, position: int, tensor: Tensor) -> None:
    shape = tensor.shape
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        if shape[0] is None:
            return
        raise failure("39051c", side, position, shape[0])
    text = ",".join("1" if axis is None else str(axis) for axis in shape)
    raise failure("39051b", side, position, text)


def _check_type(tensor: Tensor, column: SqlType | None) -> None:
    expected = SQL_TYPES.get(tensor.type)
    if expected is None:
        raise failure("39051d", tensor.name, tensor.type)
    if column is None:
        raise failure("39051g", tensor.name)
    if column.name not in expected:
        raise failure("39051e", tensor.name, expected[0])


def _check_outputs(signature: ModelSignature, outputs: list[tuple[str, SqlType]]) -> None:
    declared = {name: type_.name for name, type_ in outputs}
    returned = {tensor.name: SQL_TYPES.get(tensor.type, ()) for tensor in signature.outputs}
    if (
        len(declared) == len(outputs)
        and declared.keys() == returned.keys()
        and all(declared[name] in expected for name, expected in returned.items())
    ):
        return
    schema = ", ".join(
        f"{tensor.name} {SQL_TYPES.get(tensor.type, (tensor.type,))[0]}"
        for tensor in signature.outputs
    )
    raise failure("39096", schema)


KEPT_MODELS = 4
#: Fewer rows are not worth another thread.
MIN_ROWS_A_THREAD = 256
#: Calls after an overlap of two that do not split their rows: other threads are at work.
CALLS_TO_STAY_WHOLE = 64
CORES = os.cpu_count() or 1

Vectors = Mapping[str, "NDArray"]
_models: OrderedDict[str, LoadedModel] = OrderedDict()
_locks: dict[str, threading.Lock] = {}
_loading = threading.Lock()


class Runs:
    """The running calls of one session; they are in DuckDB's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[RunOptions] = set()

    @contextlib.contextmanager
    def one(self) -> Iterator[RunOptions]:
        """Options for one call, which `terminate` reaches while the block runs."""
        from onnxruntime import RunOptions

        options = RunOptions()
        options.log_severity_level = 4
        with self._lock:
            self._running.add(options)
        try:
            yield options
        finally:
            with self._lock:
                self._running.discard(options)

    def terminate(self) -> None:
        """End the calls that run now, each behind the operator that it is at."""
        with self._lock:
            for options in self._running:
                options.terminate = True


class LoadedModel:
    """A model that passed its checks; several threads may run it at once."""

    def __init__(self, model: bytes, signature: ModelSignature) -> None:
        self.signature = signature
        self._session = _session(model)
        self._lock = threading.Lock()
        self._running = 0
        self._whole = 0
        self._helpers: ThreadPoolExecutor | None = None

    def run(self, inputs: Vectors, runs: Runs) -> list[NDArray]:
        """The outputs, each of shape (rows,), for inputs of shape (rows,); `runs` may end it.

        Raises what ONNX Runtime raises, for example for a text that no category matches.
        """
        rows = len(next(iter(inputs.values()))) if inputs else 0
        with self._lock:
            self._running += 1
            if self._running > 1:
                self._whole = CALLS_TO_STAY_WHOLE
            elif self._whole:
                self._whole -= 1
            parts = 1 if self._whole else max(1, min(CORES, rows // MIN_ROWS_A_THREAD))
            if parts > 1 and self._helpers is None:
                self._helpers = ThreadPoolExecutor(CORES - 1, thread_name_prefix="predict")
        try:
            if parts == 1:
                return self._call(inputs, runs)
            return self._split(inputs, rows, parts, runs)
        finally:
            with self._lock:
                self._running -= 1

    def _split(self, inputs: Vectors, rows: int, parts: int, runs: Runs) -> list[NDArray]:
        import numpy as np

        assert self._helpers is not None  # noqa: S101 # run made them
        ends = [rows * part // parts for part in range(parts + 1)]
        slices = [
            {name: vector[start:end] for name, vector in inputs.items()}
            for start, end in itertools.pairwise(ends)
        ]
        others = [self._helpers.submit(self._call, part, runs) for part in slices[1:]]
        results = [self._call(slices[0], runs), *(other.result() for other in others)]
        return [np.concatenate(pieces) for pieces in zip(*results, strict=True)]

    def _call(self, inputs: Vectors, runs: Runs) -> list[NDArray]:
        feeds = {
            tensor.name: inputs[tensor.name].reshape((-1, 1)[: len(tensor.shape)])
            for tensor in self.signature.inputs
        }
        rows = len(next(iter(feeds.values())))
        step = self.signature.rows_at_once
        if rows <= step:
            with runs.one() as options:
                return [output.reshape(-1) for output in self._session.run(None, feeds, options)]
        import numpy as np

        pieces = []
        for start in range(0, rows, step):  # a wide model: memory is given back at once
            part = {name: vector[start : start + step] for name, vector in feeds.items()}
            with runs.one() as options:
                options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
                pieces.append([each.reshape(-1) for each in self._session.run(None, part, options)])
        return [np.concatenate(each) for each in zip(*pieces, strict=True)]


def load_model(model: bytes, max_bytes: int) -> LoadedModel:
    """Check a model and load it, or take the loaded one of the same digest.

    Raises ModelRejected for a model that `bikecast.core.onnx.contract` refuses, and for one that
    ONNX Runtime cannot load.
    """
    if len(model) > max_bytes:
        inspect_model(model, max_bytes=max_bytes)  # says why
    digest = model_digest(model)
    with _loading:
        lock = _locks.setdefault(digest, threading.Lock())
    with lock:  # of this model alone: a large one keeps no other waiting
        with _loading:
            loaded = _models.get(digest)
        if loaded is None:
            loaded = LoadedModel(model, inspect_model(model, max_bytes=max_bytes))
        with _loading:
            _models[digest] = loaded
            _models.move_to_end(digest)
            _locks.pop(digest, None)
            while len(_models) > KEPT_MODELS:
                _models.popitem(last=False)
        return loaded


def _session(model: bytes) -> InferenceSession:
    try:
        return one_thread_session(model)
    except ValueError as error:
        raise ModelRejected(str(error)) from error
    except Exception as error:  # ONNX Runtime has no base class of its errors
        raise ModelRejected("Model is corrupt or invalid") from error
