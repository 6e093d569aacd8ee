import json
import os
import shutil
import subprocess
import sys

import pytest

from bikecast.core.errors import BikecastError, InvalidInput
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import write_training_csv
from resources.lake.local import LocalLake
from resources.spark import sessions
from resources.spark.connect import ConnectSpark
from resources.spark.port import Preparation
from resources.spark.transform import csv_schema, spark_date_pattern
from tests.cli import HANG_SECONDS

SCRIPT = """
import json, sys
from pathlib import Path
from pipelines.bike_rentals import BIKE_RENTALS as spec
from resources.spark.connect import ConnectSpark
from resources.spark.delta_table import current_files
from resources.spark.port import Preparation
from resources.spark.sessions import session_for
spark = ConnectSpark(remote=sys.argv[2], lake_root=sys.argv[1])
table = spark.prepare(Preparation(spec, spec.source_file, "tables/bike_data"))
files = current_files(Path(sys.argv[1], "tables", "bike_data"))
rows = session_for(sys.argv[2]).read.parquet(*files).count()
print(json.dumps([table.data_version, rows]))
"""


@pytest.fixture
def lake(tmp_path):
    lake = LocalLake(root=str(tmp_path / "lake"))
    write_training_csv(tmp_path / "in.csv", years=1)
    lake.put(BIKE_RENTALS.source_file, tmp_path / "in.csv")
    return lake


def start(lake, remote=""):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, lake.root, remote],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("remote", ["spark://host:7077", "yarn", "http://host", "local[2"])
def test_an_unknown_remote_is_refused(remote):
    with pytest.raises(InvalidInput, match=r"use sc://HOST:PORT or local\[\*\]"):
        sessions.session_for(remote)


def test_a_remote_that_does_not_answer_is_named_without_its_token():
    with pytest.raises(BikecastError, match=r"cannot open a Spark session on sc://127") as caught:
        sessions.session_for("sc://127.0.0.1:1/;token=SECRET")
    assert "SECRET" not in str(caught.value)


def test_a_session_that_somebody_stopped_is_replaced():
    session = sessions.session_for("")
    assert sessions.session_for("") is session
    session.stop()
    assert sessions.session_for("").range(3).count() == 3


@pytest.mark.filterwarnings("ignore:.*RETRIES_EXCEEDED")
def test_another_remote_is_another_server_and_may_be_gone_at_the_end():
    from pysail.spark import SparkConnectServer

    other = SparkConnectServer(ip="127.0.0.1", port=0)
    other.start(background=True)
    remote = f"sc://127.0.0.1:{other.listening_address[1]}"
    sessions.session_for("").range(2).createOrReplaceTempView("numbers")
    assert "numbers" in {table.name for table in sessions.session_for("").catalog.listTables()}
    assert sessions.session_for(remote).catalog.listTables() == []
    other.stop()
    sessions.stop_all()


def test_the_schema_of_a_csv_is_explicit_and_in_the_order_of_the_file():
    schema = csv_schema(["instant", "dteday", "temp", "a`b", "rentals"], BIKE_RENTALS)
    assert schema == (
        "`instant` string, `dteday` string, `temp` float, `a``b` string, `rentals` bigint"
    )


def test_date_formats_become_spark_patterns_and_others_are_refused():
    assert spark_date_pattern("%m/%d/%Y") == "M/d/yyyy"
    with pytest.raises(ValueError, match="may use %Y, %m and %d only"):
        spark_date_pattern("%b %d")


def test_the_embedded_engine_is_silent_and_ends_with_its_process(lake):
    with start(lake) as process:
        out, err = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 0, err
    assert json.loads(out)[1] == 365
    assert err == ""


@pytest.mark.slow
def test_two_processes_at_once_leave_one_version(lake):
    processes = [start(lake), start(lake)]
    results = []
    for process in processes:
        with process:
            out, err = process.communicate(timeout=HANG_SECONDS)
            assert process.returncode == 0, err
            results.append(json.loads(out))
    assert results[0] == results[1]
    commits = lake.local_path("tables/bike_data/_delta_log").glob("*.json")
    assert [path.name for path in commits] == ["00000000000000000000.json"]


@pytest.mark.slow
def test_a_jvm_session_makes_the_same_table_as_the_embedded_engine(lake, tmp_path):
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip("there is no Java on this machine")
    with start(lake, "local[2]") as process:
        out, err = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 0, err
    version, rows = json.loads(out)
    embedded = ConnectSpark(lake_root=lake.root).prepare(
        Preparation(BIKE_RENTALS, BIKE_RENTALS.source_file, "tables/bike_data")
    )
    assert rows == 365
    assert (embedded.data_version, embedded.changed) == (version, False)
