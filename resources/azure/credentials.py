"""The one credential of every Azure client."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resources.azure.tokens import RenewableCredential

#: Seconds to connect, and to wait for an answer, of every call to Azure.
CONNECT_SECONDS = 20
ANSWER_SECONDS = 60
#: Keyword arguments that azure-core's clients and calls take.
TIMEOUTS: dict[str, Any] = {"connection_timeout": CONNECT_SECONDS, "read_timeout": ANSWER_SECONDS}
MANAGEMENT_SCOPE = "https://management.azure.com/.default"
STORAGE_SCOPE = "https://storage.azure.com/.default"


def credential_options() -> dict[str, Any]:
    """Keyword arguments of DefaultAzureCredential, for clients that make their own.

    Which identities are tried, and in which order, AZURE_TOKEN_CREDENTIALS says.
    """
    return {"exclude_interactive_browser_credential": True, "process_timeout": CONNECT_SECONDS}


@cache
def azure_credential() -> RenewableCredential:
    """The process's credential: it keeps its tokens and renews them. Nothing is contacted here."""
    from azure.identity import DefaultAzureCredential

    from resources.azure.tokens import RenewableCredential

    return RenewableCredential(
        lambda: DefaultAzureCredential(**credential_options(), **TIMEOUTS),
    )


def claims_of(token: str) -> dict[str, Any]:
    """The claims of an access token, unverified: only its issuer can read more into it.

    Raises ValueError where it is no JSON Web Token.
    """
    parts = token.split(".")
    if len(parts) < 2:
        raise ValueError("the access token is no JSON Web Token")
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
    )
    return claims


def client_options() -> dict[str, Any]:
    """Keyword arguments of azure-core's clients; storage's answer a 401 by themselves."""
    from resources.azure.tokens import RenewOnce

    return {**TIMEOUTS, "per_call_policies": RenewOnce(azure_credential())}
