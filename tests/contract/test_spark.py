"""What every Spark engine does with a CSV of the lake: the same table, to the byte."""

import datetime as dt
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.jobs import JobState
from bikecast.core.sql_types import arrow_schema
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import write_training_csv
from resources.lake.local import LocalLake
from resources.spark.connect import ConnectSpark
from resources.spark.delta_table import current_files
from resources.spark.port import Preparation
from resources.spark.sessions import session_for
from tests.second_spec import COFFEE_SALES, write_coffee_files

TABLE = BIKE_RENTALS.training_table_path


@pytest.fixture(scope="module")
def cluster():
    """The address of a Spark Connect server that is not ours."""
    script = (
        "import os, sys; os.environ['RUST_LOG'] = 'off'\n"
        "from pysail.spark import SparkConnectServer\n"
        "server = SparkConnectServer(ip='127.0.0.1', port=0); server.start(background=True)\n"
        "print(server.listening_address[1], flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield f"sc://127.0.0.1:{server.stdout.readline().strip()}"
        server.stdin.close()


@pytest.fixture(params=["embedded", "cluster"])
def spark(request, lake):
    remote = request.getfixturevalue("cluster") if request.param == "cluster" else ""
    return ConnectSpark(remote=remote, lake_root=lake.root)


@pytest.fixture
def lake(tmp_path):
    return LocalLake(root=str(tmp_path / "my läke"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "days.csv"
    write_training_csv(path, years=1)
    return path


def store(lake, content, spec=BIKE_RENTALS):
    path = content
    if isinstance(content, str):
        path = Path(lake.root).with_name("in.csv")
        path.write_text(content, encoding="utf-8")
    lake.put(spec.source_file, path)


def prepare(spark, spec=BIKE_RENTALS):
    return spark.prepare(Preparation(spec, spec.source_file, spec.training_table_path))


def query(spark, lake, sql):
    """The rows of a query of bike_data in the engine itself."""
    session = session_for(spark.remote)
    files = current_files(lake.local_path(TABLE))
    session.read.parquet(*files).createOrReplaceTempView("bike_data")
    return session.sql(sql).toArrow().to_pylist()


def read(lake, spec=BIKE_RENTALS):
    return DeltaTable(lake.url(spec.training_table_path)).to_pyarrow_table()


def test_the_table_has_features_target_and_keys_in_the_order_of_the_days(spark, lake, sample):
    store(lake, sample)
    prepared = prepare(spark)
    table = read(lake)
    assert (prepared.rows, prepared.changed, prepared.delta_version) == (365, True, 0)
    assert table.schema == arrow_schema(BIKE_RENTALS.training_columns)
    assert table["dteday"].to_pylist() == [
        dt.date(2011, 1, 1) + dt.timedelta(n) for n in range(365)
    ]


def test_the_engine_reads_the_table(spark, lake, sample):
    store(lake, sample)
    prepare(spark)
    rows = query(spark, lake, "SELECT count(*) AS days, max(dteday) AS last FROM bike_data")
    assert rows == [{"days": 365, "last": dt.date(2011, 12, 31)}]


def test_unchanged_data_makes_no_commit_whatever_the_order_of_its_rows(spark, lake, sample):
    store(lake, sample)
    first = prepare(spark)
    header, *rows = sample.read_text().splitlines()
    store(lake, "\n".join([header, *reversed(rows)]))
    second = prepare(spark)
    assert (second.changed, second.delta_version) == (False, 0)
    assert second.data_version == first.data_version


def test_changed_data_is_a_new_version_and_is_seen_at_once(spark, lake, sample):
    store(lake, sample)
    first = prepare(spark)
    store(lake, "\n".join(sample.read_text().splitlines()[:-1]))
    second = prepare(spark)
    assert (second.changed, second.delta_version, second.rows) == (True, 1, 364)
    assert second.data_version != first.data_version
    assert query(spark, lake, "SELECT count(*) AS n FROM bike_data") == [{"n": 364}]


def test_the_same_file_spec_and_code_start_no_engine(spark, lake, sample, monkeypatch):
    store(lake, sample)
    first = prepare(spark)
    with monkeypatch.context() as patched:
        patched.setattr("resources.spark.sessions.session_for", lambda remote: pytest.fail(remote))
        assert prepare(spark) == replace(first, changed=False)
    assert query(spark, lake, "SELECT count(*) AS days FROM bike_data") == [{"days": 365}]


@pytest.mark.parametrize(
    "edit", [lambda text: "{", lambda text: text.replace("rows", "rows_"), None]
)
def test_a_damaged_or_lost_record_of_a_preparation_only_costs_the_engine(spark, lake, sample, edit):
    store(lake, sample)
    first = prepare(spark)
    [record] = lake.local_path(TABLE).parent.glob(".*.json")
    record.write_text(edit(record.read_text())) if edit else record.unlink()
    assert prepare(spark) == replace(first, changed=False)
    assert record.is_file()


def test_a_csv_that_is_replaced_while_the_engine_reads_it_is_not_recorded(
    spark, lake, sample, monkeypatch
):
    store(lake, sample)
    prepared = ConnectSpark._prepared

    def replaced(self, preparation, csv_file, place):
        store(lake, "\n".join(sample.read_text().splitlines()[:100]))
        return prepared(self, preparation, csv_file, place)

    with monkeypatch.context() as patched:
        patched.setattr(ConnectSpark, "_prepared", replaced)
        assert prepare(spark).rows == 99
    store(lake, sample)
    assert prepare(spark).rows == 365


def test_a_record_that_cannot_be_written_costs_the_engine_alone(spark, lake, sample):
    store(lake, sample)
    lake.local_path(TABLE).parent.mkdir(parents=True)
    lake.local_path(TABLE).with_name(".bike_data.json").mkdir()
    first = prepare(spark)
    assert prepare(spark) == replace(first, changed=False)


def test_a_damaged_log_is_an_error_of_ours(spark, lake, sample):
    store(lake, sample)
    prepare(spark)
    [log] = lake.local_path(TABLE).glob("_delta_log/*.json")
    log.write_text("{")
    with pytest.raises(BikecastError, match=r"_delta_log is damaged.*\n.*bikecast repair"):
        prepare(spark)


def folders(lake):
    return sorted(path.name for path in lake.local_path(TABLE).glob("prepared-*"))


def test_files_that_say_nothing_new_are_removed_and_those_of_versions_stay(spark, lake, sample):
    store(lake, sample)
    prepare(spark)
    [first] = folders(lake)
    lake.local_path(TABLE).with_name(".bike_data.json").unlink()
    prepare(spark)
    assert folders(lake) == [first]
    store(lake, "\n".join(sample.read_text().splitlines()[:-1]))
    prepare(spark)
    assert len(folders(lake)) == 2


def test_the_log_has_the_rows_and_the_first_and_the_last_day_of_each_file(spark, lake, sample):
    store(lake, sample)
    prepare(spark)
    actions = DeltaTable(lake.url(TABLE)).get_add_actions(flatten=True)
    [row] = pa.table(actions).to_pylist()
    assert row["num_records"] == 365
    assert (row["min.dteday"], row["max.dteday"]) == (dt.date(2011, 1, 1), dt.date(2011, 12, 31))


def test_a_table_of_the_version_before_keeps_its_data_version(spark, lake, sample):
    store(lake, sample)
    prepare(spark)
    table = read(lake)
    old = CommitProperties(custom_metadata={"bikecast.dataVersion": "old"})
    shutil.rmtree(lake.local_path(TABLE))
    write_deltalake(lake.url(TABLE), table, commit_properties=old)
    again = prepare(spark)
    assert (again.data_version, again.changed, again.delta_version) == ("old", False, 0)
    store(lake, "\n".join(sample.read_text().splitlines()[:-1]))
    assert prepare(spark).data_version != "old"


def test_a_table_that_somebody_else_wrote_is_prepared_again(spark, lake, sample):
    store(lake, sample)
    first = prepare(spark)
    write_deltalake(lake.url(TABLE), read(lake).slice(1), mode="overwrite")
    second = prepare(spark)
    assert (second.changed, second.rows, second.delta_version) == (True, first.rows, 2)


def test_columns_in_another_order_iso_dates_quotes_and_strangers_change_nothing(spark, lake):
    days = ["2,0.5,2011-01-01,0.2,1,0,6,0,1,0.1,0.3,9,x", "3,0.6,1/2/2011,0.2,1,0,0,0,1,0.1,0.3,8,"]
    header = "weathersit,hum,dteday,windspeed,season,holiday,weekday,workingday,mnth,temp,atemp"
    store(lake, "\n".join([f"{header},rentals,mood", *days]))
    plain = prepare(spark)
    quoted = [",".join(f'"{field}"' for field in day.split(",")) for day in days]
    store(lake, "\r\n".join([f"\ufeff{header},rentals,mood", *quoted, ""]))
    assert prepare(spark).data_version == plain.data_version
    assert read(lake)["dteday"].to_pylist() == [dt.date(2011, 1, 1), dt.date(2011, 1, 2)]


def test_suspicious_values_are_flagged_imputed_or_dropped_as_the_spec_says(spark, lake, sample):
    header, *rows = sample.read_text().splitlines()
    fields = rows[9].split(",")
    fields[header.split(",").index("hum")] = "0"
    rows = [row for row in rows if ",0.0," not in row]
    rows[9] = ",".join(fields)
    store(lake, "\n".join([header, *rows]))
    flagged = prepare(spark)
    assert flagged.findings == ("hum: 1 row has the suspicious value 0 (dteday 2011-01-10), kept",)
    good = sorted(value for value in read(lake)["hum"].to_pylist() if value)
    imputed = prepare(spark, replace(BIKE_RENTALS, suspicious_treatment="impute"))
    assert (imputed.rows, imputed.dropped_rows) == (flagged.rows, 0)
    middle = len(good) // 2
    expected = good[middle] if len(good) % 2 else (good[middle - 1] + good[middle]) / 2
    assert read(lake)["hum"].to_pylist()[9] == pytest.approx(expected, abs=1e-6)
    dropped = prepare(spark, replace(BIKE_RENTALS, suspicious_treatment="drop"))
    assert (dropped.rows, dropped.dropped_rows) == (flagged.rows - 1, 1)
    assert dropped.findings[-1].startswith("bike_data: 1 of ")


def test_a_spec_with_text_and_without_keys_is_prepared_too(spark, lake, tmp_path):
    files = write_coffee_files(tmp_path)
    lines = files.training.read_text().splitlines()
    lines[1] = "espresso,2.5,999,20.5,9"
    store(lake, "\n".join(lines), COFFEE_SALES)
    prepared = prepare(spark, COFFEE_SALES)
    table = read(lake, COFFEE_SALES)
    assert prepared.rows == 240
    assert table.schema == arrow_schema(COFFEE_SALES.training_columns)
    assert set(table["drink"].to_pylist()) == set(COFFEE_SALES.features[0].codes)
    assert 999 not in table["seats"].to_pylist()


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda text: text.replace(",hum,", ",fog,", 1), InvalidInput, "missing column hum"),
        (lambda text: text.replace("2011,1,0,1,0,6", "2011,1,0,x,0,6", 1), BikecastError, "Spark"),
        (lambda text: text + "1,2,3\n", BikecastError, "Spark cannot prepare data/bike-rentals"),
        (lambda text: text.splitlines()[0] + "\n", InvalidInput, "no usable row is left of 0"),
    ],
)
def test_a_bad_file_is_refused_and_leaves_the_table(spark, lake, sample, edit, error, message):
    store(lake, sample)
    good = prepare(spark)
    store(lake, edit(sample.read_text()))
    with pytest.raises(error, match=message):
        prepare(spark)
    store(lake, sample)
    assert prepare(spark) == replace(good, changed=False)


def test_a_file_whose_every_row_is_dropped_leaves_no_usable_row(spark, lake):
    store(lake, "drink,price,seats,outdoor_temp,cups\nespresso,2,999,1,1\n", COFFEE_SALES)
    with pytest.raises(InvalidInput, match="no usable row is left of 1; coffee_sales is unchanged"):
        prepare(spark, replace(COFFEE_SALES, suspicious_treatment="drop"))
    assert not lake.local_path(COFFEE_SALES.training_table_path).exists()


def test_a_csv_that_is_not_there_is_named(spark):
    with pytest.raises(InvalidInput, match=r"no file data/bike-rentals-training\.csv in the lake"):
        prepare(spark)


def test_an_unknown_job_is_not_found_and_cannot_be_canceled(spark):
    assert spark.status("nobody-1").state is JobState.NOT_FOUND
    assert spark.cancel("nobody-1").state is JobState.NOT_FOUND
