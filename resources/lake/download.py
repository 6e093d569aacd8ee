"""Streamed downloads over http and https with limits; TLS certificates are verified."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import socket
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
#: Why a redirect is refused that would make this machine read what is not for everybody.
_INWARD = "it redirects from a public address to this machine or its network"


def download(url: str, target: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Stream `url` into `target` (not atomic: `target` should be temporary).

    TIMEOUT_SECONDS bounds each wait on the network, DEADLINE_SECONDS the whole transfer. Redirects
    from https to http, and from a public address to this machine or its network, are refused.
    Raises BikecastError for a failure of the network or the server, InvalidInput for a URL that
    cannot be used or a file over `max_bytes`.
    """
    address = public_url(url)
    reach = _Reach()
    opener = urllib.request.build_opener(_SafeRedirects, _Http(reach), _Https(reach))
    ends = time.monotonic() + DEADLINE_SECONDS
    try:
        with (
            opener.open(_request(url), timeout=TIMEOUT_SECONDS) as response,
            target.open("wb") as file,
        ):
            _copy(response, file, address, ends, max_bytes)
    # What the server wrote (its reason, a line that is no HTTP, where it redirects to) is content.
    except urllib.error.HTTPError as error:
        meaning = http.client.responses.get(error.code, "")
        raise BikecastError(f"{address} answered {error.code} {meaning}. {_FAILED}") from None
    except http.client.HTTPException as error:
        kind = type(error).__name__
        raise BikecastError(
            f"cannot download {address}: the answer is not HTTP ({kind}). {_FAILED}"
        ) from None
    except ValueError:
        raise BikecastError(
            f"cannot download {address}: it redirects to what is no address. {_FAILED}"
        ) from None
    except OSError as error:  # URLError and TimeoutError are such
        reason = getattr(error, "reason", None) or error.strerror or error or type(error).__name__
        raise BikecastError(f"cannot download {address}: {reason}. {_FAILED}") from None


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
        raise BikecastError(f"{address} answered in the encoding {encoding[:20]!r}. {_FAILED}")
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
        new = urlsplit(newurl)
        scheme = new.scheme.lower()
        if scheme not in ("http", "https"):
            raise urllib.error.URLError("it redirects to an address that is not http or https")
        if req.type == "https" and scheme == "http":
            raise urllib.error.URLError("it redirects from https to http")
        # A proxy connects in our place, so that only names tell.
        if _names_here(new.hostname) and not _names_here(urlsplit(req.full_url).hostname):
            raise urllib.error.URLError(_INWARD)
        fp.close()  # the standard library would read all of its body
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])  # without the zone of IPv6
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global


def _names_here(host: str | None) -> bool:
    """Whether a host's name alone says that it is no public one."""
    name = (host or "").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return not is_public(name)
    except ValueError:
        return False


class _Reach:
    """The connections of one download: after a public address no other kind is taken.

    The address that was connected to is looked at, not the name: a name may have two.
    """

    def __init__(self) -> None:
        self._was_public = False

    def check(self, connection: socket.socket) -> None:
        """Raise ConnectionAbortedError for a connection inward, before anything is asked of it."""
        if is_public(connection.getpeername()[0]):
            self._was_public = True
        elif self._was_public:
            connection.close()
            raise ConnectionAbortedError(_INWARD)


class _Http(urllib.request.HTTPHandler):
    """Opens http addresses within a reach."""

    def __init__(self, reach: _Reach) -> None:
        super().__init__()
        self._reach = reach

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """As the standard library, with a look at the connection."""
        reach = self._reach

        class Connection(http.client.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                reach.check(self.sock)

        return self.do_open(Connection, req)


class _Https(urllib.request.HTTPSHandler):
    """Opens https addresses within a reach."""

    def __init__(self, reach: _Reach) -> None:
        super().__init__()
        self._reach = reach

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """As the standard library, with a look at the connection."""
        reach = self._reach

        class Connection(http.client.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                reach.check(self.sock)

        return self.do_open(Connection, req)
