"""What a recording of Azure's answers may hold: nothing that was not known to be harmless."""

import json
import string
from dataclasses import asdict

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.smoke.calls import CallKind
from pipelines.smoke.exchange import LONGEST_BODY, RawExchange, redacted
from pipelines.smoke.redaction import Redactor

OWN = ("bikecast-smoke", "smoke_bike_data")
NAMES = {"55555555-5555-5555-5555-555555555555": "00000000-0000-0000-0000-000000000000"}
JOBS = "https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.X/jobs"
HEADERS = (
    "Authorization Set-Cookie Location Azure-AsyncOperation Operation-Location ETag Content-Type "
    "Content-Length Content-Range Retry-After Last-Modified x-ms-error-code x-ms-request-id "
    "x-ms-version x-ms-blob-type WWW-Authenticate User-Agent x-ms-copy-source Date"
).split()
FIELDS = (
    "status state result type code key sasToken access_token name score version latestVersion "
    "accountName location message endpoint discoveryUrl createdBy principalId anything.else"
).split()

words = st.text(string.ascii_letters + string.digits + "+/=._-~!$'()*,;:@&%# ", min_size=12)
secrets = st.one_of(
    words.filter(lambda text: text.strip() == text and any(c.isdigit() for c in text)),
    st.uuids().map(str),
    st.integers(10**12, 10**18).map(str),
    st.binary(min_size=32, max_size=64).map(lambda data: data.hex()),
    st.emails(),
    st.sampled_from(
        [
            "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiIzMzMifQ.c2lnbmF0dXJl",
            "sv=2024-05-04&sig=Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4MTIz%3D",
            "AccountKey=Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmE=;",
            "https://prodlake77.blob.core.windows.net/c?sig=abc123def456",
            "/subscriptions/0a1b2c3d-0000-1111-2222-333344445555",
        ]
    ),
)
around = st.sampled_from(["", "Bearer ", "https://", "key=", "The name is ", "/", "https://x.y/"])


def recorded(raw, known=frozenset()):
    return redacted(raw, Redactor(NAMES, OWN), known)


def shown(raw):
    exchange = recorded(raw)
    return json.dumps(asdict(exchange), ensure_ascii=False) + exchange.as_json()


def raw(**changes):
    arguments = {
        "method": "GET",
        "url": JOBS + "/job?api-version=2024-01-01",
        "headers": {},
        "body": b"",
        "status": 200,
        "answer_headers": {"Content-Type": "application/json"},
        "answer": b"{}",
    }
    return RawExchange(**(arguments | changes))


def planted(secret, before, field, header):
    """The exchanges that hold the secret, each in another place."""
    text = before + secret
    as_json = {"Content-Type": "application/json"}
    nested = {field: {"items": [{field: text}, [text]], text: 1, "plain": {field: secret}}}
    body = json.dumps(nested).encode()
    yield raw(answer=body)
    yield raw(answer=json.dumps(text).encode())
    yield raw(answer=json.dumps({field: json.dumps({field: [text, {text: 1}]})}).encode())
    yield raw(answer=text.encode(), answer_headers={"Content-Type": "text/plain"})
    yield raw(answer=f"<a>{text}</a>".encode(), answer_headers={"Content-Type": "application/xml"})
    yield raw(answer=body + b"}", answer_headers=as_json)
    yield raw(answer_headers={**as_json, header: text})
    yield raw(answer_headers={**as_json, header: secret}, answer=None)
    yield raw(answer_headers={**as_json, text: "1"})
    yield raw(headers={header: text, "User-Agent": f"azsdk-python-x/{text}"})
    yield raw(method="PUT", body=body, headers=as_json)
    yield raw(method="PUT", body=text.encode())
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    yield raw(method="POST", body=f"client_secret={text}&{text}=1".encode(), headers=form)
    yield raw(url=f"{JOBS}/{text}")
    yield raw(url=f"{JOBS}?api-version={text}&sig={text}&comp={secret}")
    yield raw(url=f"https://lake.blob.core.windows.net/c/{text}?comp={secret}&sig={text}")
    yield raw(url=f"https://management.azure.com/{text}/y")
    yield raw(method=text, status=0, error=text, answer=None)


