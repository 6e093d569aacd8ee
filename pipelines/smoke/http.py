"""Hearing the HTTP calls of Microsoft's Python clients; installed for the smoke run alone.

All of them, azureml-core too, go through the library requests, whose adapter is the one place
that sees each attempt with its answer. deltalake and the ODBC driver are not written in Python and
are not heard here.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from pipelines.smoke.exchange import LONGEST_BODY, RawExchange

Hear = Callable[[RawExchange], None]
_HERE = ("127.0.0.1", "localhost", "::1")


@contextmanager
def heard_calls(hear: Hear) -> Iterator[None]:
    """Every call of this process is passed to `hear` with its answer, until the context ends.

    The clients get the answers unchanged. An answer up to LONGEST_BODY bytes is read at once.
    """
    original = HTTPAdapter.send

    def send(self: HTTPAdapter, request: Any, *arguments: Any, **options: Any) -> Any:
        if urlsplit(request.url).hostname in _HERE:
            return original(self, request, *arguments, **options)
        begun = time.monotonic()
        sent = RawExchange(
            method=str(request.method),
            url=str(request.url),
            headers=dict(request.headers),
            body=_sent(request.body),
        )
        try:
            response = original(self, request, *arguments, **options)
            content = _read(response)
        except Exception as error:
            failed = type(error).__name__
            hear(replace(sent, error=failed, answer=None, seconds=time.monotonic() - begun))
            raise
        hear(
            replace(
                sent,
                status=int(response.status_code),
                answer_headers=dict(response.headers),
                answer=content,
                seconds=time.monotonic() - begun,
            )
        )
        return response

    HTTPAdapter.send = send  # type: ignore[method-assign]
    try:
        yield
    finally:
        HTTPAdapter.send = original  # type: ignore[method-assign]


def _sent(body: object) -> bytes | None:
    """The request's body; None where it is a stream."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else None


def _read(response: Any) -> bytes | None:
    """The decoded body, which the client can still read; None where it is too long."""
    raw = response.raw
    if int(response.headers.get("Content-Length") or 0) > LONGEST_BODY:
        return None
    try:
        wire = raw.read(decode_content=False)
    except Exception as error:  # as the client would see it while it reads
        raise requests.ConnectionError(error) from error

    def again(**more: Any) -> Any:
        return type(raw)(
            io.BytesIO(wire),
            headers=raw.headers,
            status=raw.status,
            reason=raw.reason,
            version=raw.version,
            preload_content=False,
            request_method=response.request.method,
            **more,
        )

    response.raw = again(original_response=getattr(raw, "_original_response", None))
    return bytes(again().read(decode_content=True))
