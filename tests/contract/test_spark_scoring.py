"""Scoring on every Spark engine: the scores of ONNX Runtime, in a Delta table of the lake."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads
import pytest
from deltalake import DeltaTable, write_deltalake

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.onnx.contract import model_digest
from bikecast.core.onnx.scoring import score_table
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.sample.simulator import write_forecast_csv
from resources.lake.local import LocalLake
from resources.lake.scoring_rows import scoring_rows
from resources.spark.connect import ConnectSpark
from resources.spark.port import ScoringJob, Stamp
from resources.sql_pool.deployment import prediction_types
from tests.unit.sql_pool.onnx_models import weighted_sum

TABLE = "tables/predicted_rentals"
STAGED = "staging/weather_forecast.parquet"
NOW = "2026-01-02T03:04:05.123456+00:00"
MODEL = weighted_sum(
    {"season": "bigint", "temp": "real", "hum": "real", "windspeed": "real"},
    812.25,
    output=BIKE_RENTALS.output,
)


@pytest.fixture(params=["home", "my läke"])
def lake(request, tmp_path):
    lake = LocalLake(root=str(tmp_path / request.param))
    (tmp_path / "model.onnx").write_bytes(MODEL)
    lake.put("models/m.onnx", tmp_path / "model.onnx")
    return lake


@pytest.fixture
def spark(lake):
    return ConnectSpark(lake_root=lake.root)


@pytest.fixture
def forecast(lake, tmp_path):
    """The forecast as an Arrow table; its staged file is in the lake."""
    write_forecast_csv(tmp_path / "days.csv")
    lake.put(BIKE_RENTALS.scoring_file, tmp_path / "days.csv")
    rows = scoring_rows(lake, BIKE_RENTALS)
    assert rows.file.path == STAGED
    return rows.dataset.to_table().drop_columns(["forecast_row"])


def job(rows_path=STAGED, **changes):
    stamp = Stamp(3, "data-1", "code-1", "run-1", NOW)
    return replace(
        ScoringJob(BIKE_RENTALS, "models/m.onnx", model_digest(MODEL), rows_path, TABLE, stamp),
        **changes,
    )


def read(lake):
    return DeltaTable(lake.url(TABLE)).to_pyarrow_table().sort_by("forecast_row")


def test_each_row_of_the_staged_file_has_the_score_of_onnx_runtime(spark, lake, forecast):
    done = spark.score(job())
    table = read(lake)

    assert (done.rows, done.delta_version) == (forecast.num_rows, 0)
    assert table["forecast_row"].to_pylist() == list(range(1, forecast.num_rows + 1))
    assert table["dteday"].equals(forecast["dteday"])
    expected = score_table(MODEL, BIKE_RENTALS, forecast)
    assert table[BIKE_RENTALS.output].to_pylist() == expected.tolist()


def test_each_row_says_where_it_comes_from(spark, lake, forecast):
    spark.score(job())
    row = read(lake).slice(0, 1).to_pylist()[0]

    assert list(row) == list(prediction_types(BIKE_RENTALS))
    assert row["model_digest"] == model_digest(MODEL)
    assert (row["model_version"], row["run_id"]) == (3, "run-1")
    assert (row["data_version"], row["code_version"]) == ("data-1", "code-1")
    assert row["predicted_at"] == dt.datetime.fromisoformat(NOW)


def test_a_second_scoring_replaces_the_first_and_the_folder_has_only_its_own_rows(
    spark, lake, forecast
):
    first = spark.score(job())
    second = spark.score(job())

    assert (first.delta_version, second.delta_version) == (0, 1)
    assert read(lake).num_rows == forecast.num_rows
    files = pads.dataset(lake.local_path(second.folder), format="parquet")
    assert files.count_rows() == forecast.num_rows


def test_the_models_inputs_and_output_are_as_its_file_says(spark, lake, forecast):
    names = {"temp": "temperature"}
    rows = forecast.select(BIKE_RENTALS.feature_names).rename_columns(names)
    write_deltalake(lake.url("tables/days"), rows)
    spec = replace(BIKE_RENTALS, inputs=names, output="rides", output_type="decimal(9,1)")
    spark.score(job("tables/days", spec=spec))
    table = read(lake)
    expected = score_table(MODEL, BIKE_RENTALS, forecast)
    assert table.schema.field("rides").type == pa.decimal128(9, 1)
    assert np.abs(np.array(table["rides"].to_pylist(), float) - expected).max() <= 0.05
    with pytest.raises(InvalidInput, match=r"missing columns celsius"):
        spark.score(job("tables/days", spec=replace(spec, inputs={"temp": "celsius"})))


def test_a_delta_table_without_keys_and_row_numbers_is_scored_in_several_files(
    spark, lake, forecast
):
    rows = pa.concat_tables([forecast.select(BIKE_RENTALS.feature_names)] * 40)
    for _ in range(3):
        write_deltalake(lake.url("tables/days"), rows, mode="append")
    spark.score(job("tables/days"))
    table = read(lake)

    assert table.num_rows == 3 * rows.num_rows
    assert len(set(table["forecast_row"].to_pylist())) == table.num_rows
    assert table["dteday"].null_count == table.num_rows
    expected = score_table(MODEL, BIKE_RENTALS, table)
    assert np.array_equal(table[BIKE_RENTALS.output].to_numpy(), expected)


def test_a_partitioned_table_is_scored_or_refused_but_never_wrongly(spark, lake, forecast):
    write_deltalake(lake.url("tables/days"), forecast, partition_by=["season"])
    if "ä" in lake.root:
        with pytest.raises(InvalidInput, match="tables/days has partitions"):
            spark.score(job("tables/days"))
        return
    spark.score(job("tables/days"))
    table = read(lake)
    expected = score_table(MODEL, BIKE_RENTALS, table)
    assert table[BIKE_RENTALS.output].to_pylist() == expected.tolist()


def test_other_bytes_than_the_checked_model_are_not_loaded(spark, lake, forecast):
    with pytest.raises(BikecastError, match="not the one that was checked"):
        spark.score(job(model_digest="0" * 64))
    assert not lake.local_path(f"{TABLE}/_delta_log").exists()


def test_a_missing_value_is_reported_and_the_old_predictions_stay(spark, lake, forecast):
    spark.score(job())
    before = read(lake)
    column = pa.array([None, *forecast["temp"].to_pylist()[1:]], pa.float32())
    position = forecast.schema.get_field_index("temp")
    write_deltalake(lake.url("tables/days"), forecast.set_column(position, "temp", column))

    with pytest.raises(BikecastError, match=r"cannot score tables/days: .*1 rows have no temp"):
        spark.score(job("tables/days"))
    assert read(lake).equals(before)


def test_rows_that_are_not_there_or_lack_a_feature_are_named(spark, lake, forecast):
    with pytest.raises(InvalidInput, match="no Delta table at tables/days"):
        spark.score(job("tables/days"))
    with pytest.raises(InvalidInput, match=r"no file staging/nothing\.parquet"):
        spark.score(job("staging/nothing.parquet"))
    write_deltalake(lake.url("tables/days"), forecast.drop_columns(["hum", "temp"]))
    with pytest.raises(InvalidInput, match="tables/days: missing columns temp, hum"):
        spark.score(job("tables/days"))
