"""What an ONNX model must be before it is loaded, registered or deployed for PREDICT.

The T-SQL PREDICT statement scores one input a column and no arrays; the operator lists, the size
and the opset are this project's own policy, because Microsoft documents none. A model that passes
may be loaded; whether a pool's PREDICT takes it, only the pool says.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bikecast.core.errors import InvalidInput, ModelRejected
from bikecast.core.onnx.policy import TRAINED_ELSEWHERE, OperatorPolicy
from bikecast.core.onnx.sizes import MOST_ELEMENTS, check_sizes

MAX_MODEL_BYTES = 100 * 1024 * 1024


@dataclass(frozen=True)
class Tensor:
    """An input or output: name, TensorProto type name (FLOAT, INT64, ...), shape.

    An axis of the shape is a number, or None where the model leaves it open.
    """

    name: str
    type: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class ModelSignature:
    """Inputs and outputs of a checked model, and its digest (SHA-256 in hex)."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    opset: int
    ir_version: int
    digest: str
    widest: int = 1
    """The elements that its widest tensor has for a row."""

    @property
    def rows_at_once(self) -> int:
        """So many rows keep each tensor of the model within the limit of a tensor."""
        return max(1, MOST_ELEMENTS // self.widest)


def model_digest(data: bytes) -> str:
    """SHA-256 of the model file, in hex; the identity of a model everywhere."""
    return hashlib.sha256(data).hexdigest()


def unchanged_model(path: Path, *, job_id: str, digest: str) -> bytes:
    """The ONNX file of a job, as it was recorded.

    Raises ModelRejected where the file does not match its digest, InvalidInput where it cannot be
    read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"cannot read {path}: {error.strerror or error}; nothing was registered"
        ) from error
    if model_digest(data) != digest:
        raise ModelRejected(
            f"{path} has the digest {model_digest(data)}, but job {job_id} recorded {digest}: the "
            "file was changed. Nothing was registered; train again."
        )
    return data


def inspect_model(
    data: bytes,
    *,
    policy: OperatorPolicy = TRAINED_ELSEWHERE,
    max_bytes: int = MAX_MODEL_BYTES,
) -> ModelSignature:
    """Check a model without running it and return its signature.

    Raises ModelRejected for a file over `max_bytes`, a corrupt one, data outside the file,
    functions of its own, for an operator or a subgraph that the policy does not allow, and for a
    tensor over the limit of `bikecast.core.onnx.sizes`.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if len(data) > max_bytes:
        raise ModelRejected(f"the model has {len(data):,} bytes; the limit is {max_bytes:,}")
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise ModelRejected("Model is corrupt or invalid") from error
    graph = model.graph
    if not graph.node or not graph.output:
        raise ModelRejected("Model is corrupt or invalid")
    if model.functions or model.training_info:
        raise ModelRejected("the model defines functions of its own, which are not allowed")
    _check_graph(graph, policy)
    widest = check_sizes(model)
    initialized = {tensor.name for tensor in graph.initializer}
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    return ModelSignature(
        inputs=tuple(_tensor(value) for value in graph.input if value.name not in initialized),
        outputs=tuple(_tensor(value) for value in graph.output),
        opset=opsets.get("", opsets.get("ai.onnx", 0)),
        ir_version=model.ir_version,
        digest=model_digest(data),
        widest=widest,
    )


def _check_graph(graph: Any, policy: OperatorPolicy) -> None:
    """Refuse what the policy forbids in an onnx.GraphProto and in the graphs inside of it."""
    import onnx

    for tensor in graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelRejected(f"tensor {tensor.name!r} is stored outside the model file")
    if graph.sparse_initializer:
        raise ModelRejected("the model has sparse tensors, which are not allowed")
    for node in graph.node:
        if not policy.allows(node.domain, node.op_type):
            name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            raise ModelRejected(f"the model uses the operator {name}, which is not allowed")
        for attribute in node.attribute:
            tensors = [*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])]
            if any(t.data_location == onnx.TensorProto.EXTERNAL for t in tensors):
                raise ModelRejected(f"operator {node.op_type} reads data outside the model file")
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise ModelRejected("the model has sparse tensors, which are not allowed")
            for inner in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
                if node.op_type not in policy.with_subgraphs:
                    raise ModelRejected(
                        f"operator {node.op_type} has a subgraph, which is not allowed"
                    )
                _check_graph(inner, policy)


def _tensor(value: Any) -> Tensor:
    """The Tensor of an onnx.ValueInfoProto."""
    import onnx

    tensor_type = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise ModelRejected(f"{value.name!r} is not a tensor")
    shape = tuple(
        axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None
        for axis in tensor_type.shape.dim
    )
    return Tensor(value.name, onnx.TensorProto.DataType.Name(tensor_type.elem_type), shape)
