"""What PREDICT costs in the embedded SQL pool, beside ONNX Runtime and what else scores a table.

A LightGBM model of 200 trees with 63 leaves scores 10 columns of a pool table into a new one
(CTAS). Each figure is of a process of its own, and the floor (ONNX Runtime on a matrix in memory,
with as many threads) is measured before and after it.
`python benchmarks/predict.py --rows 1000000` is a tenth of what `make bench` runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

COLUMNS = [f"f{i:02d}" for i in range(10)]
HOURS = 8760
OUTPUT = "variable_out1"
CHUNK = 500_000
#: Rows that prove speed as well as more do; the pool scores all that are asked for.
PEER_ROWS = 200_000
FLOOR_ROWS = 400_000
PAIRED_ROWS = 1_000_000
PAIRS = 5
CORES = os.cpu_count() or 1
#: Sessions end with the process; opening and closing them is not measured.
OPEN = contextlib.ExitStack()
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
    model = lgb.LGBMRegressor(n_estimators=200, num_leaves=63, n_jobs=CORES, verbose=-1).fit(x, y)
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


def pool_of(folder: Path) -> Any:
    """The benchmark's pool."""
    from resources.sql_pool.embedded import EmbeddedSqlPool

    return EmbeddedSqlPool(path=str(folder / "pool.duckdb"), lake_root=str(folder / "lake"))


def write_rows(path: Path, first: int, matrix: np.ndarray) -> None:
    """A Parquet file of a key and the features."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    keys = {"id": np.arange(first, first + len(matrix), dtype=np.int64)}
    pq.write_table(pa.table(keys | {n: matrix[:, i] for i, n in enumerate(COLUMNS)}), path)


def setup(folder: Path, rows: int) -> dict[str, Any]:
    """Make the model, and fill the pool's tables by COPY INTO."""
    make_model(folder)
    for number, first in enumerate(range(0, rows, CHUNK)):
        matrix = features(min(CHUNK, rows - first), 1000 + number)
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
    from resources.sql_pool.engine import predict_distinct

    if not remember:
        predict_distinct.MAX_VECTORS = 0

    def source(data: str, least: int) -> str:
        return (
            f"SELECT d.id, p.{OUTPUT} FROM PREDICT("
            f"MODEL = (SELECT model FROM dbo.models WHERE id = 1), DATA = dbo.{data} AS d, "
            f"RUNTIME = ONNX) WITH ({OUTPUT} real) AS p WHERE d.id < {least}"
        )

    session = OPEN.enter_context(pool_of(folder).session())
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
        found = session.run(
            f"SELECT {OUTPUT} FROM dbo.predicted WHERE id < {len(matrix)} ORDER BY id"
        )[0].rows
    if table == PLAIN:
        matrix = features(CHUNK, 1000)[: len(found)]
    expected = matrix_session(folder, 1).run(None, {"x": matrix[: len(found)]})[0].reshape(-1)
    assert np.array_equal(np.array(found, np.float32).reshape(-1), expected), "other predictions"


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
        found = pd.DataFrame({"id": data["id"], "y": pipeline.predict(data[COLUMNS])})
        connection.register("found", found)
        connection.execute("CREATE OR REPLACE TABLE o AS SELECT * FROM found")
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


