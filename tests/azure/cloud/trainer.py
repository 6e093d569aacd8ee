"""What the fake cloud's AutoML makes: a linear model of the data that the job was given."""

from __future__ import annotations

import io
from urllib.parse import urlsplit

import numpy as np

from tests.azure.cloud.machine_learning import Job, Trial
from tests.azure.cloud.storage import Storage


class LinearTrainer:
    """Reads the job's MLTable from the lake and fits it by least squares."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __call__(self, job: Job) -> list[tuple[Trial, bytes | None]]:
        import pyarrow.parquet as pq

        task = job.properties["taskDetails"]
        assert task["trainingSettings"]["enableOnnxCompatibleModels"] is True
        url = urlsplit(task["trainingData"]["uri"])
        account, container = url.hostname.split(".")[0], url.username
        folder = url.path.strip("/")
        assert b"data.parquet" in self._storage.read(account, container, f"{folder}/MLTable")
        data = self._storage.read(account, container, f"{folder}/data.parquet")
        table = pq.read_table(io.BytesIO(data))
        target = task["targetColumnName"]
        names = [name for name in table.column_names if name != target]
        inputs = [(name, str(table.schema.field(name).type)) for name in names]
        model = linear_model(inputs, *fit(table, names, target))
        return [
            (Trial(f"{job.name}_0", "ElasticNet", "nan"), None),
            (Trial(f"{job.name}_1", "LightGBM", 0.88), model),
            (Trial(f"{job.name}_2", "VotingEnsemble", 0.91), model),
        ]


def fit(table, names: list[str], target: str) -> tuple[np.ndarray, float]:  # type: ignore[no-untyped-def]
    """Weights and intercept."""
    numeric = [table[name].cast("float64").to_numpy() for name in names]
    matrix = np.column_stack([*numeric, np.ones(table.num_rows)])
    solved = np.linalg.lstsq(matrix, table[target].cast("float64").to_numpy(), rcond=None)[0]
    return solved[:-1], float(solved[-1])


def linear_model(inputs: list[tuple[str, str]], weights: np.ndarray, bias: float) -> bytes:
    """ONNX: one input [None, 1] a column, one output `variable_out1`."""
    from onnx import TensorProto, helper

    types = {"int64": TensorProto.INT64, "int32": TensorProto.INT32, "float": TensorProto.FLOAT}
    types["double"] = TensorProto.DOUBLE
    casts = [
        helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT) for name, _ in inputs
    ]
    joined = [f"{name}_f" for name, _ in inputs]
    column = weights.astype(np.float32)
    graph = helper.make_graph(
        [
            *casts,
            helper.make_node("Concat", joined, ["x"], axis=1),
            helper.make_node("MatMul", ["x", "w"], ["y"]),
            helper.make_node("Add", ["y", "b"], ["variable_out1"]),
        ],
        "linear",
        [helper.make_tensor_value_info(name, types[kind], [None, 1]) for name, kind in inputs],
        [helper.make_tensor_value_info("variable_out1", TensorProto.FLOAT, [None, 1])],
        [
            helper.make_tensor("w", TensorProto.FLOAT, [len(column), 1], column),
            helper.make_tensor("b", TensorProto.FLOAT, [1], [bias]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)
    return model.SerializeToString()
