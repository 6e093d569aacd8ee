"""What scores the rows in the PREDICT benchmark: the pool, its floors and its peers.

A case is set up by a call that returns the work to be timed, which returns its number of rows.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from predict_data import CHUNK, COLUMNS, HOURLY, HOURS, OUTPUT, PLAIN, features, pool_of

from bikecast.embedded.sql_pool import Limits

CORES = os.cpu_count() or 1
#: Sessions end with the process; opening and closing them is not measured.
OPEN = contextlib.ExitStack()


def matrix_session(folder: Path, threads: int) -> Any:
    """ONNX Runtime for the model of one input."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(folder / "matrix.onnx", options)


def floor(folder: Path, rows: int) -> Callable[[], int]:
    """ONNX Runtime on a matrix in memory, its own threads, 64 Ki rows a call."""
    session = matrix_session(folder, CORES)
    matrix = features(rows, 5)
    session.run(None, {"x": matrix[:5000]})

    def run() -> int:
        for first in range(0, rows, 65536):
            session.run(None, {"x": matrix[first : first + 65536]})
        return rows

    return run


def shared_floor(folder: Path, rows: int) -> Callable[[], int]:
    """ONNX Runtime on a matrix in memory, one thread a call, a part of the rows a thread."""
    from concurrent.futures import ThreadPoolExecutor

    session = matrix_session(folder, 1)
    matrix = features(rows, 5)
    executor = ThreadPoolExecutor(CORES)

    def part(rows_of: np.ndarray) -> None:
        for first in range(0, len(rows_of), 2048):
            session.run(None, {"x": rows_of[first : first + 2048]})

    def run() -> int:
        list(executor.map(part, np.array_split(matrix, CORES)))
        return rows

    return run


def predict(folder: Path, rows: int, table: str, *, remember: bool = True) -> Callable[[], int]:
    """PREDICT from a pool table into a new one, of at most `rows` rows."""
    limits = Limits() if remember else Limits(remembered_vectors=0)

    def source(data: str, least: int) -> str:
        return (
            f"SELECT d.id, p.{OUTPUT} FROM PREDICT("
            f"MODEL = (SELECT model FROM dbo.models WHERE id = 1), DATA = dbo.{data} AS d, "
            f"RUNTIME = ONNX) WITH ({OUTPUT} real) AS p WHERE d.id < {least}"
        )

    session = OPEN.enter_context(pool_of(folder, limits).session())
    session.run("DROP TABLE IF EXISTS dbo.predicted")
    session.run(source(table, 10))  # the model is loaded, as it is in the floor
    into = "CREATE TABLE dbo.predicted WITH (DISTRIBUTION = HASH(id)) AS "

    def run() -> int:
        session.run(into + source(table, rows))
        return min(rows, int(session.run(f"SELECT COUNT_BIG(*) FROM dbo.{table}")[0].rows[0][0]))

    return run


def check(folder: Path, table: str) -> None:
    """Compare the pool's predictions with ONNX Runtime's: they are the same to the last bit."""
    matrix = features(min(CHUNK, 20_000), 1000) if table == PLAIN else features(HOURS, 7)
    with pool_of(folder).session() as session:
        predicted = session.run(
            f"SELECT {OUTPUT} FROM dbo.predicted WHERE id < {len(matrix)} ORDER BY id"
        )[0].rows
    if table == PLAIN:
        matrix = features(CHUNK, 1000)[: len(predicted)]
    expected = matrix_session(folder, 1).run(None, {"x": matrix[: len(predicted)]})[0].reshape(-1)
    assert np.array_equal(np.array(predicted, np.float32).reshape(-1), expected), (
        "other predictions"
    )


def peer_table(folder: Path, rows: int) -> Any:
    """A DuckDB file of its own with the same columns."""
    import duckdb

    connection = duckdb.connect(str(folder / "peer.duckdb"))
    files = f"{folder}/lake/{PLAIN}/*.parquet"
    connection.execute(
        f"CREATE OR REPLACE TABLE t AS SELECT * FROM read_parquet('{files}') LIMIT {rows}"
    )
    return connection


def arrow_udf(folder: Path, rows: int) -> Callable[[], int]:
    """A DuckDB Arrow UDF around ONNX Runtime with its default settings, table to table."""
    import inspect

    import onnxruntime as ort
    import pyarrow as pa

    connection = peer_table(folder, rows)
    session = ort.InferenceSession(folder / "columns.onnx")

    def score(*columns: Any) -> Any:
        feeds = {n: c.to_numpy().reshape(-1, 1) for n, c in zip(COLUMNS, columns, strict=True)}
        return pa.array(session.run(None, feeds)[0].reshape(-1))

    kind = inspect.Parameter.POSITIONAL_ONLY
    score.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in COLUMNS])  # type: ignore[attr-defined]
    connection.create_function("score", score, ["FLOAT"] * len(COLUMNS), "FLOAT", type="arrow")

    def run() -> int:
        listed = ", ".join(COLUMNS)
        connection.execute(f"CREATE OR REPLACE TABLE o AS SELECT id, score({listed}) AS y FROM t")
        return rows

    return run


def with_pandas(folder: Path, rows: int) -> Callable[[], int]:
    """A scikit-learn pipeline around the same booster on a pandas frame, table to table."""
    import lightgbm as lgb
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline

    connection = peer_table(folder, rows)
    sample = features(2000, 0)
    import pandas as pd

    frame = pd.DataFrame(sample, columns=COLUMNS)
    model = lgb.LGBMRegressor(n_estimators=2, n_jobs=CORES, verbose=-1)
    transformer = ColumnTransformer([("features", "passthrough", COLUMNS)]).set_output(
        transform="pandas"
    )
    pipeline = make_pipeline(transformer, model).fit(frame, sample[:, 0])
    model._Booster = lgb.Booster(model_file=folder / "model.txt")

    def run() -> int:
        data = connection.execute("SELECT * FROM t").df()
        output = pd.DataFrame({"id": data["id"], "y": pipeline.predict(data[COLUMNS])})
        connection.register("output", output)
        connection.execute("CREATE OR REPLACE TABLE o AS SELECT * FROM output")
        return rows

    return run


def native(folder: Path, rows: int) -> Callable[[], int]:
    """LightGBM's own predictor on a matrix in memory."""
    import lightgbm as lgb

    booster = lgb.Booster(model_file=folder / "model.txt")
    matrix = features(rows, 5)

    def run() -> int:
        booster.predict(matrix, num_threads=CORES)
        return rows

    return run


CASES: dict[str, Callable[[Path, int], Callable[[], int]]] = {
    "floor": floor,
    "shared_floor": shared_floor,
    "distinct": lambda folder, rows: predict(folder, rows, PLAIN),
    "distinct_plain": lambda folder, rows: predict(folder, rows, PLAIN, remember=False),
    "hours": lambda folder, rows: predict(folder, rows, HOURLY),
    "hours_plain": lambda folder, rows: predict(folder, rows, HOURLY, remember=False),
    "arrow_udf": arrow_udf,
    "pandas": with_pandas,
    "native": native,
}
