"""PREDICT with RUNTIME = ONNX: every form, its contract, and what it costs nobody."""

import pytest
from onnx import helper

from bikecast.embedded.sql_pool import Limits, Pool, SqlError
from tests.unit.sql_pool.onnx_models import model_bytes, price_of, value_info, weighted_sum

COLUMNS = {"a": "bigint", "x": "real"}
SUBQUERY = "(SELECT model FROM dbo.models WHERE version = 1)"


def predict(model=SUBQUERY, data="dbo.t AS d", outputs="y real", runtime=", RUNTIME = ONNX"):
    return f"PREDICT(MODEL = {model}, DATA = {data}{runtime}) WITH ({outputs}) AS p"


@pytest.fixture(autouse=True)
def tables(session):
    heap = "WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)"
    session.run(f"CREATE TABLE dbo.models (version int, model varbinary(max)) {heap}")
    session.run(f"CREATE TABLE dbo.t (id int, a bigint, x real, word varchar(9)) {heap}")
    session.run(
        "INSERT INTO dbo.t SELECT 1, 1, .5, 'tea' UNION ALL SELECT 2, 2, .25, 'coffee' "
        "UNION ALL SELECT 3, 3, .125, 'tea'"
    )
    session.run("INSERT INTO dbo.models VALUES (1, ?)", [weighted_sum(COLUMNS, 2.0)])
    session.run("INSERT INTO dbo.models VALUES (2, ?)", [weighted_sum(COLUMNS, 10.0)])


def test_the_data_and_the_prediction_are_returned(session):
    (result,) = session.run(f"SELECT d.*, p.* FROM {predict()} ORDER BY d.id")
    assert [(column.name, column.sql_type) for column in result.columns] == [
        ("id", "int"),
        ("a", "bigint"),
        ("x", "real"),
        ("word", "varchar"),
        ("y", "real"),
    ]
    assert [row[-1] for row in result.rows] == [3.0, 4.5, 6.25]


@pytest.mark.parametrize("form", ["literal", "variable", "parameter", "subquery"])
def test_a_model_is_a_literal_a_variable_or_a_subquery(session, form):
    model = weighted_sum(COLUMNS, 2.0)
    query = "SELECT y FROM {} WHERE id = 1"
    if form == "literal":
        results = session.run(query.format(predict("0x" + model.hex())))
    elif form == "variable":
        declared = f"DECLARE @m varbinary(max) = {SUBQUERY}; "
        results = session.run(declared + query.format(predict("@m")))
    elif form == "parameter":
        results = session.run(query.format(predict("?")), [model])
    else:
        results = session.run(query.format(predict()))
    assert results[-1].rows == [(3.0,)]


def test_the_data_may_be_a_view(session, rows):
    session.run("CREATE VIEW dbo.v AS SELECT id, a, x FROM dbo.t WHERE id > 1")
    assert rows(f"SELECT id, y FROM {predict(data='dbo.v AS d')} ORDER BY id") == [
        (2, 4.5),
        (3, 6.25),
    ]


def test_the_data_may_be_a_common_table_expression_without_an_alias(rows):
    batch = (
        "WITH InputData AS (SELECT CAST(id AS bigint) AS a, CAST(1 AS real) AS x FROM dbo.t) "
        f"SELECT * FROM PREDICT(MODEL = {SUBQUERY}, DATA = InputData, RUNTIME = ONNX) "
        "WITH (y real) ORDER BY y"
    )
    assert rows(batch) == [(1, 1.0, 4.0), (2, 1.0, 6.0), (3, 1.0, 8.0)]


def test_predictions_are_filtered_joined_and_aggregated(rows):
    assert rows(f"SELECT id FROM {predict()} WHERE a > 1 AND p.y > 5") == [(3,)]
    assert rows(f"SELECT COUNT(*), MAX(y) FROM {predict()} GROUP BY word ORDER BY 1") == [
        (1, 4.5),
        (2, 6.25),
    ]
    joined = f"SELECT m.version, y FROM {predict()} JOIN dbo.models AS m ON m.version = d.id"
    assert rows(joined + " ORDER BY 1") == [(1, 3.0), (2, 4.5)]


def test_predictions_are_inserted_and_made_into_a_table(session, rows):
    session.run(
        "CREATE TABLE dbo.scores WITH (DISTRIBUTION = ROUND_ROBIN) AS "
        f"SELECT d.id, p.y FROM {predict()}"
    )
    session.run(f"INSERT INTO dbo.scores (id, y) SELECT d.id + 10, p.y FROM {predict()}")
    assert rows("SELECT COUNT(*), SUM(y) FROM dbo.scores") == [(6, 27.5)]


def test_a_view_and_a_procedure_score_with_the_model_of_the_moment(session, rows):
    session.run(f"CREATE VIEW dbo.scored AS SELECT d.id, p.y FROM {predict()}")
    session.run(f"CREATE PROCEDURE dbo.score AS SELECT d.id, p.y FROM {predict()} WHERE d.id = 1")
    session.run("UPDATE dbo.models SET model = ? WHERE version = 1", [weighted_sum(COLUMNS, 4.0)])
    assert rows("SELECT y FROM dbo.scored WHERE id = 1") == [(6.0,)]
    assert rows("EXEC dbo.score") == [(1, 6.0)]


