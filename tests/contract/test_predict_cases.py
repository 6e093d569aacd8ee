"""PREDICT, COPY INTO, CTAS and views as Microsoft's pages document them; one parameter a case.

Each case runs in a pool of its own: the tables of `TABLES`, then the case's batches. The last
result set, or the error of the last batch, is compared. `{lake}` stands for the URL of the lake.

Pages (learn.microsoft.com): sql/t-sql/queries/predict-transact-sql,
azure/synapse-analytics/sql-data-warehouse/sql-data-warehouse-predict,
sql/t-sql/statements/copy-into-transact-sql, .../create-table-as-select-azure-sql-data-warehouse,
.../create-view-transact-sql, .../quickstart-bulk-load-copy-tsql-examples.
"""

from __future__ import annotations

import datetime
import gzip
import shutil
from dataclasses import dataclass, field
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper

from bikecast.core.sql import SqlError
from resources.sql_pool.embedded import EmbeddedSqlPool
from tests.unit.sql_pool.onnx_models import model_bytes, price_of, value_info, weighted_sum

ROUND_ROBIN = "WITH (DISTRIBUTION = ROUND_ROBIN, HEAP)"
#: score = 2 * (age + income); `Score` of the pages is the output's name.
SCORING = weighted_sum({"age": "bigint", "income": "real"}, 2.0, output="Score")
TABLES = [
    f"CREATE TABLE dbo.scoring_model (model_id int, test_model varbinary(max)) {ROUND_ROBIN}",
    f"CREATE TABLE dbo.mytable (id int, age bigint, income real, city varchar(10)) {ROUND_ROBIN}",
    "INSERT INTO dbo.mytable SELECT 1, 10, .5, 'Oslo' UNION ALL SELECT 2, 20, .25, 'Lima' "
    "UNION ALL SELECT 3, 30, 0, 'Oslo'",
    f"INSERT INTO dbo.scoring_model VALUES (1, 0x{SCORING.hex()})",
]
MODEL = "(SELECT test_model FROM dbo.scoring_model WHERE model_id = 1)"


def predict(model=MODEL, data="dbo.mytable AS d", out="Score real", rest=", RUNTIME = ONNX"):
    return f"PREDICT(MODEL = {model}, DATA = {data}{rest}) WITH ({out}) AS p"


def with_model(model: bytes) -> str:
    return f"UPDATE dbo.scoring_model SET test_model = 0x{model.hex()}"


@dataclass(frozen=True)
class Case:
    """Batches, and what the last one ends in: rows, or an error's number and part of its text."""

    name: str
    batches: list[str]
    rows: list[tuple] = field(default_factory=list)
    error: int = 0
    text: str = ""
    files: dict[str, bytes] = field(default_factory=dict)


SCORES = [(1, 21.0), (2, 40.5), (3, 60.0)]
DECLARED = f"DECLARE @model varbinary(max) = {MODEL}; "
SELECT = "SELECT d.id, p.Score FROM"
BY_ID = "ORDER BY d.id"
STORED = f"CREATE TABLE dbo.PredictionResults (id int, score real) {ROUND_ROBIN}"

