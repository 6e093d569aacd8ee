"""How PREDICT scores: which rows, in what pieces, and that the pieces do not matter."""

import contextlib
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from onnx import TensorProto, helper

from bikecast.core.errors import ModelRejected
from bikecast.core.onnx.contract import inspect_model
from bikecast.embedded.sql_pool.predict import contract, scorers
from bikecast.embedded.sql_pool.predict.contract import LoadedModel, Runs, load_model
from tests.unit.sql_pool.onnx_models import model_bytes, value_info, weighted_sum

HEAP = "WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)"
ROWS = 5000
VALUES = 40


@pytest.fixture
def scored(monkeypatch):
    """Numbers of rows that models were run on."""
    found = []
    run = LoadedModel.run

    def counting(self, inputs, runs):
        found.append(len(next(iter(inputs.values()))))
        return run(self, inputs, runs)

    monkeypatch.setattr(LoadedModel, "run", counting)
    return found


@pytest.fixture
def predict(session):
    """A call of PREDICT on 5,000 rows, 40 of them distinct in the model's inputs."""
    session.run(f"CREATE TABLE dbo.models (id int, model varbinary(max)) {HEAP}")
    session.run("INSERT INTO dbo.models VALUES (1, ?)", [weighted_sum({"x": "real"}, 2.0)])
    session.run(f"CREATE TABLE dbo.t (id int, grp int, x real, u real) {HEAP}")
    session.run("INSERT INTO dbo.t VALUES (0, 0, 0, 0)")
    size = 1
    while size < ROWS:
        session.run(
            f"INSERT INTO dbo.t SELECT id + {size}, (id + {size}) % 10, (id + {size}) % {VALUES}, "
            f"id + {size} FROM dbo.t WHERE id + {size} < {ROWS}"
        )
        size *= 2
    return (
        "PREDICT(MODEL = (SELECT model FROM dbo.models), DATA = dbo.t AS d, RUNTIME = ONNX) "
        "WITH (y real) AS p"
    )


def test_only_rows_that_a_filter_keeps_are_scored(session, predict, scored):
    rows = session.run(f"SELECT d.id, p.y FROM {predict} WHERE d.id = 7")[0].rows
    assert rows == [(7, 14.0)]
    assert sum(scored) == 1


def test_only_rows_of_a_view_are_scored(session, predict, scored):
    session.run("CREATE VIEW dbo.v AS SELECT id, x FROM dbo.t WHERE id < 3")
    rows = session.run(f"SELECT p.y FROM {predict.replace('dbo.t', 'dbo.v')}")[0].rows
    assert len(rows) == 3
    assert sum(scored) == 3


def test_a_filter_on_a_view_of_predictions_is_pushed_below_the_scoring(session, predict, scored):
    session.run(f"CREATE VIEW dbo.scores AS SELECT d.id, d.grp, p.y FROM {predict}")
    assert len(session.run("SELECT y FROM dbo.scores WHERE id < 5")[0].rows) == 5
    assert sum(scored) == 5


def test_each_distinct_vector_of_a_statement_is_scored_once(session, predict, scored):
    found = session.run(f"SELECT COUNT(*), SUM(CASE WHEN p.y = 2 * d.x THEN 1 END) FROM {predict}")
    assert found[0].rows == [(ROWS, ROWS)]
    assert sum(scored) == VALUES


def test_several_calls_of_a_batch_score_with_their_own_models(session, predict, scored):
    session.run("INSERT INTO dbo.models VALUES (2, ?)", [weighted_sum({"u": "real"}, 3.0)])
    first = predict.replace("FROM dbo.models", "FROM dbo.models WHERE id = 1")
    second = predict.replace("FROM dbo.models", "FROM dbo.models WHERE id = 2")
    both = session.run(
        f"SELECT SUM(p.y) FROM {first} WHERE id < 4; SELECT SUM(p.y) FROM {second} WHERE id < 4"
    )
    assert [result.rows for result in both] == [[(12.0,)], [(18.0,)]]
    joined = session.run(
        f"SELECT a.y, b.y FROM (SELECT id, y FROM {first}) AS a JOIN (SELECT id, y FROM {second}) "
        "AS b ON a.id = b.id WHERE a.id = 41"
    )
    assert joined[0].rows == [(2.0, 123.0)]