def test_a_model_is_seen_inside_of_its_own_transaction(session, rows):
    session.run("BEGIN TRANSACTION")
    session.run("DELETE FROM dbo.models WHERE version = 1")
    session.run("UPDATE dbo.models SET version = 1")
    assert rows(f"SELECT y FROM {predict()} WHERE id = 1") == [(15.0,)]
    session.run("ROLLBACK TRANSACTION")
    assert rows(f"SELECT y FROM {predict()} WHERE id = 1") == [(3.0,)]


def test_text_is_an_input(rows):
    model = price_of({"tea": 2.5, "coffee": 4})
    batch = f"SELECT id, price FROM {predict('?', outputs='price real')} ORDER BY id"
    assert rows(batch, model) == [(1, 2.5), (2, 4.0), (3, 2.5)]


def test_a_model_may_have_several_outputs(rows):
    nodes = [
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Neg", ["x"], ["less"]),
    ]
    outputs = [value_info("twice", "real"), value_info("less", "real")]
    model = model_bytes(nodes, [value_info("x", "real")], outputs)
    batch = f"SELECT less, twice FROM {predict('?', outputs='less real, twice real')} WHERE id = 1"
    assert rows(batch, model) == [(-0.5, 1.0)]


def test_no_rows_are_no_predictions(session, rows):
    session.run("DELETE FROM dbo.t")
    assert rows(f"SELECT y FROM {predict()}") == []


def test_many_rows_are_scored_in_order(session, rows):
    for power in range(12):
        session.run(f"INSERT INTO dbo.t SELECT id + {3 * 2**power}, a, x, word FROM dbo.t")
    wrong = f"SELECT COUNT(*) FROM {predict()} WHERE p.y <> 2 * (a + x)"
    assert rows(wrong) == [(0,)]
    assert rows(f"SELECT COUNT(y) FROM {predict()}") == [(3 * 2**12,)]


@pytest.mark.parametrize(
    ("model", "number", "text"),
    [
        (b"\x00", 39051, "HRESULT 0x80070057. Model is corrupt or invalid."),
        (weighted_sum({"a": "bigint", "X": "real"}, 1.0), 39051, "no column for .* 'X'"),
        (weighted_sum({"a": "real"}, 1.0), 39051,
         "The type of model column 'a' is 'real'. Doesn't match the input column type."),
        (weighted_sum({"x": "real"}, 1.0, shape=(None, 2)), 39051,
         r"Input column 1 \(1-based\) has shape \[1,2\] which is not supported"),
        (weighted_sum({"x": "real"}, 1.0, shape=(1, 1)), 39051, "fixed number of rows"),
        (weighted_sum({"x": "real"}, 1.0, output="z"), 39096,
         "WITH clause specified different output columns .* 'z real'"),
        (None, 39052, "NULL"),
    ],
)  # fmt: skip
def test_a_model_that_does_not_fit_is_refused_in_synapses_words(session, model, number, text):
    session.run("UPDATE dbo.models SET model = ? WHERE version = 1", [model])
    with pytest.raises(SqlError, match=text) as caught:
        session.run(f"SELECT y FROM {predict()}")
    assert caught.value.number == number


def test_a_model_that_breaks_the_contract_is_not_loaded(session):
    loop = helper.make_node("Hardmax", ["x"], ["y"])
    model = model_bytes([loop], [value_info("x", "real")], [value_info("y", "real")])
    with pytest.raises(SqlError, match="operator Hardmax, which is not allowed"):
        session.run(f"SELECT y FROM {predict('?')}", [model])


@pytest.mark.parametrize(
    "call",
    [
        predict(runtime=""),
        predict(runtime=", RUNTIME = TORCH"),
        predict(outputs="y float"),
        predict(outputs="y real, z real"),
        predict(model="model"),
        predict(model="'text'"),
        predict(data="(SELECT 1 AS a) AS d"),
        predict(data="dbo.nope AS d"),
        predict().split(" WITH")[0],
    ],
)
def test_a_call_that_synapse_would_refuse_is_refused(session, call):
    with pytest.raises(SqlError):
        session.run(f"SELECT * FROM {call}")


def test_a_null_input_is_refused_unless_it_is_filtered_out(session, rows):
    session.run("INSERT INTO dbo.t (id, x) VALUES (4, 1)")
    with pytest.raises(SqlError, match="input column 'a' of PREDICT holds NULL"):
        session.run(f"SELECT y FROM {predict()}")
    assert len(rows(f"SELECT y FROM {predict()} WHERE a IS NOT NULL")) == 3


def test_a_model_over_the_size_limit_is_refused(pool):
    small = Pool(pool.path, pool.lake_root, Limits(max_model_bytes=10))
    with small.session() as session, pytest.raises(SqlError, match="the limit is 10"):
        session.run(f"SELECT y FROM {predict('?')}", [weighted_sum(COLUMNS, 77.0)])


def test_an_error_while_scoring_leaves_the_session_usable(session, rows):
    with pytest.raises(SqlError):
        session.run(f"SELECT y / 0 FROM {predict()}")
    assert rows(f"SELECT y FROM {predict()} WHERE id = 1") == [(3.0,)]
