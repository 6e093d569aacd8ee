"""The fake cloud, and the product's clients, held against recordings of the real services.

The recordings' shapes are in tests/azure/shapes; `tests/azure/renew_shapes.py` makes them from
../shared where that is there.
"""

import json
import re

import pytest

from pipelines.smoke.calls import call_table
from tests.azure.arrangements import ARRANGEMENTS, nothing
from tests.azure.differences import DIFFERENCES, UNSERVED
from tests.azure.recorded_shapes import (
    RECORDINGS,
    SHAPES,
    merged,
    read_shapes,
    recorded_shapes,
    reduced,
)
from tests.azure.shape_replay import Replay, body_differences

KINDS = read_shapes()


@pytest.fixture(scope="module")
def replays():
    """What the fake answers to the requests of each kind."""
    return {name: Replay(shape, ARRANGEMENTS.get(name, nothing)) for name, shape in KINDS.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_fake_answers_as_the_real_service_did(replays, kind):
    unexplained = [
        f"{each.call}: {each.what}"
        for each in replays[kind].differences
        if not any(reason.covers(kind, each.call, each.what) for reason in DIFFERENCES)
    ]

    assert unexplained == []


def test_every_reason_explains_a_difference(replays):
    found = [(kind, each.call, each.what) for kind, r in replays.items() for each in r.differences]

    idle = [r.reason for r in DIFFERENCES if not any(r.covers(*each) for each in found)]
    assert idle == []


def test_a_recorded_call_that_the_fake_does_not_answer_has_a_reason(replays):
    unserved = {kind: replay.unserved for kind, replay in replays.items() if replay.unserved}

    assert unserved.keys() == UNSERVED.keys()
    for kind, (pattern, _) in UNSERVED.items():
        assert {call for call in unserved[kind] if not re.fullmatch(pattern, call)} == set()


def test_the_table_says_recorded_of_what_these_tests_hold_and_of_nothing_else(replays):
    """azureml-core asks for api-versions that are older than all recordings."""
    held = {call for replay in replays.values() for call in replay.served}
    rows = [(f"{row.kind.method} {row.kind.address}", row) for row in call_table()]

    graded = {(call, row.kind.api_version) for call, row in rows if row.sure == "recorded"}
    assert graded == {
        (call, row.kind.api_version)
        for call, row in rows
        if call in held and row.client != "azureml-core"
    }


def test_a_rename_keeps_the_version_of_the_file():
    """Otherwise a conditional replacement would never find the version that it wrote."""
    recording = RECORDINGS / "storage-dfs.json"
    if not recording.exists():
        pytest.skip(f"needs the recordings: {recording} is not there")
    exchanges = json.loads(recording.read_text())["exchanges"]
    renames = [
        n for n, e in enumerate(exchanges) if "x-ms-rename-source" in e["request"]["headers"]
    ]

    kept = [exchanges[n - 1]["response"]["headers"]["etag"] for n in renames]
    assert kept == [exchanges[n]["response"]["headers"]["etag"] for n in renames]


def test_the_shapes_are_those_of_the_recordings():
    if not RECORDINGS.exists():
        pytest.skip(f"needs the recordings: {RECORDINGS} is not there")

    assert recorded_shapes() == KINDS, "python -m pytest tests/azure/renew_shapes.py"


def test_the_shapes_are_small():
    assert sum(file.stat().st_size for file in SHAPES.iterdir()) < 300_000


def test_a_shape_has_no_text_of_its_recording():
    exchange = {
        "request": {
            "method": "PUT",
            "url": "https://secret.dev.azuresynapse.net/linkedservices/private?api-version=2020-12-01",
            "headers": {"authorization": "Bearer token"},
            "body": {"name": "private", "password": "hidden"},
        },
        "response": {
            "status": 404,
            "headers": {"content-type": "application/json; charset=utf-8", "x-ms-trace": "secret"},
            "body": {"error": {"code": "NotFound", "message": "private is not there"}},
        },
    }
    text = json.dumps(reduced({"kind": "k", "exchanges": [exchange]}))

    assert not any(word in text for word in ("secret", "private", "hidden", "token", "not there"))
    assert "=NotFound" in text


def test_fields_that_are_not_always_there_are_marked():
    shape = merged({"a": "text", "b": "number"}, {"a": "null", "c": ["text"]})

    assert shape == {"a": "null|text", "b?": "number", "c?": ["text"]}
    assert [*body_differences(shape, {"a": "text"})] == []


@pytest.mark.parametrize(
    ("ours", "difference"),
    [
        ({"a": {"b": "text"}}, "lacks c"),
        ({"a": {"b": "text"}, "c": ["text"], "d": "text"}, "also has d"),
        ({"a": {"b": "number"}, "c": ["text"]}, "a.b is number, not text"),
        ({"a": {"b": "text"}, "c": "text"}, "c is text, not list"),
        ({"a": {"b": "text"}, "c": ["number"]}, "c[] is number, not text"),
    ],
)
def test_a_difference_says_where_it_is(ours, difference):
    assert [*body_differences({"a": {"b": "text"}, "c": ["text"]}, ours)] == [difference]
