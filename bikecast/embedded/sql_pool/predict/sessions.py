"""Checked ONNX models in ONNX Runtime, kept by digest.

A model runs on one thread a call, whatever the number of rows: with more, ONNX Runtime adds up
the trees of a small batch in another order, and a prediction would depend on the batch that its
row came in. Rows are shared among threads here instead, which costs less processor time too.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from bikecast.core.errors import ModelRejected
from bikecast.core.onnx.contract import ModelSignature, inspect_model, model_digest
from bikecast.core.onnx.session import one_thread_session

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

KEPT_MODELS = 4
#: Fewer rows are not worth another thread.
MIN_ROWS_A_THREAD = 256
#: Calls after an overlap of two that do not split their rows: other threads are at work.
CALLS_TO_STAY_WHOLE = 64
CORES = os.cpu_count() or 1

Vectors = Mapping[str, "NDArray"]
_models: OrderedDict[str, LoadedModel] = OrderedDict()
_loading = threading.Lock()


class LoadedModel:
    """A model that passed its checks; several threads may run it at once."""

    def __init__(self, model: bytes, signature: ModelSignature) -> None:
        self.signature = signature
        self._session = _session(model)
        self._lock = threading.Lock()
        self._running = 0
        self._whole = 0
        self._helpers: ThreadPoolExecutor | None = None

    def run(self, inputs: Vectors) -> list[NDArray]:
        """The outputs, each of shape (rows,), for inputs of shape (rows,).

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
            return self._call(inputs) if parts == 1 else self._split(inputs, rows, parts)
        finally:
            with self._lock:
                self._running -= 1

    def _split(self, inputs: Vectors, rows: int, parts: int) -> list[NDArray]:
        assert self._helpers is not None  # noqa: S101 # run made them
        ends = [rows * part // parts for part in range(parts + 1)]
        slices = [
            {name: vector[start:end] for name, vector in inputs.items()}
            for start, end in itertools.pairwise(ends)
        ]
        others = [self._helpers.submit(self._call, part) for part in slices[1:]]
        results = [self._call(slices[0]), *(other.result() for other in others)]
        return [np.concatenate(pieces) for pieces in zip(*results, strict=True)]

    def _call(self, inputs: Vectors) -> list[NDArray]:
        feeds = {
            tensor.name: inputs[tensor.name].reshape((-1, 1)[: len(tensor.shape)])
            for tensor in self.signature.inputs
        }
        return [output.reshape(-1) for output in self._session.run(None, feeds)]


def load_model(model: bytes, max_bytes: int) -> LoadedModel:
    """Check a model and load it, or take the loaded one of the same digest.

    Raises ModelRejected for a model that `bikecast.core.onnx.contract` refuses, and for one that
    ONNX Runtime cannot load.
    """
    if len(model) > max_bytes:
        inspect_model(model, max_bytes=max_bytes)  # says why
    digest = model_digest(model)
    with _loading:
        loaded = _models.get(digest)
        if loaded is None:
            loaded = LoadedModel(model, inspect_model(model, max_bytes=max_bytes))
            _models[digest] = loaded
        _models.move_to_end(digest)
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
