"""One new token and one more try, where a service does not take a token that should be good.

A token can be refused before its time: it was revoked, its rights changed, or this machine's clock
is slow. azure-core answers the challenges that carry claims by itself; for any other 401 it keeps
asking a credential that keeps its tokens.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import ContentDecodePolicy, SansIOHTTPPolicy

#: Tokens whose scopes are remembered.
MOST_TOKENS = 50
#: An account of another tenant answers every new client with a challenge.
PAUSE_SECONDS = 60.0
_TRIED = "bikecast_renewed"
_DECODED = ContentDecodePolicy.CONTEXT_NAME


class RenewableCredential:
    """A credential that keeps its tokens, and can be made to get new ones."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._credential = make()
        self._generation = 1
        self._renewed_at = -math.inf
        self._issued: dict[str, tuple[tuple[str, ...], int]] = {}
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """As DefaultAzureCredential's."""
        if options.get("tenant_id"):
            self._refused()
        token: AccessToken = self._credential.get_token(*scopes, **options)
        self._remember(token.token, scopes)
        return token

    def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """As DefaultAzureCredential's."""
        if (options or {}).get("tenant_id"):
            self._refused()
        token: AccessTokenInfo = self._credential.get_token_info(*scopes, options=options)
        self._remember(token.token, scopes)
        return token

    def close(self) -> None:
        """Close the connections of the credential."""
        self._credential.close()

    def renewed(self, token: str) -> str | None:
        """A new token in place of one that was refused; None where it is not one of ours.

        Where several threads are refused, the credential is made anew once.
        """
        with self._lock:
            scopes, generation = self._issued.get(token, ((), 0))
            if not scopes:
                return None
            if generation == self._generation:
                self._renew()
        return self.get_token(*scopes).token

    def _refused(self) -> None:
        """Make the credential anew, unless that was done a moment ago.

        A tenant is only named in answer to a challenge: storage's clients ask so after a 401.
        """
        with self._lock:
            if time.monotonic() - self._renewed_at > PAUSE_SECONDS:
                self._renew()

    def _renew(self) -> None:
        self._credential = self._make()
        self._generation += 1
        self._renewed_at = time.monotonic()

    def _remember(self, token: str, scopes: tuple[str, ...]) -> None:
        with self._lock:
            self._issued[token] = scopes, self._generation
            while len(self._issued) > MOST_TOKENS:
                self._issued.pop(next(iter(self._issued)))


class RenewOnce(SansIOHTTPPolicy[Any, Any]):
    """Sends a request that was answered with 401 once more, with a new token.

    Without state of its own, so that all clients share one. A body that was a stream is gone, so
    such a request is not repeated.
    """

    def __init__(self, credential: RenewableCredential) -> None:
        self._credential = credential

    def on_response(
        self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]
    ) -> None:
        """Replace the answer by that of the second try."""
        sent = request.http_request
        scheme, _, token = sent.headers.get("Authorization", "").partition(" ")
        if response.http_response.status_code != 401 or scheme != "Bearer" or _is_stream(sent):
            return
        if request.context.get(_TRIED):
            return
        request.context[_TRIED] = True
        fresh = self._credential.renewed(token)
        if fresh is None:
            return
        sent.headers["Authorization"] = f"Bearer {fresh}"
        transport: Any = request.context.transport
        again = transport.send(sent, **request.context.options)
        response.http_response = again
        if _DECODED in response.context:
            response.context[_DECODED] = ContentDecodePolicy.deserialize_from_http_generics(again)


def _is_stream(request: Any) -> bool:
    content = getattr(request, "content", None) or getattr(request, "data", None)
    return not isinstance(content, (str, bytes, dict, type(None)))
