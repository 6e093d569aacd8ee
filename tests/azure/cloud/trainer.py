"""What the fake cloud's AutoML makes of the data that the job was given.

The best trial is a regression VotingEnsemble with the operators that Azure AutoML's own converter
writes: Scaler, Concat and ReduceMean over the members; columns of few whole numbers become texts
that are counted, by com.microsoft.Tokenizer, Flatten and TfIdfVectorizer.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.azure.cloud.machine_learning import ACCOUNT, STORES, Job, Trial, Unreadable
from tests.azure.cloud.storage import Storage

#: Data in a datastore, which has credentials; a URL of the lake has none.
DATASTORE_URI = re.compile(r"azureml://datastores/(?P<store>[^/]+)/paths/(?P<folder>.+?)/?")
#: Whole numbers with at most so many values are categories, unless the job says Numeric.
MOST_CATEGORIES = 40


class Trainer:
    """Reads the job's MLTable from its datastore and fits two members and their ensemble."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def __call__(self, job: Job) -> list[tuple[Trial, bytes | None]]:
        import pyarrow.parquet as pq

        task = job.properties["taskDetails"]
        assert task["trainingSettings"]["enableOnnxCompatibleModels"] is True
        place = DATASTORE_URI.fullmatch(task["trainingData"]["uri"])
        if place is None:
            raise Unreadable("StreamAccess.Authentication: no identity of the compute reads this")
        store = ACCOUNT, STORES[place["store"]]
        assert b"data.parquet" in self._storage.read(*store, f"{place['folder']}/MLTable")
        data = self._storage.read(*store, f"{place['folder']}/data.parquet")
        table = pq.read_table(io.BytesIO(data))
        target = table[task["targetColumnName"]].cast("float64").to_numpy()
        purposes = task.get("featurizationSettings", {}).get("columnNameAndTypes", {})
        graph = Featurized.of(table.drop_columns(task["targetColumnName"]), purposes)
        return [
            (Trial(f"{job.name}_0", "ElasticNet", "nan"), None),
            (Trial(f"{job.name}_1", "LightGBM", 0.88), graph.model([graph.stump(target)])),
            (
                Trial(f"{job.name}_2", "VotingEnsemble", 0.91),
                graph.model([graph.linear(target), graph.stump(target)]),
            ),
        ]


