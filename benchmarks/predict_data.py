"""The model and the tables of the PREDICT benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bikecast.embedded.sql_pool import Limits, Pool

COLUMNS = [f"f{i:02d}" for i in range(10)]
HOURS = 8760
OUTPUT = "variable_out1"
CHUNK = 500_000
PLAIN, HOURLY = "distinct_rows", "station_hours"


def features(rows: int, seed: int) -> np.ndarray:
    """A float32 matrix of distinct vectors, of shape (rows, 10)."""
    return np.random.default_rng(seed).random((rows, len(COLUMNS)), dtype=np.float32)


def make_model(folder: Path) -> None:
    """Train the model; write it as LightGBM text and as ONNX with one input, and one a column."""
    import lightgbm as lgb
    import onnx
    from onnx import TensorProto, helper
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    x = features(60_000, 0)
    noise = np.random.default_rng(1).normal(0, 0.1, len(x))
    y = 3 * x[:, 0] + np.sin(9 * x[:, 1]) + x[:, 2] * x[:, 3] + noise
    model = lgb.LGBMRegressor(n_estimators=200, num_leaves=63, n_jobs=-1, verbose=-1).fit(x, y)
    model.booster_.save_model(folder / "model.txt")
    inputs = [("x", FloatTensorType([None, len(COLUMNS)]))]
    matrix = convert_lightgbm(model, initial_types=inputs, target_opset=9)
    (folder / "matrix.onnx").write_bytes(matrix.SerializeToString())
    graph = matrix.graph
    nodes = [helper.make_node("Concat", COLUMNS, ["x"], axis=1), *graph.node]
    nodes.append(helper.make_node("Identity", [graph.output[0].name], [OUTPUT]))
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1])
        for name in (*COLUMNS, OUTPUT)
    ]
    merged = helper.make_graph(nodes, "columns", values[:-1], values[-1:], list(graph.initializer))
    opsets = [helper.make_opsetid("", 9), helper.make_opsetid("ai.onnx.ml", 1)]
    columns = helper.make_model(merged, opset_imports=opsets, ir_version=4)
    onnx.checker.check_model(columns)
    (folder / "columns.onnx").write_bytes(columns.SerializeToString())


def pool_of(folder: Path, limits: Limits | None = None) -> Pool:
    """The benchmark's pool."""
    return Pool(folder / "pool.duckdb", folder / "lake", limits)


def write_rows(path: Path, first: int, matrix: np.ndarray) -> None:
    """A Parquet file of a key and the features."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    keys = {"id": np.arange(first, first + len(matrix), dtype=np.int64)}
    pq.write_table(pa.table(keys | {n: matrix[:, i] for i, n in enumerate(COLUMNS)}), path)


def setup(folder: Path, rows: int) -> dict[str, Any]:
    """Make the model, and fill the pool's tables by COPY INTO.

    The distinct rows are twice as many, so that memory can be seen not to grow with them.
    """
    make_model(folder)
    for number, first in enumerate(range(0, 2 * rows, CHUNK)):
        matrix = features(min(CHUNK, 2 * rows - first), 1000 + number)
        write_rows(folder / f"lake/{PLAIN}/{number:04d}.parquet", first, matrix)
    hours = features(HOURS, 7)
    stations = max(1, round(rows * 0.685 / HOURS))
    for first in range(0, stations, 50):
        count = min(50, stations - first)
        path = folder / f"lake/{HOURLY}/{first:04d}.parquet"
        write_rows(path, first * HOURS, np.tile(hours, (count, 1)))
    counts = {}
    with pool_of(folder).session() as session:
        declared = ", ".join(f"{name} real NOT NULL" for name in COLUMNS)
        for table in (PLAIN, HOURLY):
            session.run(
                f"CREATE TABLE dbo.{table} (id bigint NOT NULL, {declared}) "
                "WITH (DISTRIBUTION = HASH(id))"
            )
            session.run(
                f"COPY INTO dbo.{table} FROM 'file://{folder}/lake/{table}' "
                "WITH (FILE_TYPE = 'PARQUET')"
            )
            counts[table] = session.run(f"SELECT COUNT_BIG(*) FROM dbo.{table}")[0].rows[0][0]
        session.run(
            "CREATE TABLE dbo.models (id int, model varbinary(max)) "
            "WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)"
        )
        model = (folder / "columns.onnx").read_bytes()
        session.run("INSERT INTO dbo.models VALUES (1, ?)", [model])
    return counts
