"""Blanking secrets in texts that others wrote: logs, errors of services."""

from __future__ import annotations

import os
import re

_SECRET_NAMES = re.compile(r"(SECRET|PASSWORD|PASSWD|TOKEN|KEY|CONNECTION_STRING|SAS)$", re.I)
_SHORTEST_SECRET = 6
_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}-----|\Z)", re.DOTALL
)
#: What is before @ in a URL; of the lake's schemes it is the container, which is no secret.
_USERINFO = re.compile(
    r"(?<=://)(?<!abfss://)(?<!abfs://)(?<!wasbs://)(?<!wasb://)[^/\s@'\"<>]{1,2000}@"
)
#: The query of a URL of any scheme may be a signature.
_QUERY = re.compile(r"(://[^\s'\"?<>]*)\?[^\s'\"<>]*")
_AUTHORIZATION = re.compile(r"(authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?)[^\r\n\"',;]+", re.I)
_BEARER = re.compile(r"\b(Bearer|SharedKey|SharedAccessSignature)(\s{1,3})[\w.~+/=:&%-]{8,}", re.I)
#: Names of secrets with = or : and a value, as settings, JSON and connection strings have them.
_NAMED = re.compile(
    r"((?:(?<![a-z])(?:sig|pwd)|signature|secret[\w.-]{0,200}|password|passwd|passphrase"
    r"|token(?:\.[\w.-]{0,200})?|(?:account|access|api|shared|storage)[._-]?key[\w.-]{0,200}"
    r"|fs\.azure\.sas[\w.-]{0,200})[\"']?\s{0,3}[=:]\s{0,3})"
    r"(?:\"[^\"\n]*\"|'[^'\n]*'|\{[^}\n]*\}|[^\s'\",;&]+)",
    re.I,
)
#: A JSON Web Token: its first part is the Base64 of {" ...
_JWT = re.compile(r"eyJ[\w-]{10,}(?:\.[\w-]+)*")


def redacted(text: str) -> str:
    """The text without what looks like a secret: rather too much is blanked than too little.

    Blanked are values of this process's secret environment variables, users and queries of URLs,
    signatures, account keys, passwords, tokens and private keys.
    """
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST_SECRET and _SECRET_NAMES.search(name):
            text = text.replace(value, "***")
    text = _QUERY.sub(r"\1?***", _USERINFO.sub("***@", _KEY.sub("***", text)))
    text = _BEARER.sub(r"\1\2***", _AUTHORIZATION.sub(r"\1***", text))
    return _NAMED.sub(r"\1***", _JWT.sub("***", text))