PREDICT_CASES = [
    Case("model in a variable", [DECLARED + f"{SELECT} {predict('@model')} {BY_ID}"], SCORES),
    Case("model by a scalar subquery", [f"{SELECT} {predict()} {BY_ID}"], SCORES),
    Case("model as a literal", [f"{SELECT} {predict('0x' + SCORING.hex())} {BY_ID}"], SCORES),
    Case("all columns of data and prediction",
         [f"SELECT d.*, p.* FROM {predict()} WHERE d.id = 1"], [(1, 10, 0.5, "Oslo", 21.0)]),
    Case("a star takes both", [f"SELECT * FROM {predict()} WHERE id = 1"],
         [(1, 10, 0.5, "Oslo", 21.0)]),
    Case("columns without a qualifier", [f"SELECT id, Score FROM {predict()} ORDER BY id"], SCORES),
    Case("RUNTIME before DATA",
         [f"{SELECT} PREDICT(MODEL = {MODEL}, RUNTIME = ONNX, DATA = dbo.mytable AS d) "
          f"WITH (Score real) AS p {BY_ID}"], SCORES),
    Case("WITH takes COLLATE and NULL",
         [f"{SELECT} {predict(out='Score real NULL')} {BY_ID}"], SCORES),
    Case("WITH takes NOT NULL", [f"{SELECT} {predict(out='Score real NOT NULL')} {BY_ID}"], SCORES),
    Case("table without a schema", [f"{SELECT} {predict(data='mytable AS d')} {BY_ID}"], SCORES),
    Case("data from a view",
         ["CREATE VIEW dbo.v AS SELECT id, age, income FROM dbo.mytable WHERE id < 3",
          f"{SELECT} {predict(data='dbo.v AS d')} {BY_ID}"], SCORES[:2]),
    Case("data from a common table expression",
         ["WITH predict_input AS (SELECT TOP 2 id, age, income FROM dbo.mytable ORDER BY id) "
          f"{SELECT} {predict(data='predict_input AS d')} {BY_ID}"], SCORES[:2]),
    Case("data cast to the model's types in a common table expression",
         ["WITH c AS (SELECT id, CAST(id AS bigint) AS age, CAST(.5 AS real) AS income "
          f"FROM dbo.mytable) {SELECT} {predict(data='c AS d')} {BY_ID}"],
         [(1, 3.0), (2, 5.0), (3, 7.0)]),
    Case("data from a temporary table",
         [f"CREATE TABLE #t {ROUND_ROBIN} AS SELECT id, age, income FROM dbo.mytable",
          f"{SELECT} {predict(data='#t AS d')} {BY_ID}"], SCORES),
    Case("a filter on the data", [f"{SELECT} {predict()} WHERE d.age > 15 {BY_ID}"], SCORES[1:]),
    Case("a filter on the prediction", [f"{SELECT} {predict()} WHERE p.Score > 50"], SCORES[2:]),
    Case("an aggregate of predictions",
         [f"SELECT city, AVG(p.Score), COUNT(*) FROM {predict()} GROUP BY city ORDER BY city"],
         [("Lima", 40.5, 1), ("Oslo", 40.5, 2)]),
    Case("HAVING on predictions",
         [f"SELECT city FROM {predict()} GROUP BY city HAVING SUM(Score) > 80"], [("Oslo",)]),
    Case("a join with a table",
         [f"SELECT d.id, p.Score, m.income FROM {predict()} JOIN dbo.mytable AS m ON m.id = d.id "
          "WHERE m.city = 'Lima'"], [(2, 40.5, 0.25)]),
    Case("TOP of the best", [f"SELECT TOP 1 d.id FROM {predict()} ORDER BY p.Score DESC"], [(3,)]),
    Case("a window over predictions",
         [f"SELECT id, ROW_NUMBER() OVER (ORDER BY Score DESC) AS place FROM {predict()} "
          "ORDER BY id"], [(1, 3), (2, 2), (3, 1)]),
    Case("in a derived table",
         [f"SELECT MAX(s) FROM (SELECT p.Score AS s FROM {predict()}) AS q"], [(60.0,)]),
    Case("INSERT ... SELECT",
         [STORED, DECLARED + "INSERT INTO dbo.PredictionResults (id, score) "
          f"{SELECT} {predict('@model')}",
          "SELECT id, score FROM dbo.PredictionResults ORDER BY id"], SCORES),
    Case("CTAS",
         [f"CREATE TABLE dbo.r WITH (DISTRIBUTION = HASH(id)) AS {SELECT} {predict()}",
          "SELECT id, Score FROM dbo.r ORDER BY id"], SCORES),
    Case("view",
         [f"CREATE VIEW predictions AS SELECT d.*, p.Score FROM {predict()}",
          "SELECT id, Score FROM predictions ORDER BY id"], SCORES),
    Case("a view scores with the model of the moment",
         [f"CREATE VIEW predictions AS SELECT d.*, p.Score FROM {predict()}",
          with_model(weighted_sum({"age": "bigint"}, 1.0, output="Score")),
          "SELECT id, Score FROM predictions ORDER BY id"], [(1, 10.0), (2, 20.0), (3, 30.0)]),
    Case("procedure",
         [f"CREATE PROCEDURE dbo.p AS BEGIN {SELECT} {predict()} {BY_ID}; END", "EXEC dbo.p"],
         SCORES),
    Case("procedure with the version as a parameter",
         ["CREATE PROCEDURE dbo.p @id int AS BEGIN DECLARE @m varbinary(max) = (SELECT test_model "
          f"FROM dbo.scoring_model WHERE model_id = @id); {SELECT} {predict('@m')} {BY_ID}; END",
          "EXEC dbo.p @id = 1"], SCORES),
    Case("two predictions in one query",
         [f"SELECT a.id, a.Score + b.Score FROM (SELECT d.id, p.Score FROM {predict()}) AS a JOIN "
          f"(SELECT d.id, p.Score FROM {predict()}) AS b ON a.id = b.id ORDER BY a.id"],
         [(1, 42.0), (2, 81.0), (3, 120.0)]),
    Case("UNION ALL of predictions",
         [f"SELECT Score FROM {predict()} WHERE id = 1 UNION ALL "
          f"SELECT Score FROM {predict()} WHERE id = 3 ORDER BY Score"], [(21.0,), (60.0,)]),
    Case("a model of its own transaction",
         ["BEGIN TRANSACTION; " + with_model(weighted_sum({"age": "bigint"}, 1.0, output="Score"))
          + f"; SELECT id, Score FROM {predict()} WHERE id = 2; ROLLBACK TRANSACTION"],
         [(2, 20.0)]),
    Case("text as an input",
         [with_model(price_of({"Oslo": 2.5})),
          f"SELECT id, price FROM {predict(out='price real', data='dbo.c AS d')} ORDER BY id"],
         [(1, 2.5), (2, 0.0), (3, 2.5)]),
    Case("no rows", [f"{SELECT} {predict()} WHERE d.id > 9"], []),
]  # fmt: skip
# A view gives the column the model's name.
PREDICT_CASES[-2].batches.insert(0, "CREATE VIEW dbo.c AS SELECT id, city AS word FROM dbo.mytable")

