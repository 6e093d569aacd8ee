"""Does a table pass through the driver? Seconds and peak memory of the door, the preparation, the
training's sample and the scoring on Spark.

Each part runs in a process of its own, at a quarter of the rows and at all of them; the engine
is yet another process (Sail behind sc://). The floors are pyarrow's open_csv with the same types,
and the engine that reads the same CSV and writes Parquet, no more.

    python benchmarks/scale.py --rows 4000000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from bikecast.core.onnx.contract import model_digest
from bikecast.core.spec import Column, ModelSpec
from bikecast.core.sql_types import arrow_schema
from bikecast.embedded.automl.data import read_dataset
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import simulate
from resources.lake.csv_file import read_training_csv
from resources.lake.local import LocalLake
from resources.spark.connect import ConnectSpark
from resources.spark.port import Preparation, ScoringJob, Stamp
from resources.spark.sessions import session_for
from resources.spark.transform import read_raw

#: Rows of the sample that a training reads.
SAMPLE_ROWS = 100_000
SPEC: ModelSpec = replace(
    BIKE_RENTALS,
    training=replace(BIKE_RENTALS.training, max_rows=SAMPLE_ROWS),
    keys=(
        *BIKE_RENTALS.keys,
        Column("hour", "int", minimum=0, maximum=23),
        Column("station", "int", minimum=0),
    ),
)
_SERVER = (
    "import os, sys; os.environ['RUST_LOG'] = 'off'\n"
    "from pysail.spark import SparkConnectServer\n"
    "server = SparkConnectServer(ip='127.0.0.1', port=0); server.start(background=True)\n"
    "print(server.listening_address[1], flush=True); sys.stdin.read()\n"
)


def write_rows(path: Path, rows: int) -> None:
    """A CSV of rows by day, hour and station; every (day, hour, station) is there once."""
    days = simulate(years=2)
    with path.open("wb") as file:
        written = station = 0
        while written < rows:
            for hour in range(24):
                block = days.slice(0, min(days.num_rows, rows - written))
                for name, value in (("hour", hour), ("station", station)):
                    block = block.append_column(name, pa.array(np.full(block.num_rows, value)))
                header = pa_csv.WriteOptions(include_header=not written, quoting_style="none")
                pa_csv.write_csv(block, file, header)
                written += block.num_rows
                if written >= rows:
                    break
            station += 1


def bare(path: Path, _: Path, __: str) -> None:
    """The floor of the door: the same columns and types, and nothing looked at."""
    schema = arrow_schema(SPEC.training_columns)
    types = {field.name: field.type for field in schema if field.name != "dteday"}
    options = pa_csv.ConvertOptions(column_types=types, include_columns=schema.names)
    for _batch in pa_csv.open_csv(
        path, read_options=pa_csv.ReadOptions(block_size=1 << 23), convert_options=options
    ):
        pass


def door(path: Path, _: Path, __: str) -> None:
    """The file read and checked as a run does."""
    read_training_csv(path, SPEC, source_name=path.name, trainable=True, kept_rows=5)


def engine(path: Path, folder: Path, remote: str) -> None:
    """The floor of the preparation: the engine alone, from the same CSV to Parquet."""
    with path.open() as file:
        names = file.readline().strip().split(",")
    rows = read_raw(session_for(remote), str(path), names, SPEC)
    rows.write.mode("overwrite").parquet(str(folder / "floor"))


def preparation(path: Path, folder: Path, remote: str) -> None:
    """The CSV in the lake becomes a committed Delta table."""
    lake = LocalLake(root=str(folder / "lake"))
    place = lake.local_path(SPEC.source_file)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        place.hardlink_to(path)
    spark = ConnectSpark(remote=remote, lake_root=lake.root)
    spark.prepare(Preparation(SPEC, SPEC.source_file, SPEC.training_table_path))


def sample(_: Path, folder: Path, __: str) -> None:
    """The rows that a training reads of the committed table."""
    read_dataset(SPEC, folder / "lake" / SPEC.training_table_path)


def scoring(_: Path, folder: Path, remote: str) -> None:
    """The rows of the committed table scored by the engine, by a model of one product."""
    model = folder / "lake" / "model.onnx"
    model.write_bytes(_model())
    spark = ConnectSpark(remote=remote, lake_root=str(folder / "lake"))
    stamp = Stamp(1, "data", "code", "run", "2026-01-01T00:00:00+00:00")
    digest = model_digest(model.read_bytes())
    table = SPEC.training_table_path
    spark.score(ScoringJob(SPEC, "model.onnx", digest, table, "tables/scored", stamp))


def _model() -> bytes:
    """A graph that takes the spec's features and predicts twice the temperature."""
    from onnx import TensorProto, checker, helper

    types = {"bigint": TensorProto.INT64, "real": TensorProto.FLOAT}
    inputs = [
        helper.make_tensor_value_info(column.name, types[column.sql_type], [None, 1])
        for column in SPEC.features
    ]
    output = helper.make_tensor_value_info(SPEC.model_output, TensorProto.FLOAT, [None, 1])
    node = helper.make_node("Add", ["temp", "temp"], [SPEC.model_output])
    model = helper.make_model(
        helper.make_graph([node], "twice", inputs, [output]),
        opset_imports=[helper.make_opsetid("", 9)],
        ir_version=4,
    )
    checker.check_model(model)
    return bytes(model.SerializeToString())


PARTS: dict[str, Callable[[Path, Path, str], None]] = {
    "open_csv": bare,
    "door": door,
    "engine alone": engine,
    "preparation": preparation,
    "sample": sample,
    "scoring": scoring,
}
#: What the driver does, whose memory is not to grow with the rows.
DRIVER = ("door", "preparation", "sample", "scoring")


@contextmanager
def server() -> Iterator[str]:
    """A Spark Connect server in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield f"sc://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()


def measured(part: str, path: Path, folder: Path, remote: str) -> tuple[float, float]:
    """Seconds and peak MiB of a part in a process of its own, imports included in the peak."""
    command = [sys.executable, __file__, "--part", part, "--file", str(path)]
    command += ["--folder", str(folder), "--remote", remote]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    return result["seconds"], result["peak"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--remote", default="")
    options = parser.parse_args()
    if options.part:
        start = time.perf_counter()
        PARTS[options.part](options.file, options.folder, options.remote)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "peak": peak}))
        return
    few, many = options.rows // 4, options.rows
    print(f"{'part':14}{'rows':>12}{'seconds':>10}{'peak MiB':>10}{'to floor':>10}")
    peaks: dict[tuple[str, int], float] = {}
    for rows in (few, many):
        with tempfile.TemporaryDirectory(prefix="bikecast-") as name, server() as remote:
            folder = Path(name)
            write_rows(folder / "rows.csv", rows)
            seconds: dict[str, float] = {}
            for part in PARTS:
                seconds[part], peak = measured(part, folder / "rows.csv", folder, remote)
                peaks[part, rows] = peak
                floor = {"door": "open_csv", "preparation": "engine alone"}.get(part, part)
                ratio = seconds[part] / seconds[floor]
                print(f"{part:14}{rows:12,}{seconds[part]:10.2f}{peak:10.0f}{ratio:10.2f}")
            both = (seconds["door"] + seconds["preparation"]) / seconds["engine alone"]
            print(f"{'both':14}{rows:12,}{'':20}{both:10.2f}")
    for part in DRIVER:
        print(f"{part}: {peaks[part, many] - peaks[part, few]:.0f} MiB more for 4 times the rows")


if __name__ == "__main__":
    main()
