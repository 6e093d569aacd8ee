"""Secrets in what remote jobs printed; before, only queries of http addresses were blanked."""

import pytest

from bikecast.core.redaction import redacted

TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJoaWRkZW4ifQ.c2VjcmV0"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://me:hidden@host/a.csv", "https://***@host/a.csv"),
        ("https://host/a.csv?sv=1&sig=hidden%3D next", "https://host/a.csv?*** next"),
        (
            "wasbs://c@a.blob.core.windows.net/x?sig=hidden",
            "wasbs://c@a.blob.core.windows.net/x?***",
        ),
        ("abfss://c@a.dfs.core.windows.net/x?sig=hidden", "abfss://c@a.dfs.core.windows.net/x?***"),
        ("fs.azure.sas.c.a.blob.core.windows.net=?sv=1&sig=hidden", None),
        ("fs.azure.account.key.a.dfs.core.windows.net: hidden==", None),
        ("fs.azure.account.oauth2.client.secret.a.net=hidden", None),
        ("AccountName=a;AccountKey=hidden==;E=f", "AccountName=a;AccountKey=***;E=f"),
        ("Endpoint=sb://a/;SharedAccessKey=hidden=", "Endpoint=sb://a/;SharedAccessKey=***"),
        ("sv=1&sig=hidden&se=2", "sv=1&sig=***&se=2"),
        ("Authorization: Bearer hidden", "Authorization: ***"),
        ("{'Authorization': 'Basic hidden', 'x': 1}", "{'Authorization': '***', 'x': 1}"),
        ("curl -H 'Bearer hidden-hidden'", "curl -H 'Bearer ***'"),
        ("client_secret=hidden&x=1", "client_secret=***&x=1"),
        ('{"client_secret": "hid den", "x": 1}', '{"client_secret": ***, "x": 1}'),
        ("UID=me;PWD={hid;den};x=1", "UID=me;PWD=***;x=1"),
        ("password='hid den' x", "password=*** x"),
        (f"told {TOKEN} to", "told *** to"),
        ("-----BEGIN RSA PRIVATE KEY-----\nhidden\n-----END RSA PRIVATE KEY-----\nx", "***\nx"),
    ],
)
def test_a_secret_is_blanked_and_the_rest_stays(text, kept):
    assert "hid" not in redacted(text)
    assert kept is None or redacted(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "is it true? yes",
        "AuthorizationFailed: the client may not read this",
        "read abfss://files@lake.dfs.core.windows.net/data/days.csv",
        "py4j.protocol.Py4JJavaError: An error occurred while calling o51.load.",
        "the design has 3 tokenizers",
    ],
)
def test_what_says_why_a_job_failed_stays(text):
    assert redacted(text) == text


def test_a_secret_of_the_environment_is_blanked(monkeypatch):
    monkeypatch.setenv("BIKECAST_SQL_PASSWORD", "correct horse")
    assert redacted("login with correct horse") == "login with ***"