loop = helper.make_node("Hardmax", ["age"], ["Score"])
unknown = model_bytes([loop], [value_info("age", "real")], [value_info("Score", "real")])
external = helper.make_tensor("weight", TensorProto.FLOAT, [1], [1.0])
external.data_location = TensorProto.EXTERNAL
external.external_data.add(key="location", value="weights.bin")
outside = model_bytes(
    [helper.make_node("Mul", ["income", "weight"], ["Score"])],
    [value_info("income", "real")], [value_info("Score", "real")], [external],
)  # fmt: skip

REFUSED_MODELS = [
    Case("corrupt model", [with_model(b"\x01\x02")], 0, 39051,
         "HRESULT 0x80070057. Model is corrupt or invalid"),
    Case("empty model", [with_model(b"")], 0, 39051, "Model is corrupt or invalid"),
    Case("cut model", [with_model(SCORING[:-9])], 0, 39051, "Model is corrupt or invalid"),
    Case("no model", ["UPDATE dbo.scoring_model SET test_model = NULL"], 0, 39052, "NULL"),
    Case("no row of a model", ["DELETE FROM dbo.scoring_model"], 0, 39052, "no row"),
    Case("an array as input",
         [with_model(weighted_sum({"income": "real"}, 1.0, output="Score", shape=(None, 2)))],
         0, 39051, "Input column 1 (1-based) has shape [1,2] which is not supported"),
    Case("another type",
         [with_model(weighted_sum({"age": "real"}, 1.0, output="Score"))], 0, 39051,
         "The type of model column 'age' is 'real'. Doesn't match the input column type."),
    Case("float instead of real",
         [with_model(weighted_sum({"income": "float"}, 1.0, output="Score"))], 0, 39051,
         "The type of model column 'income' is 'float'. Doesn't match the input column type."),
    Case("no such column",
         [with_model(weighted_sum({"f00": "real"}, 1.0, output="Score"))], 0, 39051, "'f00'"),
    Case("another output", [with_model(weighted_sum({"age": "bigint"}, 1.0, output="variable"))],
         0, 39096, "specified different output columns"),
    Case("an operator that is not allowed", [with_model(unknown)], 0, 39051, "Hardmax"),
    Case("data outside of the model", [with_model(outside)], 0, 39051, "outside the model file"),
]  # fmt: skip
for case in REFUSED_MODELS:
    case.batches.append(f"{SELECT} {predict()}")

