"""The scoring functions of PREDICT: models become functions that DuckDB calls by chunks.

A chunk has at most 2,048 rows. DuckDB calls from all of its threads, so filters, joins and
projections around PREDICT stay DuckDB's, and memory does not grow with the rows.
"""

from __future__ import annotations

import inspect
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bikecast.core.errors import ModelRejected
from bikecast.core.onnx.contract import Tensor
from bikecast.embedded.sql_pool.errors import SqlError, failure
from bikecast.embedded.sql_pool.limits import Limits
from bikecast.embedded.sql_pool.predict.contract import Runs, check_contract, refused
from bikecast.embedded.sql_pool.values.types import SqlType

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

    from bikecast.embedded.sql_pool.predict.contract import LoadedModel

#: What DuckDB and what numpy call an ONNX element type.
_TYPES = {
    "INT32": ("INTEGER", "int32"),
    "INT64": ("BIGINT", "int64"),
    "FLOAT": ("FLOAT", "float32"),
    "DOUBLE": ("DOUBLE", "float64"),
    "STRING": ("VARCHAR", "object"),
}
_counter = itertools.count(1)


@dataclass(frozen=True)
class Scorer:
    """A scoring function that DuckDB can call: its name, and the model's inputs in order.

    With several outputs the function returns a struct with a field for each.
    """

    function: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Scorers:
    """The scoring functions that one connection holds while a statement runs."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, limits: Limits, runs: Runs) -> None:
        self._connection = connection
        self._runs = runs
        self._limits = limits
        self._names: list[str] = []
        self._failures: list[SqlError] = []

    def register(
        self,
        model: bytes,
        data: list[tuple[str, SqlType]],
        outputs: list[tuple[str, SqlType]],
    ) -> Scorer:
        """Make a DuckDB function that scores `model`.

        Raises SqlError where model, data and outputs do not fit.
        """
        from bikecast.embedded.sql_pool.predict.contract import load_model

        try:
            loaded = load_model(model, self._limits.max_model_bytes)
        except ModelRejected as error:
            raise refused(str(error)) from error
        signature = loaded.signature
        check_contract(signature, data, outputs)
        # The catalog of functions is shared by all connections of the process.
        name = f"predict_{next(_counter)}"
        results = [_TYPES[tensor.type][0] for tensor in signature.outputs]
        struct = ", ".join(f'"o{i}" {sql_type}' for i, sql_type in enumerate(results))
        create: Any = self._connection.create_function  # its stub knows no struct as text
        create(
            name,
            _scoring_function(loaded, self._runs, self._limits.remembered_vectors, self._failures),
            [_TYPES[tensor.type][0] for tensor in signature.inputs],
            results[0] if len(results) == 1 else f"STRUCT({struct})",
            type="arrow",
            null_handling="special",
        )
        self._names.append(name)
        return Scorer(
            name,
            tuple(tensor.name for tensor in signature.inputs),
            tuple(tensor.name for tensor in signature.outputs),
        )

    def check(self) -> None:
        """Raise the SqlError of a scoring that failed in the statement that has just run."""
        if self._failures:
            raise self._failures[0]

    def release(self) -> None:
        """Drop the functions; one that a rollback took is gone already."""
        import duckdb

        while self._names:
            try:
                self._connection.remove_function(self._names.pop())
            except duckdb.Error:
                continue


def _scoring_function(
    model: LoadedModel, runs: Runs, remembered: int, failures: list[SqlError]
) -> Any:
    """A function from Arrow arrays, one an input, to an Arrow array; it scores whole chunks.

    It never raises: what fails comes into `failures`, and the results are NULL.
    """
    import numpy as np
    import pyarrow as pa

    from bikecast.embedded.sql_pool.predict.distinct import DistinctVectors

    inputs, outputs = model.signature.inputs, model.signature.outputs
    names = [tensor.name for tensor in inputs]

    def run(columns: list[NDArray]) -> list[NDArray]:
        return model.run(dict(zip(names, columns, strict=True)), runs)

    input_types, output_types = (
        [np.dtype(_TYPES[tensor.type][1]) for tensor in side] for side in (inputs, outputs)
    )
    distinct = DistinctVectors(input_types, output_types, run, remembered)
    empty = [pa.string() if t.kind == "O" else pa.from_numpy_dtype(t) for t in output_types]

    def score(*columns: Any) -> Any:
        try:
            if failures:
                raise failures[0]
            values = [_values(tensor, c) for tensor, c in zip(inputs, columns, strict=True)]
            results = [pa.array(result) for result in distinct(values)]
        except Exception as error:  # noqa: BLE001 # see above
            failures.append(error if isinstance(error, SqlError) else _failed(error))
            results = [pa.nulls(len(columns[0]), arrow_type) for arrow_type in empty]
        if len(results) == 1:
            return results[0]
        return pa.StructArray.from_arrays(results, [f"o{i}" for i in range(len(results))])

    positional = inspect.Parameter.POSITIONAL_ONLY
    score.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(f"a{i}", positional) for i in range(len(inputs))]
    )
    return score


def _failed(error: Exception) -> SqlError:
    """What ONNX Runtime says of rows that it cannot score."""
    if re.search(r"Available memory of \d+ is smaller|Failed to allocate memory", str(error)):
        return refused("the model asks for more memory than models have in this process")
    return refused(str(error).splitlines()[0][:500] if str(error) else type(error).__name__)


def _values(tensor: Tensor, column: Any) -> NDArray:
    """A chunk's column, an Arrow array or chunked array, as numpy's.

    Raises SqlError for NULL.
    """
    if column.null_count:
        raise failure("39051f", tensor.name)
    options = {} if hasattr(column, "chunks") else {"zero_copy_only": tensor.type != "STRING"}
    vector: NDArray = column.to_numpy(**options)
    return vector
