"""A model's file made of a CSV: what is inferred, and what is refused."""

import dagster as dg
import pytest
from typer.testing import CliRunner

from bikecast.core.errors import InvalidInput
from pipelines import model_files
from pipelines.cli import app as cli
from pipelines.new_model import Wish, make_model
from pipelines.scaffold import ModelParams, ModelScaffolder
from tests.file_server import file_server
from tests.second_spec import write_coffee_files


@pytest.fixture(scope="module")
def coffee_csv(tmp_path_factory):
    return write_coffee_files(tmp_path_factory.mktemp("coffee")).training


@pytest.fixture
def table(tmp_path):
    """A CSV of forty rows; a column is a function of the row's number."""

    def write(**columns):
        path = tmp_path / "rows.csv"
        rows = [",".join(str(value(n)) for value in columns.values()) for n in range(40)]
        path.write_text("\n".join([",".join(columns), *rows]) + "\n", "utf-8")
        return path

    return write


def made(folder, csv, target="y", **fields):
    return make_model(Wish("shop", str(csv), target, **fields), folder / "defs")


def x(number):
    return number / 7


def y(number):
    return number * 3 % 11


def test_texts_whole_numbers_and_floats_are_inputs(tmp_path, coffee_csv):
    place, model, notes = made(tmp_path, coffee_csv, "cups")
    spec = model.spec
    types = {column.name: column.sql_type for column in spec.features}
    assert types == {
        "drink": "varchar",
        "price": "float",
        "seats": "bigint",
        "outdoor_temp": "float",
    }
    assert (spec.target.name, spec.target.sql_type) == ("cups", "bigint")
    assert (spec.keys, spec.segments, notes) == ((), ("drink",), [])
    assert place == tmp_path / "defs" / "shop" / "defs.yaml"


def test_an_hourly_table_has_two_keys_and_the_day_orders_it(tmp_path, table):
    csv = table(day=lambda n: f"0{1 + n // 24}/01/2024", hour=lambda n: n % 24, x=x, y=y)
    _, model, _ = made(tmp_path, csv, keys=("day", "hour"), metric="r2_score")
    assert [(key.name, key.sql_type) for key in model.spec.keys] == [
        ("day", "date"),
        ("hour", "bigint"),
    ]
    assert model.spec.time_key == "day"
    assert model.spec.keys[0].date_format == "%m/%d/%Y"
    assert model.spec.training.primary_metric == "r2_score"


def test_the_only_date_that_tells_rows_apart_is_the_key(tmp_path, table):
    csv = table(day=lambda n: f"2024-01-{n + 1:02}" if n < 31 else f"2024-02-{n - 30:02}", x=x, y=y)
    _, model, notes = made(tmp_path, csv)
    assert model.spec.time_key == "day"
    assert "ordered in time by 'day'" in notes[0]


def moment(number):
    return f"2024-01-0{1 + number // 24} {number % 24:02}:00:00"


def test_the_only_moment_that_tells_rows_apart_is_the_key_and_orders_them(tmp_path, table):
    """Guards the fault that an hourly table's moments were an input, each a text of its own."""
    _, model, notes = made(tmp_path, table(at=moment, x=x, y=y))
    assert model.spec.feature_names == ("x",)
    assert (model.spec.key_names, model.spec.time_key) == (("at",), "at")
    assert "ordered in time by 'at'" in notes[0]


def test_texts_of_which_each_row_has_another_are_left_out(tmp_path, table):
    _, model, notes = made(tmp_path, table(x=x, price=lambda n: f"$ {n}.50", y=y))
    assert model.spec.feature_names == ("x",)
    assert notes == ["column 'price' is left out: each row has another text, such as '$ 0.50'"]


def test_a_file_without_an_input_says_why_each_column_is_none(tmp_path, table):
    with pytest.raises(InvalidInput, match="'größe' is left out: its name is none in SQL"):
        made(tmp_path, table(größe=x, y=y))


def hole(number):
    return number if number else ""


