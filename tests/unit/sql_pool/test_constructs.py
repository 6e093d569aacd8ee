"""The table of constructs: what becomes of each, in the errors and in docs/sql-pool.md."""

import ast
import fnmatch
import importlib.util
import re
from pathlib import Path

import pytest

from bikecast.embedded.sql_pool import errors

PROJECT = Path(__file__).parents[3]
ENGINE = PROJECT / "bikecast/embedded/sql_pool"


def phrases():
    """What the engine passes to `refused`, with * for the parts that are worked out."""
    for file in sorted(ENGINE.rglob("*.py")):
        if file.parent.name == "predict":  # has a function of that name
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "refused":
                continue
            if isinstance(node.args[0], ast.Constant):
                yield node.args[0].value
            elif isinstance(node.args[0], ast.JoinedStr):
                parts = node.args[0].values
                yield "".join(p.value if isinstance(p, ast.Constant) else "*" for p in parts)


def test_rows_have_a_fate_and_what_is_not_ours_to_refuse_has_a_page():
    for row in errors.constructs():
        assert row.fate in ("runs", "refused", "missing", "foreign"), row
        assert row.page or row.fate in ("runs", "foreign"), row
    names = [row.name for row in errors.constructs()]
    assert len(set(names)) == len(names)


#: Refused where no page says anything: the error says so.
UNDOCUMENTED = [
    "A table hint on the target",
    "ALTER COLUMN of an IDENTITY column",
    "ALTER COLUMN with more than a type and NULL or NOT NULL",
    "ALTER TABLE that adds an IDENTITY column",
    "DEFAULT as an argument",
    "EXEC of a variable",
    "MERGE with TOP",
    "UPDATE that assigns a variable",
    "APPLY",
    "PIVOT or UNPIVOT",
]


def test_each_construct_that_the_engine_refuses_has_its_row():
    names = [row.name for row in errors.constructs()]

    def has_row(phrase):
        return any(fnmatch.fnmatch(phrase, n) or fnmatch.fnmatch(n, phrase) for n in names)

    general = re.compile(r"The (expression|table source|query|table hint) \*|OPTION \(\*\)|\*.*")
    lost = {p for p in phrases() if not has_row(p) and not general.fullmatch(p)}
    assert lost <= set(UNDOCUMENTED)


@pytest.mark.parametrize(
    ("batch", "cause"),
    [
        ("SELECT a FROM t ORDER BY a OFFSET 1 ROWS", r"in a dedicated SQL pool \(https:"),
        ("SELECT * FROM OPENROWSET(BULK 'x', FORMAT = 'CSV') AS r", r"in a dedicated SQL pool \("),
        ("SELECT CHECKSUM(a) AS c FROM t", "although a dedicated"),
        ("CREATE DATABASE SCOPED CREDENTIAL c WITH IDENTITY = 'x'", "although a dedicated"),
        ("CREATE DATABASE d", "not supported in a dedicated SQL pool .*made in the workspace"),
        ("SET RESULT_SET_CACHING ON", "SET_CACHING ON .*although a dedicated"),
        ("ALTER TABLE t SWITCH PARTITION 1 TO u", "although a dedicated SQL pool has it"),
        ("ALTER TABLE t SPLIT RANGE (1)", "although a dedicated SQL pool has it"),
        ("CREATE EXTERNAL TABLE t (a int)", "CREATE EXTERNAL TABLE .*although"),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1 AS a", "although a dedicated SQL pool has it"),
        ("GRANT SELECT ON t TO u", "GRANT SELECT .*although a dedicated SQL pool has it"),
        ("DBCC PDW_SHOWSPACEUSED", "although a dedicated SQL pool has it"),
        ("TRUNCATE TABLE t WITH (PARTITIONS (1))", "not supported in a dedicated SQL pool"),
        ("SET XACT_ABORT OFF", "not supported in a dedicated SQL pool .*always ON"),
        ("SET ROWCOUNT 5", "although a dedicated SQL pool has it"),
        ("SELECT CHOOSE(1, 2)", "The function CHOOSE is not supported in a dedicated SQL pool"),
        ("SELECT a FROM t AS x JOIN t AS y USING (a)", "is not T-SQL"),
        ("UPDATE t SET @a = 1", "no page says that a dedicated SQL pool has it"),
        ("CREATE NONSENSE x", "Incorrect syntax near 'NONSENSE'"),
        ("DROP NONSENSE x", "Incorrect syntax near"),
        ("ALTER TABLE t NONSENSE", "Incorrect syntax near"),
    ],
)  # fmt: skip
def test_an_error_names_the_true_cause(shared_session, error_of, batch, cause):
    shared_session.run("IF OBJECT_ID('dbo.t') IS NULL CREATE TABLE dbo.t (a int) WITH (HEAP)")
    assert re.search(cause, error_of(shared_session, batch).message)


def test_the_lists_of_the_document_are_those_of_the_table():
    path = PROJECT / "scripts/pool_constructs.py"
    spec = importlib.util.spec_from_file_location("pool_constructs", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = script.DOCUMENT.read_text("utf-8")
    assert script.written(text) == text, "run python scripts/pool_constructs.py"
