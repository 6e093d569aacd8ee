"""PREDICT's contract between a model and its data, and the scoring by ONNX Runtime.

Source: https://learn.microsoft.com/sql/t-sql/queries/predict-transact-sql (Azure Synapse). The
numbers of Synapse's errors are not published, except 39096.
"""

from __future__ import annotations

import inspect
import itertools
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resources.errors import ModelRejected
from resources.model_contract import ModelSignature, Tensor, inspect_model, model_digest
from resources.sql_pool.engine.errors import SqlError
from resources.sql_pool.engine.types import SqlType

if TYPE_CHECKING:
    import duckdb
    import onnxruntime as ort

MODEL_ERROR = 39051
OUTPUT_ERROR = 39096
CACHED_MODELS = 4

#: SQL types that an ONNX element type matches; nothing is converted on the way.
_SQL_TYPES = {
    "INT32": ("int",),
    "INT64": ("bigint",),
    "FLOAT": ("real",),
    "DOUBLE": ("float",),
    "STRING": ("varchar", "char", "nvarchar"),
}
_DUCKDB_TYPES = {
    "INT32": "INTEGER",
    "INT64": "BIGINT",
    "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE",
    "STRING": "VARCHAR",
}
_counter = itertools.count(1)
_cache: OrderedDict[str, tuple[ModelSignature, ort.InferenceSession]] = OrderedDict()
_cache_lock = threading.Lock()


@dataclass(frozen=True)
class Scorer:
    """A scoring function that DuckDB can call: its name, and the model's inputs in order.

    With several outputs the function returns a struct with a field for each.
    """

    function: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def load_model(model: bytes, max_bytes: int) -> tuple[ModelSignature, ort.InferenceSession]:
    """Check a model and load it; loaded models are kept by digest.

    Raises SqlError with Synapse's text for a corrupt model, and with the reason for a model
    that the contract refuses.
    """
    import onnxruntime as ort

    digest = model_digest(model)
    with _cache_lock:
        if digest in _cache:
            _cache.move_to_end(digest)
            return _cache[digest]
        try:
            signature = inspect_model(model, max_bytes=max_bytes)
        except ModelRejected as error:
            corrupt = "corrupt or invalid" in str(error)
            prefix = "Error occurred during execution of the PREDICT function. "
            text = "HRESULT 0x80070057. Model is corrupt or invalid." if corrupt else str(error)
            raise SqlError(MODEL_ERROR, prefix + text) from error
        options = ort.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has no base class of its errors
            raise SqlError(
                MODEL_ERROR,
                "Error occurred during execution of the PREDICT function. HRESULT 0x80070057. "
                "Model is corrupt or invalid.",
            ) from error
        _cache[digest] = (signature, session)
        while len(_cache) > CACHED_MODELS:
            _cache.popitem(last=False)
        return _cache[digest]


def _check_shape(what: str, position: int, tensor: Tensor) -> None:
    shape = tensor.shape
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        if shape[0] is None:
            return
        raise SqlError(
            MODEL_ERROR,
            f"{what} column {position} (1-based) has a fixed number of rows ({shape[0]}); the "
            "first axis of the model must be open.",
        )
    text = ",".join("1" if axis is None else str(axis) for axis in shape)
    raise SqlError(
        MODEL_ERROR, f"{what} column {position} (1-based) has shape [{text}] which is not supported"
    )


