"""Any CSV is scored as the training read its columns, by their names."""

import numpy as np
import pandas
import pyarrow as pa
import pytest

from bikecast.core.errors import InvalidInput
from bikecast.embedded.automl.card import USE
from bikecast.embedded.automl.data import dataset_from_arrow
from bikecast.embedded.automl.export.ensemble import export_model
from bikecast.embedded.automl.models import fit_model
from bikecast.embedded.automl.portfolio import Configuration
from bikecast.embedded.automl.scoring import score_texts
from bikecast.embedded.automl.tabular import tabular_data
from pipelines.cli.predict import read_by_spec

RIDGE = Configuration("ridge", "ridge", "one_hot", "none", {"alpha": 0.01})
ROWS = 60


def texts(**changes) -> pa.Table:
    """Rows whose target is ten times the weight, 5 more on Mondays and 20 more if red."""
    number = np.arange(ROWS)
    days = np.datetime64("2024-01-01") + number
    columns = {
        "Weight kg": [f"{n % 7},5" for n in number],
        "sold": [pandas.Timestamp(day).strftime("%d.%m.%Y") for day in days],
        "red": ["yes" if n % 3 else "no" for n in number],
        "town": [None if n % 5 == 0 else "AB"[n % 2] for n in number],
        "y": [str(10 * (n % 7) + 20 * bool(n % 3)) for n in number],
    }
    return pa.table({name: pa.array(v, pa.string()) for name, v in {**columns, **changes}.items()})


@pytest.fixture(scope="module")
def trained():
    """A model of the table, its readings, and the table's own predictions."""
    made = tabular_data(texts(), target="y", name="t.csv")
    data = dataset_from_arrow(made.spec, made.table)
    rows = np.arange(data.rows)
    native = fit_model(RIDGE, data, rows, 0)
    graph = export_model([(native, 1.0)], data.columns, made.spec.output, None)
    return graph, made.columns_json(), native.predict(data.values, rows)


def test_the_rows_of_the_training_are_scored_as_the_model_does(trained):
    graph, columns, expected = trained
    assert score_texts(graph, texts(), columns).predictions == pytest.approx(expected, abs=1e-3)


def test_order_case_and_other_columns_of_a_file_do_not_matter(trained):
    graph, columns, expected = trained
    table = texts(more=["?"] * ROWS)
    table = table.select(table.column_names[::-1])
    table = table.rename_columns([name.upper() for name in table.column_names])
    assert score_texts(graph, table, columns).predictions == pytest.approx(expected, abs=1e-3)


def test_a_missing_column_is_named(trained):
    graph, columns, _ = trained
    with pytest.raises(InvalidInput, match=r"no column 'red'; it has .*Nothing was scored"):
        score_texts(graph, texts().drop_columns("red"), columns)


def test_a_file_without_rows_is_refused(trained):
    graph, columns, _ = trained
    with pytest.raises(InvalidInput, match="no rows"):
        score_texts(graph, texts().slice(0, 0), columns)


def test_a_value_that_the_model_cannot_take_is_refused_with_its_row(trained):
    graph, columns, _ = trained
    wrong = texts(red=["yes", "perhaps", *["no"] * (ROWS - 2)])
    with pytest.raises(InvalidInput, match="'red' has 'perhaps' in data row 2"):
        score_texts(graph, wrong, columns)


def test_a_number_that_cannot_be_read_is_missing_and_said(trained):
    graph, columns, _ = trained
    scored = score_texts(graph, texts(**{"Weight kg": ["heavy", *["1,5"] * (ROWS - 1)]}), columns)
    assert "'heavy' in data row 1" in scored.notes[0]
    assert np.isfinite(scored.predictions).all()


@pytest.mark.parametrize("column", ["Weight kg", "sold"])
def test_a_column_that_cannot_be_read_is_refused(trained, column):
    """It was scored as if all its values were missing."""
    graph, columns, _ = trained
    with pytest.raises(InvalidInput, match=r"60 values cannot be read .*Nothing was scored"):
        score_texts(graph, texts(**{column: ["1.5/x"] * ROWS}), columns)


def test_a_number_that_may_be_another_one_is_refused_without_readings(trained):
    graph = trained[0]
    made = tabular_data(texts(), target="y", name="t.csv").table.to_pandas().astype(str)
    table = pa.Table.from_pandas(
        made.drop(columns="y").assign(Weight_kg="1.349"), preserve_index=False
    )
    with pytest.raises(InvalidInput, match=r"'1.349' in data row 1, read as 1.349, but could be"):
        score_texts(graph, table, None)
    table = pa.Table.from_pandas(made.assign(Weight_kg="1,5"), preserve_index=False)
    assert (
        "'Weight_kg' is read as number, decimal comma" in score_texts(graph, table, None).notes[0]
    )


def test_a_model_of_the_project_reads_a_file_as_a_run_does(trained, tmp_path):
    """Its own formats were guessed from the scored file."""
    graph, _, expected = trained
    spec = tabular_data(texts(), target="y", name="t.csv").spec
    frame = tabular_data(texts(), target="y", name="t.csv").table.to_pandas()
    alike = frame["town"] == "A"
    frame[alike].drop(columns="y").to_csv(tmp_path / "t.csv", sep=";", decimal=",", index=False)
    table, columns, _ = read_by_spec(tmp_path / "t.csv", spec)
    scored = score_texts(graph, table, columns)
    assert scored.predictions == pytest.approx(expected[alike], abs=1e-3)


def test_without_readings_columns_are_those_of_the_model(trained, tmp_path, monkeypatch, capsys):
    """The card's five lines of Python predict the same."""
    graph, _, expected = trained
    made = tabular_data(texts(), target="y", name="t.csv")
    frame = made.table.to_pandas().assign(town=lambda table: table["town"].fillna(""))
    table = pa.Table.from_pandas(frame.astype(str), preserve_index=False)
    assert score_texts(graph, table, None).predictions == pytest.approx(expected, abs=1e-3)

    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.onnx").write_bytes(graph)
    frame.assign(town="A").to_csv("rows.csv", index=False)
    assert len(USE.splitlines()) == 5
    exec(USE, {})  # the code of the card
    printed = np.array(capsys.readouterr().out.replace("[", " ").replace("]", " ").split(), float)
    alike = frame["town"] == "A"
    assert printed[alike] == pytest.approx(expected[alike], abs=1e-2)