@settings(max_examples=150)
@given(secrets, around, st.sampled_from(FIELDS), st.sampled_from(HEADERS))
@example("https://prodlake77.blob.core.windows.net/c", "", "endpoint", "Location")
@example("abc123def456.dfs.core.windows.net", "https://", "endpoint", "Location")
def test_no_secret_survives_wherever_it_is_planted(secret, before, field, header):
    for exchange in planted(secret, before, field, header):
        assert secret.lower() not in shown(exchange).lower(), exchange


def test_what_tells_something_stays():
    answer = {
        "name": "bikecast-smoke-0123456789ab-1_2",
        "properties": {"status": "Completed", "score": "0.91", "created": "2026-11-22T12:00:00Z"},
        "count": 3,
        "done": True,
        "error": {"code": "UserError"},
        "timeout": "PT15M",
        "sku": "DW100c",
        "bikecast.scores": '{"cv_spearman": 0.91}',
        "data_version": "0123456789abcdef",
        "type": "Microsoft.Synapse/workspaces/sqlPools",
    }
    headers = {"Content-Type": "application/json", "Retry-After": "15"}
    exchange = recorded(raw(answer=json.dumps(answer).encode(), answer_headers=headers))

    assert exchange.body == answer
    assert exchange.headers == {"content-type": "application/json", "retry-after": "15"}


def test_equal_texts_have_equal_placeholders_and_others_have_others():
    answer = {"a": "secret-1", "b": ["secret-2", "secret-1"], "c": "a@b.example"}
    body = recorded(raw(answer=json.dumps(answer).encode())).body

    assert body["a"] == body["b"][1] != body["b"][0]
    assert body["c"] == "user1@example.com"


def test_addresses_keep_their_form():
    redactor = Redactor(NAMES | {"bikes": "group"}, OWN)
    told = redactor.url(
        "https://management.azure.com/subscriptions/55555555-5555-5555-5555-555555555555"
        "/resourceGroups/bikes/providers/Microsoft.Synapse/workspaces/mine?api-version=2021-03-01"
        "&t=abc&sig=def"
    )

    assert told == (
        "https://management.azure.com/subscriptions/00000000-0000-0000-0000-000000000000"
        "/resourceGroups/group/providers/Microsoft.Synapse/workspaces/redacted1"
        "?api-version=2021-03-01"
    )
    assert redactor.host("myregion.api.azureml.ms") == "westeurope.api.azureml.ms"
    assert redactor.host("x.internal.contoso.com") == "host1.example"


def test_a_known_kind_keeps_its_address_and_an_unknown_one_loses_its_names():
    url = "https://w.dev.azuresynapse.net/somewhere/jobs/of-mine?api-version=2020-12-01"
    unknown = recorded(raw(url=url))
    kind = CallKind("{synapse}.dev.azuresynapse.net/somewhere/jobs/{name}", "GET", "2020-12-01")
    known = recorded(raw(url=url), frozenset({kind}))

    assert unknown.address == "{synapse}.dev.azuresynapse.net/redacted1/jobs/{name}"
    assert known.kind == kind


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b"[" * 900 + b"]" * 900, b'{"a": NaN}', b"\xff\xfe", b"1e999"]
)
def test_an_odd_answer_is_recorded_too(data):
    assert recorded(raw(answer=data)).as_json()


def test_a_long_answer_is_recorded_by_its_size():
    answer = json.dumps(["x" * LONGEST_BODY]).encode()
    exchange = recorded(raw(answer=answer))

    assert exchange.body is None
    assert exchange.body_kind == "file"
    assert exchange.size == len(answer)