TWO_COLUMNS = "(SELECT 1, test_model FROM dbo.scoring_model)"
REFUSED_CALLS = [
    Case(name, [batch], error=number)
    for name, batch, number in [
        ("no RUNTIME", f"{SELECT} {predict(rest='')}", 103010),
        ("another RUNTIME", f"{SELECT} {predict(rest=', RUNTIME = R')}", 103010),
        ("no WITH", f"SELECT * FROM {predict().split(' WITH')[0]}", 103010),
        ("an empty WITH", f"SELECT * FROM {predict(out='')}", 103010),
        ("no MODEL", "SELECT * FROM PREDICT(DATA = dbo.mytable AS d, RUNTIME = ONNX) "
         "WITH (Score real) AS p", 103010),
        ("no DATA", f"SELECT * FROM PREDICT(MODEL = {MODEL}, RUNTIME = ONNX) WITH (Score real) "
         "AS p", 103010),
        ("MODEL twice", f"{SELECT} {predict(rest=', RUNTIME = ONNX, MODEL = 0x00')}", 103010),
        ("data by a query", f"{SELECT} {predict(data='(SELECT 1 AS age) AS d')}", 103010),
        ("unknown table", f"{SELECT} {predict(data='dbo.nope AS d')}", 208),
        ("undeclared variable", f"{SELECT} {predict('@nope')}", 137),
        ("two columns in the subquery", f"{SELECT} {predict(TWO_COLUMNS)}", 116),
        ("another type of the output", f"{SELECT} {predict(out='Score float')}", 39096),
        ("more outputs", f"{SELECT} {predict(out='Score real, More real')}", 39096),
        ("unknown column of the prediction", f"SELECT p.nope FROM {predict()}", 207),
        ("PREDICT as a function of a column", "SELECT PREDICT(age) FROM dbo.mytable", 195),
    ]
]  # fmt: skip

CREATED = f"CREATE TABLE dbo.test_1 (Col_one varchar(20), Col_two int, day date) {ROUND_ROBIN}"
READ = "SELECT * FROM dbo.test_1 ORDER BY Col_two"
UNIX = "ROWTERMINATOR = '0x0A'"


def copied(options="", columns="", place="folder1/", read=READ):
    listed = f" WITH ({options})" if options else ""
    return [CREATED, f"COPY INTO dbo.test_1 {columns} FROM '{{lake}}/{place}'{listed}", read]


def csv(text: str, name: str = "folder1/a.csv", encoding: str = "utf-8") -> dict[str, bytes]:
    return {name: text.encode(encoding)}


