"""Microsoft Entra: discovery and tokens for a service principal."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs

from tests.azure.cloud.http import Request, Response, answer, arm_error, route

HOST = r"login\.microsoftonline\.com"
AUTHORITY = "https://login.microsoftonline.com"


class Login:
    """Gives a token to the one service principal that it knows."""

    tenant = "11111111-1111-1111-1111-111111111111"
    client = "22222222-2222-2222-2222-222222222222"
    secret = "a-secret-that-no-log-may-hold"

    def __init__(self, now) -> None:  # type: ignore[no-untyped-def]
        self._now = now

    @route("GET", HOST, r"/common/discovery/instance", "1.1")
    def instance(self, request: Request) -> Response:
        hosts = ["login.microsoftonline.com", "login.windows.net"]
        known = [{"preferred_network": hosts[0], "preferred_cache": hosts[1], "aliases": hosts}]
        tenant = f"{AUTHORITY}/{self.tenant}/v2.0"
        return answer(
            {
                "tenant_discovery_endpoint": f"{tenant}/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": known,
            }
        )

    @route("GET", HOST, r"/(?P<tenant>[^/]+)/v2\.0/\.well-known/openid-configuration")
    def configuration(self, request: Request) -> Response:
        base = f"{AUTHORITY}/{request.match['tenant']}"
        return answer(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "issuer": f"{base}/v2.0",
            }
        )

    @route("POST", HOST, r"/(?P<tenant>[^/]+)/oauth2/v2\.0/token")
    def token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        good = (self.client, self.secret) == (form.get("client_id"), form.get("client_secret"))
        if not good:
            return arm_error(401, "invalid_client", "AADSTS7000215: Invalid client secret.")
        claims = {
            "aud": form["scope"].removesuffix("/.default"),
            "oid": "33333333-3333-3333-3333-333333333333",
            "appid": self.client,
            "tid": self.tenant,
            "exp": int(self._now()) + 3600,
        }
        return answer(
            {"token_type": "Bearer", "expires_in": 3600, "access_token": json_web_token(claims)}
        )


def json_web_token(claims: dict[str, object]) -> str:
    """A well-formed token; its signature is nonsense, which no client checks."""
    parts = [{"alg": "RS256", "typ": "JWT"}, claims, {"signature": "none"}]
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return b".".join(encoded).decode()


def audience(request: Request) -> str | None:
    """Whom the request's bearer token was given for; None without a token."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind != "Bearer":
        return None
    claims = token.split(".")[1]
    decoded = base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))
    return str(json.loads(decoded)["aud"])