def test_what_training_does_not_take_is_left_out_with_a_note(tmp_path, table):
    holes = {"a b": x, "hole": hole, "seen": lambda n: "2024-01-01"}
    _, model, notes = made(tmp_path, table(x=x, **holes, y=y))
    assert model.spec.feature_names == ("x",)
    assert model.spec.ignored == ("a b", "hole", "seen")
    assert len(notes) == 3


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"target": "z"}, "no column 'z'; it has x, y, word, hole, name"),
        ({"target": "word"}, "only numbers can be predicted"),
        ({"keys": ("z",)}, "no column 'z'"),
        ({"keys": ("word",)}, "word: two rows have the same"),
        ({"metric": "accuracy"}, "is not one of"),
        ({"keys": ("y",)}, "'y' is the target, and no key"),
        ({"keys": ("hole",)}, "'hole' has no value in 1 rows, the first of them row 1 below"),
        ({"target": "hole"}, "'hole' has no value in 1 rows, the first of them row 1 below"),
        ({"time": "name"}, "'name' cannot order rows in time: .* such as 'name 0'"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_and_leaves_nothing(tmp_path, table, wish, said):
    csv = table(x=x, y=y, word=lambda n: "abc"[n % 3], hole=hole, name="name {}".format)
    with pytest.raises(InvalidInput, match=said):
        made(tmp_path, csv, **wish)
    assert not (tmp_path / "defs" / "shop").exists()


def test_a_model_that_is_there_is_not_written_over(tmp_path, table):
    csv = table(x=x, y=y)
    made(tmp_path, csv)
    with pytest.raises(InvalidInput, match="is there already"):
        made(tmp_path, csv)


def test_the_command_says_what_comes_next(tmp_path, monkeypatch, coffee_csv):
    monkeypatch.setattr(make_model, "__defaults__", (tmp_path,))
    command = ["new-model", "shop", "--csv", str(coffee_csv), "--target", "cups"]
    done = CliRunner().invoke(cli.app, command)
    assert done.exit_code == 0, done.output
    assert "bikecast run --model shop" in done.stdout
    [model] = model_files.load_models(tmp_path)
    assert model.csv == model.forecast == str(coffee_csv)


NAMES = {"price": "Preis (€)", "cups": "Tassen", "day": "Tag"}


def test_columns_of_another_name_are_renamed_for_the_model(tmp_path, table):
    days = {"Tag": lambda n: f"2024-{1 + n // 20:02}-{n % 20 + 1:02}"}
    csv = table(**{"Preis (€)": x, "Tassen": y}, **days)
    _, model, _ = made(tmp_path, csv, "cups", columns=NAMES)
    assert model.spec.feature_names == ("price",)
    assert (model.spec.target.name, model.spec.time_key) == ("cups", "day")
    assert model.spec.columns == NAMES
    assert model.spec.ignored == ()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"cups": "Tassen"}, "has no column 'Tassen'; it has x, y"),
        ({"a b": "x"}, "'a b' cannot be a column in SQL"),
        ({"y": "x"}, "has a column 'y' already"),
    ],
)
def test_a_rename_that_cannot_be_is_refused(tmp_path, table, columns, said):
    with pytest.raises(InvalidInput, match=said):
        made(tmp_path, table(x=x, y=y), columns=columns)
    assert not (tmp_path / "defs" / "shop").exists()


def test_a_url_is_read_and_what_may_be_a_key_in_it_is_not_written(tmp_path, table):
    content = table(x=x, y=y).read_bytes()
    with file_server(**{"sales.csv": content}) as server:
        address = f"{server.url}/sales.csv"
        place, model, notes = made(tmp_path, f"{address}?sig=secret")
    assert model.csv == model.forecast == address
    assert "secret" not in place.read_text("utf-8")
    assert "set BIKECAST_CSV to all of it" in notes[0]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("csv", "said"),
    [("nowhere.csv", "does not exist"), ("sample", "no file"), ("-", "no file")],
)
def test_a_file_that_a_run_could_not_read_is_refused(tmp_path, csv, said):
    with pytest.raises(InvalidInput, match=said):
        made(tmp_path, csv)
    assert not (tmp_path / "defs" / "shop").exists()


def test_dg_scaffolds_the_same_file(tmp_path, coffee_csv):
    made(tmp_path, coffee_csv, "cups")
    place = tmp_path / "dg" / "shop"
    place.mkdir(parents=True)
    ModelScaffolder().scaffold(
        dg.ScaffoldRequest(
            type_name="pipelines.component.ForecastModel",
            target_path=place,
            scaffold_format="yaml",
            project_root=None,
            params=ModelParams(csv=str(coffee_csv), target="cups"),
        )
    )
    own = (tmp_path / "defs" / "shop" / "defs.yaml").read_text("utf-8")
    assert (place / "defs.yaml").read_text("utf-8") == own


def test_names_that_yaml_reads_as_something_else_are_quoted(tmp_path, table):
    csv = table(on=x, no=y, null=lambda n: n, y=y)
    _, model, _ = made(tmp_path, csv, "no", keys=("null",), time="null")
    assert (*model.spec.feature_names, model.spec.target.name) == ("on", "y", "no")
    assert (model.spec.time_key, model.spec.key_names) == ("null", ("null",))


def test_decimal_commas_are_numbers(tmp_path):
    csv = tmp_path / "rows.csv"
    rows = [f"{n // 7},{n % 7};{y(n)}" for n in range(40)]
    csv.write_text("\n".join(["x;y", *rows]) + "\n", "utf-8")
    _, model, _ = made(tmp_path, csv)
    assert model.spec.features[0].sql_type == "float"


def test_a_csv_without_rows_is_refused(tmp_path):
    csv = tmp_path / "rows.csv"
    csv.write_text("x,y\n", "utf-8")
    with pytest.raises(InvalidInput, match="no row below its header"):
        made(tmp_path, csv)


def test_a_refusal_names_the_column_and_no_file_that_is_not_there(tmp_path, table):
    with pytest.raises(InvalidInput, match="run_id is a column of each") as caught:
        made(tmp_path, table(run_id=x, y=y))
    assert "defs.yaml" not in str(caught.value)
    assert str(caught.value).endswith("Nothing was written.")
    assert not (tmp_path / "defs" / "shop").exists()