ONE = [("a", 1, datetime.date(2024, 1, 2))]
COPY_CASES = [
    Case("defaults of COPY", copied(), ONE, files=csv("a,1,2024-01-02\r\n")),
    Case("lines of Unix with a semicolon",
         copied(f"FILE_TYPE = 'CSV', FIELDQUOTE = '\"', FIELDTERMINATOR = ';', {UNIX}, "
                "ENCODING = 'UTF8', DATEFORMAT = 'ymd', MAXERRORS = 10, ERRORFILE = '/errors'"),
         ONE, files=csv("a;1;2024-01-02\n")),
    Case("a credential is accepted",
         copied("FILE_TYPE = 'CSV', CREDENTIAL = (IDENTITY = 'Shared Access Signature', "
                "SECRET = '<token>')"), ONE, files=csv("a,1,2024-01-02\r\n")),
    Case("a managed identity", copied("CREDENTIAL = (IDENTITY = 'Managed Identity')"), ONE,
         files=csv("a,1,2024-01-02\r\n")),
    Case("column list with defaults and field numbers",
         copied(f"{UNIX}, FIRSTROW = 2",
                "(Col_one default 'myStringDefault' 1, Col_two default 1 3)"),
         [("myStringDefault", 1, None), ("b", 7, None)], files=csv("h,h,h\n,x,\nb,x,7\n")),
    Case("wildcard and folder",
         [CREATED, "COPY INTO dbo.test_1 FROM '{lake}/folder0/*.txt', '{lake}/folder1' WITH "
          f"(FIELDTERMINATOR = '|', {UNIX})", "SELECT Col_two FROM dbo.test_1 ORDER BY 1"],
         [(1,), (2,), (3,)],
         files=csv("a|1|\n", "folder0/x.txt") | csv("b|2|\n", "folder1/y.csv")
         | csv("c|3|\n", "folder1/sub/z.csv") | csv("d|4|\n", "folder0/no.csv")
         | csv("e|5|\n", "folder1/_hidden.csv")),
    Case("quoted fields", copied(UNIX), [('a "b", c', 1, None)], files=csv('"a ""b"", c",1,\n')),
    Case("a quote of its own", copied(f"FIELDQUOTE = '''', {UNIX}"), [("a,b", 1, None)],
         files=csv("'a,b',1,\n")),
    Case("terminators of several characters",
         copied("FIELDTERMINATOR = '|#|', ROWTERMINATOR = '##'"), ONE,
         files=csv("a|#|1|#|2024-01-02##")),
    Case("UTF16", copied("ENCODING = 'UTF16'"), [("é", 1, None)],
         files=csv("é,1,\r\n", encoding="utf-16")),
    Case("gzip by its name", copied(), [("z", 1, None)],
         files={"folder1/a.csv.gz": gzip.compress(b"z,1,\r\n")}),
    Case("gzip by the option", copied("COMPRESSION = 'Gzip'"), [("z", 1, None)],
         files={"folder1/a.csv": gzip.compress(b"z,1,\r\n")}),
    Case("dates in the order of DATEFORMAT", copied(f"DATEFORMAT = 'dmy', {UNIX}"),
         [("a", 1, datetime.date(2024, 2, 13))], files=csv("a,1,13/02/2024\n")),
    Case("rejected rows up to MAXERRORS", copied(f"MAXERRORS = 2, {UNIX}"), [("b", 2, None)],
         files=csv("a,x,\nb,2,\nc\n")),
    Case("more rejected rows than MAXERRORS", copied(f"MAXERRORS = 1, {UNIX}")[:2], error=13812,
         files=csv("a,x,\nb,2,\nc\n")),
    Case("Parquet", copied("FILE_TYPE = 'PARQUET'", place="folder1/*.parquet"), ONE,
         files={"folder1/a.parquet": b"parquet"}),
    Case("a bad value", copied(UNIX)[:2], error=13812, text="'x'", files=csv("a,x,\n")),
    Case("text that is too long", copied(UNIX)[:2], error=13812, files=csv("a" * 21 + ",1,\n")),
    Case("no such file", copied(place="nope.csv")[:2], error=13807),
    Case("no such table", ["COPY INTO dbo.nope FROM '{lake}/a.csv'"], error=208),
    Case("an option of another product", copied("FORCE = TRUE")[:2], error=103010,
         files=csv("a,1,\r\n")),
    Case("COPY in a transaction", [CREATED, "BEGIN TRANSACTION; COPY INTO dbo.test_1 FROM "
         "'{lake}/folder1'"], error=111212, files=csv("a,1,\r\n")),
]  # fmt: skip

