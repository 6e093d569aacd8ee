"""Comparing recorded answers with what was expected of them, and reading recordings."""

import json

import pytest

from bikecast.core.errors import InvalidInput
from bikecast.core.sql import SqlError
from pipelines.smoke.calls import CallKind, CallRow, call_table
from pipelines.smoke.contract import READS, answer_fields, compared, lacks, learned, read_answers
from pipelines.smoke.exchange import Exchange
from pipelines.smoke.recording import Recorder
from pipelines.smoke.redaction import Redactor
from pipelines.smoke.sql import HeardSqlPool
from tests.azure.recordings import read_recording, summarized

POOL = "management.azure.com{workspace}/sqlPools/{name}"
ROW = CallRow("azure-mgmt-synapse", CallKind(POOL, "GET", "2021-03-01"), "guess", "azure/test_x")
ONLINE = {"name": "sqlpool", "properties": {"status": "Online"}}


def exchange(body=None, **changes):
    arguments = {
        "method": "GET",
        "address": POOL,
        "api_version": "2021-03-01",
        "client": "",
        "request": {},
        "status": 200,
        "headers": {},
        "body_kind": "json",
        "body": ONLINE if body is None else body,
        "size": 0,
        "seconds": 0.0,
    }
    return Exchange(**(arguments | changes))


def report(*exchanges):
    [found] = compared(exchanges, [ROW], summarized([exchange()]))
    return found


def test_an_answer_as_expected_confirms_its_line_of_the_table():
    found = report(exchange(), exchange())

    assert (found.verdict, found.sure, found.calls) == ("as expected", "guess", 2)
    assert found.problems == found.notes == ()


def test_a_call_that_is_not_in_the_table_is_new():
    found = report(exchange(address="management.azure.com/elsewhere"))

    assert found.verdict == "new"
    assert found.problems == ("this call is not in the table",)


def test_another_api_version_is_named_beside_the_known_one():
    found = report(exchange(api_version="2030-01-01"))

    assert found.problems == ("api-version 2030-01-01, the table has 2021-03-01",)


def test_an_unexpected_status_is_a_problem_with_its_code():
    found = report(exchange({"error": {"code": "Conflict"}}, status=409))

    assert found.verdict == "differs"
    assert found.problems == ("status 409 (Conflict), expected 200",)


def test_a_busy_service_is_noted_and_a_call_that_never_succeeded_is_refused():
    busy = exchange({}, status=503)

    assert report(busy, exchange()).verdict == "as expected"
    assert report(busy, exchange()).notes == ("1 times status 503",)
    assert report(busy).verdict == "refused"


def test_a_missing_field_that_is_read_is_a_problem_and_another_one_is_a_note():
    found = report(exchange({"properties": {"powerState": "Online"}, "etag": "1"}))

    assert found.problems == ("lacks properties.status, which is read",)
    assert found.notes == (
        "also has etag, properties.powerState",
        "lacks name, which is not read",
    )


def test_what_lies_below_null_or_in_an_empty_list_is_not_missing():
    path = ["value[]", "properties", "score"]

    assert not lacks({"value": []}, path)
    assert not lacks({"value": [{"properties": None}]}, path)
    assert not lacks({"value": [{"properties": {}}, {"properties": {"score": "1"}}]}, path)
    assert lacks({"value": [{"properties": {}}]}, path)
    assert lacks({"value": {}}, path)
    assert lacks({}, path)


def test_fields_of_free_maps_are_not_compared():
    body = {"properties": {"tags": {"a": "1"}, "properties": {"b": "2"}, "status": "x"}}

    assert answer_fields(exchange(body)) == {
        "properties",
        "properties.tags",
        "properties.properties",
        "properties.status",
    }


def test_every_expectation_is_of_the_table_and_has_the_fields_that_are_read():
    table, answers = {row.kind for row in call_table()}, read_answers()

    assert {kind for kind, _ in answers} <= table
    for (method, end), names in READS.items():
        kinds = [k for k in table if k.method == method and k.address.endswith(end)]
        assert kinds, (method, end)
        known = [
            expected.always | expected.sometimes
            for (kind, status), expected in answers.items()
            if kind in kinds and status < 300
        ]
        for name in names:
            free = name.endswith("properties.score")
            assert (
                not known
                or free
                or any(each in fields for fields in known for each in name.split("|"))
            ), (kinds, name)


def test_guesses_are_confirmed_or_refuted_by_what_was_recorded():
    children = exchange(
        {"value": [{"runId": "a_1", "properties": {"score": "0.5"}}]},
        address="{region}.api.azureml.ms/history/v1.0{ws}/runs/{name}/children",
    )
    job = exchange(
        {"properties": {"status": "Completed", "tags": {"automl_best_child_run_id": "a_1"}}},
        address="management.azure.com{ws}/jobs/{name}",
    )

    assert set(learned([], []).values()) == {"not seen"}
    told = learned([children, job], [{"batch": ["Query"], "error": 208}])
    assert told == {
        "a trial's score is among its run's properties": "confirmed",
        "the job names the best trial": "confirmed: by the tag automl_best_child_run_id",
        "the model is at outputs/model.onnx of the trial": "refuted",
        "errors of the SQL pool": "208",
    }


# Recordings.


def recorder(folder):
    return Recorder(folder / "smoke-1", Redactor({}), frozenset())


def test_a_recording_is_there_as_a_whole_with_its_manifest(tmp_path):
    kept = recorder(tmp_path)
    kept.hear_sql({"batch": ["Query"], "error": 0})
    folder = kept.close({"outcome": "completed"})

    assert sorted(path.name for path in tmp_path.iterdir()) == ["smoke-1"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["outcome"] == "completed"
    assert manifest["statements"] == 1
    assert manifest["packages"]["requests"]


def test_what_a_killed_run_left_can_be_read(tmp_path):
    part = tmp_path / "smoke-1.part"
    part.mkdir()
    line = exchange().as_json()
    (part / "exchanges.jsonl").write_text(f"{line}\n{line[: len(line) // 2]}")

    assert read_recording(part) == [exchange()]
    (part / "exchanges.jsonl").write_text(f"no exchange\n{line}\n")
    with pytest.raises(InvalidInput, match="line 1: not an exchange"):
        read_recording(part)
    with pytest.raises(InvalidInput, match="cannot read"):
        read_recording(tmp_path / "nowhere")


# T-SQL.


def test_of_t_sql_only_kinds_types_and_error_numbers_are_recorded(local_pool):
    heard = []
    pool = HeardSqlPool(local_pool, heard.append)
    with pool.session() as session:
        session.run("SELECT ? AS secret", ["hunter2"])
        with pytest.raises(SqlError):
            session.run("SELECT * FROM dbo.secret_table")

    told = [{k: v for k, v in each.items() if k != "seconds"} for each in heard]
    assert told[0] == {"batch": ["Login"], "error": 0}
    assert told[1] == {
        "batch": ["Query"],
        "parameters": ["str"],
        "error": 0,
        "results": [{"types": ["nvarchar"], "rows": 1}],
    }
    assert told[2] == {"batch": ["Query"], "parameters": [], "error": 208}
    assert "secret" not in json.dumps(heard)


@pytest.fixture
def local_pool(tmp_path):
    from resources.sql_pool.embedded import EmbeddedSqlPool

    return EmbeddedSqlPool(path=str(tmp_path / "pool.duckdb"), lake_root=str(tmp_path))