@pytest.fixture(scope="module")
def trees():
    """A model whose trees are added in another order when ONNX Runtime shares them out."""
    import lightgbm as lgb
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    x = np.random.default_rng(0).random((3000, 3), dtype=np.float32)
    model = lgb.LGBMRegressor(n_estimators=60, n_jobs=1, verbose=-1).fit(x, x @ [1.0, 3.0, -2.0])
    whole = convert_lightgbm(
        model, initial_types=[("x", FloatTensorType([None, 3]))], target_opset=9
    )
    names = ["a", "b", "c"]
    real = TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info(name, real, [None, 1]) for name in names]
    concat = helper.make_node("Concat", names, ["x"], axis=1)
    graph = helper.make_graph(
        [concat, *whole.graph.node], "trees", inputs, list(whole.graph.output)
    )
    opsets = [helper.make_opsetid("", 9), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=4).SerializeToString()


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_a_prediction_does_not_depend_on_the_rows_beside_it(trees, cores, monkeypatch):
    monkeypatch.setattr(contract, "CORES", cores)
    model = LoadedModel(trees, load_model(trees, 10**7).signature)
    matrix = np.random.default_rng(1).random((2048, 3), dtype=np.float32)
    columns = dict(zip("abc", np.ascontiguousarray(matrix.T), strict=True))
    (whole,) = model.run(columns, Runs())
    assert len(whole) == 2048
    for size in (1, 7, 60, 300):
        (part,) = model.run({name: values[:size] for name, values in columns.items()}, Runs())
        assert part.tobytes() == whole[:size].tobytes()


def test_a_model_is_loaded_once_and_the_oldest_ones_are_let_go():
    models = [weighted_sum({"x": "real"}, float(100 + i)) for i in range(6)]
    loaded = [load_model(model, 10**6) for model in models]
    assert load_model(models[-1], 10**6) is loaded[-1]
    assert load_model(models[0], 10**6) is not loaded[0]
    assert len(contract._models) <= contract.KEPT_MODELS


def test_the_size_limit_holds_for_a_loaded_model_too():
    model = weighted_sum({"x": "real"}, 55.0)
    load_model(model, 10**6)
    with pytest.raises(ModelRejected, match="the limit is 10"):
        load_model(model, 10)


def doubled(times):
    """The sum of 2^times copies of a column; the model has a few hundred bytes."""
    names = ["x", *(f"c{i}" for i in range(times))]
    nodes = [
        helper.make_node("Concat", [before, before], [after], axis=1)
        for before, after in itertools.pairwise(names)
    ]
    nodes.append(helper.make_node("ReduceSum", [names[-1], "axes"], ["y"], keepdims=1))
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    return model_bytes(nodes, [value_info("x", "real")], [value_info("y", "real")], [axes])


def test_a_wide_model_is_scored_a_few_rows_at_a_time():
    """1,269 bytes took 6.7 GiB."""
    model = load_model(doubled(15), 10**6)
    assert model.signature.widest == 2**15
    assert model.signature.rows_at_once == 512
    x = np.arange(1100, dtype=np.float32)
    (y,) = model.run({"x": x}, Runs())
    assert y.tolist() == (x * 2**15).tolist()


def test_a_cancel_ends_what_onnx_runtime_computes():
    class Ended(Runs):
        @contextlib.contextmanager
        def one(self):
            with super().one() as options:
                self.terminate()
                yield options

    model = load_model(doubled(2), 10**6)
    with pytest.raises(Exception, match="terminate flag"):
        model.run({"x": np.ones(3, np.float32)}, Ended())


def test_the_cancel_of_a_session_reaches_its_running_models(pool):
    with pool.engine_session() as session:
        runs = session._interpreter.runs
        with runs.one() as options:
            session.cancel()
            assert options.terminate
        with runs.one() as later:
            assert not later.terminate


def test_a_model_that_takes_long_to_load_keeps_no_other_waiting(monkeypatch):
    slow, quick = weighted_sum({"x": "real"}, 71.0), weighted_sum({"x": "real"}, 72.0)
    quick_is_loaded = threading.Event()

    def inspect(data, **options):
        if data == slow:
            assert quick_is_loaded.wait(20)
        return inspect_model(data, **options)

    monkeypatch.setattr(contract, "inspect_model", inspect)
    with ThreadPoolExecutor(1) as threads:
        loading = threads.submit(load_model, slow, 10**6)
        load_model(quick, 10**6)
        quick_is_loaded.set()
        assert loading.result()


def test_memory_that_a_model_does_not_get_is_told_in_words():
    reason = "bfc_arena.cc:360 Available memory of 16384 is smaller than requested bytes of 9"
    assert "more memory than models have" in scorers._failed(RuntimeError(reason)).message