TABLE_CASES = [
    Case("CTAS keeps names and types",
         ["CREATE TABLE dbo.n WITH (DISTRIBUTION = ROUND_ROBIN, CLUSTERED COLUMNSTORE INDEX) AS "
          "SELECT id, city, CAST(income AS decimal(9, 2)) AS pay FROM dbo.mytable",
          "SELECT * FROM dbo.n WHERE id = 1"], [(1, "Oslo", Decimal("0.50"))]),
    Case("CTAS with a hash distribution", ["CREATE TABLE dbo.n WITH (DISTRIBUTION = HASH(id)) AS "
         "SELECT * FROM dbo.mytable", "SELECT COUNT(*) FROM dbo.n"], [(3,)]),
    Case("CTAS replicated", ["CREATE TABLE dbo.n WITH (DISTRIBUTION = REPLICATE, HEAP) AS SELECT "
         "id FROM dbo.mytable OPTION (LABEL = 'x')", "SELECT MAX(id) FROM dbo.n"], [(3,)]),
    Case("CTAS swaps tables by RENAME",
         [f"CREATE TABLE dbo.m2 {ROUND_ROBIN} AS SELECT * FROM dbo.mytable WHERE id > 1",
          "RENAME OBJECT dbo.mytable TO m_old", "RENAME OBJECT dbo.m2 TO mytable",
          "SELECT COUNT(*) FROM dbo.mytable"], [(2,)]),
    Case("CTAS without a distribution", ["CREATE TABLE dbo.n AS SELECT * FROM dbo.mytable"],
         error=103010),
    Case("CTAS onto a table", [f"CREATE TABLE dbo.mytable {ROUND_ROBIN} AS SELECT 1 AS a"],
         error=2714),
    Case("CTAS of a column without a name", [f"CREATE TABLE dbo.n {ROUND_ROBIN} AS SELECT id + 1 "
         "FROM dbo.mytable"], error=1038),
    Case("a view over a join",
         ["CREATE VIEW dbo.v AS SELECT a.id, b.city FROM dbo.mytable AS a INNER JOIN "
          "dbo.mytable AS b ON a.id = b.id", "SELECT city FROM dbo.v WHERE id = 2"], [("Lima",)]),
    Case("a view with named columns", ["CREATE VIEW dbo.v (a, b) AS SELECT id, city FROM "
         "dbo.mytable", "SELECT a FROM dbo.v WHERE b = 'Lima'"], [(2,)]),
    Case("ALTER VIEW", ["CREATE VIEW dbo.v AS SELECT 1 AS a", "ALTER VIEW dbo.v AS SELECT 2 AS a",
         "SELECT a FROM dbo.v"], [(2,)]),
    Case("a view sees rows that come later", ["CREATE VIEW dbo.v AS SELECT COUNT(*) AS n FROM "
         "dbo.mytable", "DELETE FROM dbo.mytable WHERE id = 1", "SELECT n FROM dbo.v"], [(2,)]),
    Case("a view with ORDER BY", ["CREATE VIEW dbo.v AS SELECT id FROM dbo.mytable ORDER BY id"],
         error=1033),
    Case("a view that is there already", ["CREATE VIEW dbo.mytable AS SELECT 1 AS a"], error=2714),
]  # fmt: skip

CASES = [*PREDICT_CASES, *REFUSED_MODELS, *REFUSED_CALLS, *COPY_CASES, *TABLE_CASES]


def embedded(folder):
    """The pool, the lake's folder and its URL."""
    lake = folder / "lake"
    lake.mkdir()
    pool = EmbeddedSqlPool(path=str(folder / "pool.duckdb"), lake_root=str(lake))
    return pool, lake, f"file://{lake}"


@pytest.fixture(params=[embedded])
def place(request, tmp_path, prepared_pool):
    shutil.copyfile(prepared_pool, tmp_path / "pool.duckdb")
    return request.param(tmp_path)


def write(lake, files):
    for name, content in files.items():
        path = lake / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content == b"parquet":
            columns = {"x": ["a"], "y": pa.array([1], pa.int32()), "z": [datetime.date(2024, 1, 2)]}
            pq.write_table(pa.table(columns), path)
        else:
            path.write_bytes(content)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_documented_case_ends_as_documented(place, case):
    pool, lake, url = place
    write(lake, case.files)
    *before, last = [batch.replace("{lake}", url) for batch in case.batches]
    with pool.session() as session:
        for batch in [*TABLES, *before]:
            session.run(batch)
        if case.error:
            with pytest.raises(SqlError) as caught:
                session.run(last)
            assert caught.value.number == case.error
            assert case.text in caught.value.message
        else:
            assert session.run(last)[-1].rows == case.rows


def test_there_are_enough_cases_and_each_has_a_name_of_its_own():
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)
