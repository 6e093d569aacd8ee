"""Dagster's webserver behind checks of ours: `python -m pipelines.webserver`, options as Dagster's.

Dagster's own takes mutations by GET, from any page and under any host name. So a web page that
somebody opens beside the UI could start runs and, under a name that leads to 127.0.0.1 (DNS
rebinding), read results.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import dagster_webserver.app
import dagster_webserver.cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse

from pipelines.settings import load_settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

#: Names of this machine for itself; the compose deployment publishes its port under them too.
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
#: What GraphQL may be posted as. A page of another site cannot send these without asking first.
_GRAPHQL_TYPES = ("application/json", "application/graphql")


class OwnPagesOnly:
    """ASGI middleware that refuses (403) what a page of another origin asked for.

    A browser names the asking page by Sec-Fetch-Site and Origin (W3C Fetch Metadata, RFC 6454);
    programs such as curl send neither and pass. A link to a page of the UI may be followed from
    anywhere. GraphQL mutations must be posted as JSON.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403 with the reason; a WebSocket is not accepted."""
        refusal = None
        if scope["type"] in ("http", "websocket"):
            refusal = self._foreign(scope) or _not_graphql(scope)
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        else:
            await PlainTextResponse(refusal + "\n", status_code=403)(scope, receive, send)

    def _foreign(self, scope: Scope) -> str | None:
        """Why the request is another page's, or None."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is not None:
            is_own = origin.partition("://")[2] == headers.get("host")
            if not is_own and _host_name(origin) not in self.hosts:
                return (
                    f"A page of {origin} may not use this UI; nothing was done. Where that is the "
                    "UI's own address behind a proxy, add its host to BIKECAST_UI_HOSTS."
                )
        elif headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            is_link = scope.get("method") == "GET" and headers.get("sec-fetch-dest") == "document"
            if not is_link:
                return "A page of another site may not use this UI; nothing was done."
        return None


def _host_name(origin: str) -> str | None:
    try:
        return urlsplit(origin).hostname
    except ValueError:
        return None


def _not_graphql(scope: Scope) -> str | None:
    """Why a GraphQL request is refused that came in a form which any page can send, or None."""
    if scope["type"] != "http" or not scope["path"].rstrip("/").endswith("/graphql"):
        return None
    if scope["method"] == "POST":
        content_type = Headers(scope=scope).get("content-type", "")
        if content_type.split(";")[0].strip().lower() not in _GRAPHQL_TYPES:
            return "GraphQL is posted as application/json; nothing was done."
    elif any(map(_may_change, parse_qs(scope["query_string"].decode("latin-1")).get("query", []))):
        return "GraphQL that changes something is posted, not asked for by GET; nothing was done."
    return None


def _may_change(document: str) -> bool:
    """Whether a GraphQL document has another operation than queries."""
    from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse

    try:
        definitions = parse(document).definitions
    except GraphQLError:
        return False  # it will be refused as it is
    return any(
        isinstance(node, OperationDefinitionNode) and node.operation is not OperationType.QUERY
        for node in definitions
    )


class Webserver(DagsterWebserver):
    """Dagster's webserver for this machine's names and those of BIKECAST_UI_HOSTS."""

    def build_middleware(self) -> list[Middleware]:
        """The checks, then what Dagster has; Dagster calls it when it builds its app."""
        hosts = load_settings().ui_host_names
        known_hosts = Middleware(TrustedHostMiddleware, [*LOCAL_HOSTS, *hosts], www_redirect=False)
        return [known_hosts, Middleware(OwnPagesOnly, hosts), *super().build_middleware()]


if __name__ == "__main__":
    # Dagster's command has no option for a middleware, and builds its app from this name.
    vars(dagster_webserver.app)["DagsterWebserver"] = Webserver
    dagster_webserver.cli.main()  # type: ignore[no-untyped-call]
