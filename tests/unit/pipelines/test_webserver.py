"""What the UI's webserver answers. Guards the fault that any web page could drive it."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from dagster import DagsterInstance
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget

from bikecast.core.errors import InvalidInput
from pipelines.settings import load_settings
from pipelines.webserver import OwnPagesOnly, Webserver

OWN = "http://127.0.0.1:3000"
QUERY = "{ version }"
MUTATION = "mutation { setNuxSeen }"
#: What a browser sends for a page of the UI itself.
OWN_PAGE = {"Origin": OWN, "Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class Answer:
    """What the app sent."""

    messages: list[dict[str, Any]]

    @property
    def kind(self) -> str:
        return self.messages[0]["type"]

    @property
    def status(self) -> int:
        return self.messages[0]["status"]

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.messages[1:]).decode()

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.text)["data"]


@dataclass(frozen=True)
class Client:
    """Calls an ASGI app as a web server would."""

    app: Any

    def get(self, path: str, query: str = "", **headers: str) -> Answer:
        return self._call("GET", path, query, headers)

    def post(self, path: str, query: str = "", body: bytes = b"", **headers: str) -> Answer:
        return self._call("POST", path, query, headers, body)

    def graphql(self, document: str, **headers: str) -> Answer:
        """Post a document as the UI does."""
        body = json.dumps({"query": document}).encode()
        return self.post("/graphql", "", body, **{"Content-Type": "application/json"}, **headers)

    def websocket(self, **headers: str) -> Answer:
        """Open a WebSocket and close it."""
        subprotocols = ["graphql-ws"]
        scope = {"type": "websocket", "scheme": "ws", "subprotocols": subprotocols}
        incoming = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
        return self._run(scope, "/graphql", "", headers, incoming)

    def _call(self, method, path, query, headers, body=b""):
        scope = {"type": "http", "method": method, "scheme": "http", "http_version": "1.1"}
        return self._run(scope, path, query, headers, [{"type": "http.request", "body": body}])

    def _run(self, scope, path, query, headers, incoming):
        headers = {"Host": "127.0.0.1:3000"} | {k.replace("_", "-"): v for k, v in headers.items()}
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope |= {"path": path, "raw_path": path.encode(), "query_string": query.encode()}
        scope |= {"headers": encoded, "server": ("127.0.0.1", 3000), "client": ("127.0.0.1", 1)}
        messages = []

        async def receive():
            return incoming.pop(0)

        async def send(message):
            messages.append(message)

        asyncio.run(self.app(scope, receive, send))
        return Answer(messages)


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    with (
        DagsterInstance.local_temp(str(tmp_path_factory.mktemp("ui"))) as instance,
        WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as context,
    ):
        yield context


@pytest.fixture(scope="module")
def client(context):
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("BIKECAST_UI_HOSTS", "bikes.example, Proxy.Example")
        return Client(Webserver(context).create_asgi_app())


def asked(document: str) -> str:
    return urlencode({"query": document})


def test_the_ui_itself_may_ask_and_change(client):
    assert "version" in client.graphql(QUERY, **OWN_PAGE).data
    assert client.graphql(MUTATION, **OWN_PAGE).data == {"setNuxSeen": True}


def test_a_program_that_names_no_page_may_ask_and_change(client):
    assert client.get("/graphql", asked(QUERY)).status == 200
    assert client.graphql(MUTATION).data == {"setNuxSeen": True}


def test_a_link_on_another_page_leads_to_the_ui(client):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    assert client.get("/asset-groups", **headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"},
    ],
    ids=lambda headers: "-".join(headers.values()),
)
def test_another_page_may_neither_ask_nor_change(client, headers):
    for answer in (
        client.get("/graphql", asked(QUERY), **headers),
        client.graphql(MUTATION, **headers),
        client.get("/server_info", **headers),
        client.post("/report_asset_materialization/bike_data", **headers),
    ):
        assert answer.status == 403
        assert "nothing was done" in answer.text


@pytest.mark.parametrize(
    "document", [MUTATION, f"query A {QUERY} {MUTATION}", "subscription { x }"]
)
def test_a_change_is_not_made_by_get(client, document):
    for path in ("/graphql", "/graphql/"):
        answer = client.get(path, asked(document))
        assert (answer.status, "is posted" in answer.text) == (403, True)


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", ""])
def test_a_form_cannot_post_graphql(client, content_type):
    answer = client.post("/graphql", asked(MUTATION), Content_Type=content_type)
    assert (answer.status, "application/json" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", ""]
)
def test_a_name_that_leads_here_by_rebinding_is_not_answered(client, host):
    for path in ("/", "/graphql", "/server_info"):
        assert client.get(path, asked(QUERY), Host=host).status == 400
    assert client.websocket(Host=host).kind != "websocket.accept"


@pytest.mark.parametrize("host", ["localhost:3000", "[::1]:3000", "bikes.example", "proxy.example"])
def test_this_machines_names_and_those_of_the_setting_are_answered(client, host):
    assert client.get("/server_info", Host=host).status == 200


def test_a_proxy_that_changes_the_host_works_for_a_page_of_a_name_in_the_setting(client):
    headers = {"Origin": "https://bikes.example", "Host": "127.0.0.1:3000"}
    assert client.graphql(MUTATION, **headers).status == 200


def test_another_page_opens_no_websocket(client):
    assert client.websocket(**OWN_PAGE).kind == "websocket.accept"
    assert client.websocket(Origin="https://evil.example").kind == "websocket.close"


def test_the_setting_takes_names_only(monkeypatch):
    monkeypatch.setenv("BIKECAST_UI_HOSTS", "https://bikes.example")
    with pytest.raises(InvalidInput, match=r"BIKECAST_UI_HOSTS: .*host names only"):
        load_settings()


def test_dagsters_command_serves_it(context, monkeypatch):
    from dagster_webserver import app as webserver_app
    from dagster_webserver.cli import create_app_from_workspace_process_context

    monkeypatch.setattr(webserver_app, "DagsterWebserver", Webserver)
    app = create_app_from_workspace_process_context(context, "", 2000)
    assert OwnPagesOnly in [middleware.cls for middleware in app.user_middleware]
