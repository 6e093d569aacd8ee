"""Streamed downloads over http and https with limits; TLS certificates are verified."""

from __future__ import annotations

import base64
import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.urls import is_url, public_url

TIMEOUT_SECONDS = 30.0
DEADLINE_SECONDS = 15 * 60.0
MAX_BYTES = 2 << 30
_CHUNK = 1 << 18
#: What a URL may hold as it is; "%" since it may be encoded already.
_URL_SAFE = "%/?:@!$&'()*+,;=~-._[]"
#: How every failure ends.
_FAILED = (
    "Nothing was stored. Check the address and the network, or download the file yourself and "
    "pass its path."
)


def download(url: str, target: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Stream `url` into `target` (not atomic: `target` should be temporary).

    TIMEOUT_SECONDS bounds each wait on the network, DEADLINE_SECONDS the whole transfer. A
    redirect from https to http is refused.
    Raises BikecastError for a failure of the network or the server, InvalidInput for a URL that
    cannot be used or a file over `max_bytes`.
    """
    address = public_url(url)
    opener = urllib.request.build_opener(_SafeRedirects)
    ends = time.monotonic() + DEADLINE_SECONDS
    try:
        with (
            opener.open(_request(url), timeout=TIMEOUT_SECONDS) as response,
            target.open("wb") as file,
        ):
            _copy(response, file, address, ends, max_bytes)
    except urllib.error.HTTPError as error:
        raise BikecastError(f"{address} answered {error.code} {error.reason}. {_FAILED}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise BikecastError(f"cannot download {address}: {reason}. {_FAILED}") from None
    except ValueError as error:  # a redirect to what is no address
        raise BikecastError(f"cannot download {address}: {error}. {_FAILED}") from None
    except ConnectionError as error:
        raise BikecastError(
            f"the connection to {address} broke: {error.strerror or error}. {_FAILED}"
        ) from None


def _request(url: str) -> urllib.request.Request:
    try:
        parts = urlsplit(url)
        address = _without_user(parts)
        usable = is_url(url) and bool(parts.hostname) and parts.port != 0
    except ValueError:  # UnicodeError, of a host's name, is one
        usable = False
    if not usable or any(character.isspace() for character in url):
        raise InvalidInput(f"{public_url(url)!r} is not an http or https URL. {_FAILED}")
    request = urllib.request.Request(address)  # noqa: S310  (scheme checked above)
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        token = base64.b64encode(pair.encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _without_user(parts: SplitResult) -> str:
    """The address in ASCII, as HTTP has it: letters of other scripts are encoded."""
    host = parts.netloc.rpartition("@")[2]
    if not host.isascii():
        name, colon, port = host.partition(":")
        host = name.encode("idna").decode() + colon + port
    path, query = (quote(part, safe=_URL_SAFE) for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, host, path, query, ""))


def _copy(
    response: http.client.HTTPResponse, file: IO[bytes], address: str, ends: float, max_bytes: int
) -> None:
    length = response.headers.get("Content-Length") or ""
    announced = int(length) if length.isdecimal() else -1
    encoding = (response.headers.get("Content-Encoding") or "identity").lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise BikecastError(f"{address} answered in the encoding {encoding!r}. {_FAILED}")
    received = 0
    while True:
        if max(announced, received) > max_bytes:
            raise InvalidInput(
                f"{address} is larger than the limit of {max_bytes:,} bytes. {_FAILED}"
            )
        if time.monotonic() > ends:
            raise BikecastError(
                f"{address} took too long; {received:,} bytes had arrived. {_FAILED}"
            )
        chunk = response.read1(_CHUNK)
        if not chunk:
            break
        received += len(chunk)
        file.write(chunk)
    if received < announced:
        raise BikecastError(f"{address} ended after {received:,} of {announced:,} bytes. {_FAILED}")
    # A body in the transfer encoding gzip stays as it is: the reader of the file unpacks it.


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, and never from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Refuse an unsafe redirect; the rest is as in the standard library."""
        scheme = urlsplit(newurl).scheme.lower()
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise urllib.error.URLError(f"it redirects to an unsafe address ({scheme})")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