@dataclass
class Featurized:
    """A graph from the columns to one matrix of features, and the members after it."""

    nodes: list[Any] = field(default_factory=list)
    inputs: list[Any] = field(default_factory=list)
    initializers: list[Any] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    columns: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def of(cls, table: Any, purposes: dict[str, str]) -> Featurized:
        """The graph for an Arrow table; `purposes` are those of the job's custom featurization."""
        from onnx import TensorProto, helper

        graph = cls()
        for name in table.column_names:
            values = table[name].to_numpy()
            whole = np.issubdtype(values.dtype, np.integer)
            kind = TensorProto.INT64 if whole else TensorProto.FLOAT
            graph.inputs.append(helper.make_tensor_value_info(name, kind, [None, 1]))
            categories = np.unique(values)
            few = whole and len(categories) <= MOST_CATEGORIES
            if few and purposes.get(name) != "Numeric":
                graph._counted(name, values, categories)
            else:
                graph._node("Cast", [name], f"{name}_number", to=TensorProto.FLOAT)
                graph.parts.append(f"{name}_number")
                graph.columns.append(values.astype(np.float32)[:, None])
        graph._node("Concat", graph.parts, "features", axis=1)
        return graph

    def _counted(self, name: str, values: np.ndarray, categories: np.ndarray) -> None:
        """StringCast and CountVectorizer, as skl2onnx writes them."""
        from onnx import TensorProto, helper

        words = [str(category) for category in categories]
        self.initializers.append(
            helper.make_tensor(f"{name}_shape", TensorProto.INT64, [1], [-1]),
        )
        self._node("Cast", [name], f"{name}_text", to=TensorProto.STRING)
        self._node("Reshape", [f"{name}_text", f"{name}_shape"], f"{name}_flat")
        self._node(
            "Tokenizer",
            [f"{name}_flat"],
            f"{name}_tokens",
            domain="com.microsoft",
            mark=0,
            mincharnum=1,
            pad_value="#",
            tokenexp="-?[a-zA-Z0-9_]+",
        )
        self._node("Flatten", [f"{name}_tokens"], f"{name}_words")
        self._node(
            "TfIdfVectorizer",
            [f"{name}_words"],
            f"{name}_counts",
            max_gram_length=1,
            max_skip_count=0,
            min_gram_length=1,
            mode="TF",
            ngram_counts=[0],
            ngram_indexes=list(range(len(words))),
            pool_strings=words,
            weights=[1.0] * len(words),
        )
        self.parts.append(f"{name}_counts")
        self.columns.append((values[:, None] == categories).astype(np.float32))

    def linear(self, target: np.ndarray) -> str:
        """A member by least squares after a StandardScaler; returns its output."""
        matrix = np.concatenate(self.columns, axis=1)
        offset, scale = matrix.mean(axis=0), 1 / np.maximum(matrix.std(axis=0), 1e-6)
        scaled = np.column_stack([(matrix - offset) * scale, np.ones(len(matrix))])
        *weights, bias = np.linalg.lstsq(scaled, target, rcond=None)[0]
        self._node(
            "Scaler",
            ["features"],
            "scaled",
            "ai.onnx.ml",
            offset=offset.tolist(),
            scale=scale.tolist(),
        )
        self._node(
            "LinearRegressor",
            ["scaled"],
            "linear",
            "ai.onnx.ml",
            coefficients=[float(weight) for weight in weights],
            intercepts=[float(bias)],
        )
        return "linear"

    def stump(self, target: np.ndarray) -> str:
        """A member with one split, of the last column at its median; returns its output."""
        column = np.concatenate(self.columns, axis=1)[:, -1]
        middle = float(np.float32(np.median(column)))
        low = column <= middle
        leaves = [float(target[side].mean()) for side in (low, ~low)]
        self._node(
            "TreeEnsembleRegressor",
            ["features"],
            "tree",
            "ai.onnx.ml",
            n_targets=1,
            nodes_treeids=[0, 0, 0],
            nodes_nodeids=[0, 1, 2],
            nodes_featureids=[sum(part.shape[1] for part in self.columns) - 1, 0, 0],
            nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
            nodes_values=[middle, 0.0, 0.0],
            nodes_truenodeids=[1, 0, 0],
            nodes_falsenodeids=[2, 0, 0],
            nodes_missing_value_tracks_true=[0, 0, 0],
            nodes_hitrates=[1.0, 1.0, 1.0],
            target_treeids=[0, 0],
            target_nodeids=[1, 2],
            target_ids=[0, 0],
            target_weights=leaves,
        )
        return "tree"

    def model(self, members: list[str]) -> bytes:
        """The mean of the members as `variable_out1` [None, 1]."""
        from onnx import TensorProto, helper

        nodes = [*self.nodes]
        nodes.append(helper.make_node("Concat", members, ["members"], axis=1))
        nodes.append(
            helper.make_node("ReduceMean", ["members"], ["variable_out1"], axes=[1], keepdims=1)
        )
        output = helper.make_tensor_value_info("variable_out1", TensorProto.FLOAT, [None, 1])
        graph = helper.make_graph(nodes, "automl", self.inputs, [output], self.initializers)
        domains = (("", 17), ("ai.onnx.ml", 1), ("com.microsoft", 1))
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(domain, version) for domain, version in domains],
            ir_version=8,
            producer_name="AutoML",
        )
        return bytes(model.SerializeToString())

    def _node(
        self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any
    ) -> None:
        from onnx import helper

        node = helper.make_node(operator, inputs, [output], domain=domain, **attributes)
        if node not in self.nodes:
            self.nodes.append(node)