def check_contract(
    signature: ModelSignature,
    data: list[tuple[str, SqlType]],
    outputs: list[tuple[str, SqlType]],
) -> None:
    """Check a model against the data's columns and the WITH clause; names match exactly.

    Raises SqlError with Synapse's texts, where they are known.
    """
    types = dict(data)
    for position, tensor in enumerate(signature.inputs, 1):
        _check_shape("Input", position, tensor)
        expected = _SQL_TYPES.get(tensor.type)
        if expected is None:
            raise SqlError(
                MODEL_ERROR,
                f"The type of model column '{tensor.name}' is '{tensor.type}', which PREDICT does "
                "not support.",
            )
        if tensor.name not in types:
            raise SqlError(
                MODEL_ERROR, f"The data has no column for the model column '{tensor.name}'."
            )
        if types[tensor.name].name not in expected:
            raise SqlError(
                MODEL_ERROR,
                f"The type of model column '{tensor.name}' is '{expected[0]}'. Doesn't match the "
                "input column type.",
            )
    returned = {tensor.name: tensor for tensor in signature.outputs}
    for position, tensor in enumerate(signature.outputs, 1):
        _check_shape("Output", position, tensor)
    declared = {name: kind.name for name, kind in outputs}
    if declared.keys() != returned.keys() or any(
        declared[name] not in _SQL_TYPES.get(tensor.type, ()) for name, tensor in returned.items()
    ):
        schema = ", ".join(
            f"{name} {_SQL_TYPES.get(tensor.type, (tensor.type,))[0]}"
            for name, tensor in returned.items()
        )
        raise SqlError(
            OUTPUT_ERROR,
            "Execution failed because its WITH clause specified different output columns from what "
            f"'PREDICT' function tries to return. The schema returned by 'PREDICT' function is "
            f"'{schema}'.",
        )


class Scorers:
    """The scoring functions that one connection holds while a statement runs."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, max_bytes: int) -> None:
        self._connection = connection
        self._max_bytes = max_bytes
        self._names: list[str] = []

    def register(
        self,
        model: bytes,
        data: list[tuple[str, SqlType]],
        outputs: list[tuple[str, SqlType]],
    ) -> Scorer:
        """Make a DuckDB function that scores `model`.

        Raises SqlError where model, data and outputs do not fit.
        """
        signature, session = load_model(model, self._max_bytes)
        check_contract(signature, data, outputs)
        # The catalog of functions is shared by all connections of the process.
        name = f"predict_{next(_counter)}"
        results = [_DUCKDB_TYPES[tensor.type] for tensor in signature.outputs]
        names = [tensor.name for tensor in signature.outputs]
        struct = ", ".join(f'"o{i}" {kind}' for i, kind in enumerate(results))
        create: Any = self._connection.create_function  # its stub knows no struct as text
        create(
            name,
            _scoring_function(signature, session),
            [_DUCKDB_TYPES[tensor.type] for tensor in signature.inputs],
            results[0] if len(results) == 1 else f"STRUCT({struct})",
            type="arrow",
            null_handling="special",
        )
        self._names.append(name)
        return Scorer(name, tuple(tensor.name for tensor in signature.inputs), tuple(names))

    def release(self) -> None:
        """Drop the functions; one that a rollback took is gone already."""
        import duckdb

        while self._names:
            try:
                self._connection.remove_function(self._names.pop())
            except duckdb.Error:
                continue


def _scoring_function(signature: ModelSignature, session: ort.InferenceSession) -> Any:
    """A function from Arrow arrays, one an input, to an Arrow array; it scores whole chunks."""
    inputs = signature.inputs

    def score(*columns: Any) -> Any:
        import pyarrow as pa

        feeds = {}
        for tensor, column in zip(inputs, columns, strict=True):
            if column.null_count:
                raise ValueError(
                    f"[[{MODEL_ERROR}]]The input column '{tensor.name}' of PREDICT holds NULL, for "
                    "which no behaviour is documented. Filter the rows out or replace NULL."
                )
            array = (
                column.to_numpy(zero_copy_only=False)
                if isinstance(column, pa.Array)
                else (column.to_numpy())
            )
            feeds[tensor.name] = array.reshape(-1, 1) if len(tensor.shape) == 2 else array
        results = [pa.array(result.reshape(-1)) for result in session.run(None, feeds)]
        if len(results) == 1:
            return results[0]
        return pa.StructArray.from_arrays(results, [f"o{i}" for i in range(len(results))])

    positional = inspect.Parameter.POSITIONAL_ONLY
    score.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(f"a{i}", positional) for i in range(len(inputs))]
    )
    return score
