"""What scoring on Spark costs, beside PREDICT in the embedded SQL pool and the floor of both.

The model and the rows are those of `benchmarks/predict.py`: 200 trees with 63 leaves, 10 columns.
The floor is ONNX Runtime on a matrix in memory, on as many threads. Spark reads a Delta table and
writes Parquet files that it commits as Delta; PREDICT reads a table of the pool into a new one.
Each round measures all three, one after the other; what is printed are medians of the rounds.
`python benchmarks/scoring.py --rows 1000000`
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "benchmarks")]

import numpy as np  # noqa: E402
import predict_cases as cases  # noqa: E402
import predict_data as data  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from bikecast.core.onnx.contract import inspect_model, model_digest  # noqa: E402
from bikecast.core.spec import Column, ModelSpec, TrainingSettings  # noqa: E402
from resources.spark.connect import ConnectSpark  # noqa: E402
from resources.spark.port import ScoringJob, Stamp  # noqa: E402

FLOOR_ROWS = 400_000
SPEC = ModelSpec(
    model_name="bench",
    features=tuple(Column(name, "real") for name in data.COLUMNS),
    target=Column("y", "real"),
    keys=(Column("id", "bigint"),),
    training=TrainingSettings(experiment="bench"),
    source_asset="raw",
    source_file="data/raw.csv",
    training_table="rows",
    run_asset="automl_run",
    model_table="models",
    scoring_file="data/rows.csv",
    scoring_table=data.PLAIN,
    procedure="score",
    predictions_table="predicted",
    output=data.OUTPUT,
)


def spark(folder: Path) -> Callable[[], int]:
    """Spark from a Delta table into a new version of another one."""
    import pyarrow as pa
    import pyarrow.dataset as pads
    from deltalake import write_deltalake

    lake = folder / "lake"
    rows = pads.dataset(lake / data.PLAIN, format="parquet")
    write_deltalake(
        lake / "rows", pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches())
    )
    model = (folder / "columns.onnx").read_bytes()
    inspect_model(model)
    (lake / "model.onnx").write_bytes(model)
    stamp = Stamp(1, "v1", "code", "run", "2026-01-01T00:00:00+00:00")
    job = ScoringJob(SPEC, "model.onnx", model_digest(model), "rows", "predicted", stamp)
    engine = ConnectSpark(lake_root=str(lake))
    return lambda: engine.score(job).rows


def agree(folder: Path) -> float:
    """Largest difference between the scores of both ways."""
    from deltalake import DeltaTable

    table = DeltaTable(folder / "lake/predicted").to_pyarrow_table(columns=["id", data.OUTPUT])
    by_spark = np.empty(table.num_rows, np.float32)
    by_spark[table["id"].to_numpy()] = table[data.OUTPUT].to_numpy()
    with data.pool_of(folder).session() as session:
        step = max(1, table.num_rows // 10_000)
        query = f"SELECT id, {data.OUTPUT} FROM dbo.predicted WHERE id % {step} = 0"
        rows = session.run(query)[0].rows
    return max(abs(float(by_spark[int(str(key))]) - float(str(score))) for key, score in rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data.setup(folder, options.rows)
        floor = cases.shared_floor(folder, min(options.rows, FLOOR_ROWS))
        by_spark = spark(folder)
        by_spark()  # the engine starts
        ways: dict[str, list[float]] = {"ONNX Runtime in memory": [], "PREDICT": [], "Spark": []}
        for _ in range(options.rounds):
            predict = cases.predict(folder, options.rows, data.PLAIN, remember=False)
            for way, run in zip(ways, (floor, predict, by_spark), strict=True):
                start = time.perf_counter()
                rows = run()
                ways[way].append(rows / (time.perf_counter() - start))
        difference = agree(folder)
        cases.OPEN.close()
    medians = {way: statistics.median(speeds) for way, speeds in ways.items()}
    table = Table("way", "rows/s", "of the floor", "of PREDICT")
    for way, speed in medians.items():
        of_floor = speed / medians["ONNX Runtime in memory"]
        table.add_row(way, f"{speed:,.0f}", f"{of_floor:.2f}", f"{speed / medians['PREDICT']:.2f}")
    console = Console()
    console.print(table)
    console.print(f"{options.rows:,} rows; the ways differ by {difference:g} at most")


if __name__ == "__main__":
    main()
