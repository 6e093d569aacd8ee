"""Which texts are URLs, and what of one may be shown."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def is_url(source: str) -> bool:
    """True for an http or https URL."""
    return urlsplit(source).scheme.lower() in ("http", "https")


def public_url(url: str) -> str:
    """The URL for people: without user, password, query and fragment, which may be secrets."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