def run_case(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Measure one case in this process."""
    run = CASES[name](folder, rows)
    start, used = time.perf_counter(), time.process_time()
    done = run()
    seconds, processor = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if name in ("distinct", "distinct_plain", "hours", "hours_plain"):
        check(folder, PLAIN if name.startswith("distinct") else HOURLY)
    return {"rate": done / seconds, "processor": processor / done, "peak": peak, "rows": done}


class Bench:
    """Runs cases as processes, each between two measurements of the floor."""

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder = folder
        self._console = console

    def child(self, case: str, rows: int) -> dict[str, Any]:
        """One case in a process of its own; ends the benchmark where it fails."""
        command = [sys.executable, __file__, "--case", case, "--folder", str(self._folder)]
        done = subprocess.run(
            [*command, "--rows", str(rows)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{case} ended with {done.returncode}:\n{done.stderr[-4000:]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        if case != "setup":
            self._console.print(f"  {case}: {found['rate'] / 1e6:.3f} M rows/s", highlight=False)
        return found

    def between_floors(self, case: str, rows: int) -> dict[str, Any]:
        """A case with its ratios to both floors, each measured before and after it."""
        floors = ("floor", "shared_floor")
        before = [self.child(name, min(rows, FLOOR_ROWS)) for name in floors]
        found = self.child(case, rows)
        after = [self.child(name, min(rows, FLOOR_ROWS)) for name in floors]
        for name, first, second in zip(floors, before, after, strict=True):
            rate = statistics.harmonic_mean([first["rate"], second["rate"]])
            found[name] = found["rate"] / rate
            if name == "floor":
                used = (first["processor"] + second["processor"]) / 2
                found["work"] = used / found["processor"]
        return found


def measure(rows: int, console: Console) -> Table:
    """Run everything in a throw-away folder."""
    with tempfile.TemporaryDirectory(prefix="bikecast-predict-") as name:
        folder = Path(name)
        bench = Bench(folder, console)
        console.print(f"model, and {rows:,} rows into the pool by COPY INTO")
        counts = bench.child("setup", rows)
        small = min(rows, max(rows // 4, 250_000))
        paired = min(rows, PAIRED_ROWS)
        peers = min(rows, PEER_ROWS)
        plan = [
            ("PREDICT, all rows distinct", "distinct", rows, 0.9),
            ("the same, a quarter of the rows", "distinct", small, 0.9),
            ("PREDICT, station-hours", "hours", counts[HOURLY], 10.0),
            ("the same, each row scored", "hours_plain", min(peers, counts[HOURLY]), None),
            ("DuckDB Arrow UDF", "arrow_udf", peers, None),
            ("scikit-learn with pandas", "pandas", peers, None),
            ("LightGBM native, in memory", "native", peers, None),
            ("ONNX Runtime, in memory", "floor", min(rows, FLOOR_ROWS), None),
        ]
        table = Table(
            title=f"PREDICT: 200 trees x 63 leaves, 10 columns, {CORES} threads, CTAS",
            caption="Ratios are to ONNX Runtime on a matrix in memory: (a) with its own threads, "
            "(b) with one thread a call and as many callers. 'work' is the ratio to a of processor "
            "time a row, which other programs on the machine disturb less. DuckDB's infera is "
            "not measured: it is an extension, and none can be downloaded here.",
        )
        table.add_column("figure")
        for column in ("rows", "M rows/s", "to a", "to b", "at least", "work", "peak MiB"):
            table.add_column(column, justify="right")
        for label, case, count, target in plan:
            console.print(label)
            found = bench.between_floors(case, count)
            color = "" if target is None else "green" if found["floor"] >= target else "red"
            table.add_row(
                label,
                f"{found['rows']:,}",
                f"{found['rate'] / 1e6:.3f}",
                f"[{color}]{found['floor']:.2f}[/]" if color else f"{found['floor']:.2f}",
                f"{found['shared_floor']:.2f}",
                "" if target is None else f"{target:g}",
                f"{found['work']:.2f}",
                f"{found['peak']:,.0f}",
            )
        console.print("with and without look-ups, all rows distinct, in turns")
        pairs = [
            [bench.child(case, paired) for case in ("distinct", "distinct_plain")]
            for _ in range(PAIRS)
        ]
        ratio = statistics.median(with_["rate"] / plain["rate"] for with_, plain in pairs)
        spent = statistics.median(p["processor"] / w["processor"] for w, p in pairs)
        color = "green" if ratio >= 0.97 else "red"
        table.add_row(
            "look-ups that find nothing, to none",
            f"{paired:,}",
            "",
            f"[{color}]{ratio:.3f}[/]",
            "",
            "0.97",
            f"{spent:.3f}",
            "",
        )
        return table


def main() -> None:
    """Measure and print the table on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--case", choices=["setup", *CASES], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case == "setup":
        print(json.dumps(setup(options.folder, options.rows)))
    elif options.case:
        with OPEN:
            print(json.dumps(run_case(options.case, options.folder, options.rows)))
    else:
        table = measure(options.rows, Console(stderr=True))
        Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    main()
