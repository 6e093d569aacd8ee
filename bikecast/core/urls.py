"""Which texts are URLs, and what of one may be shown."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def is_url(source: str) -> bool:
    """True for an http or https URL, also for one that is not well formed."""
    return source.strip().partition(":")[0].lower() in ("http", "https")


def public_url(url: str) -> str:
    """The URL for people: without user, password, query and fragment, which may be secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:  # such as an open bracket of an IPv6 address
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{rest.partition('?')[0].partition('#')[0].rpartition('@')[2]}"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
