"""PREDICT's contract between a model, its data and the WITH clause.

Source: https://learn.microsoft.com/sql/t-sql/queries/predict-transact-sql (Azure Synapse). The
numbers of Synapse's errors are not published, except 39096.
"""

from __future__ import annotations

from bikecast.core.onnx.contract import ModelSignature, Tensor
from bikecast.embedded.sql_pool.errors import SqlError
from bikecast.embedded.sql_pool.values.types import SqlType

MODEL_ERROR = 39051
OUTPUT_ERROR = 39096

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
    return SqlError(
        MODEL_ERROR, f"Error occurred during execution of the PREDICT function. {reason}"
    )


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
        raise SqlError(
            MODEL_ERROR,
            f"{side} column {position} (1-based) has a fixed number of rows ({shape[0]}); the "
            "first axis of the model must be open.",
        )
    text = ",".join("1" if axis is None else str(axis) for axis in shape)
    raise SqlError(
        MODEL_ERROR, f"{side} column {position} (1-based) has shape [{text}] which is not supported"
    )


def _check_type(tensor: Tensor, column: SqlType | None) -> None:
    expected = SQL_TYPES.get(tensor.type)
    if expected is None:
        raise SqlError(
            MODEL_ERROR,
            f"The type of model column '{tensor.name}' is '{tensor.type}', which PREDICT does "
            "not support.",
        )
    if column is None:
        raise SqlError(MODEL_ERROR, f"The data has no column for the model column '{tensor.name}'.")
    if column.name not in expected:
        raise SqlError(
            MODEL_ERROR,
            f"The type of model column '{tensor.name}' is '{expected[0]}'. Doesn't match the "
            "input column type.",
        )


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
    raise SqlError(
        OUTPUT_ERROR,
        "Execution failed because its WITH clause specified different output columns from what "
        f"'PREDICT' function tries to return. The schema returned by 'PREDICT' function is "
        f"'{schema}'.",
    )
