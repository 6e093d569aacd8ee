"""The calls to Azure by kind, and the table of them in docs/azure.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from bikecast.core.errors import InvalidInput
from pipelines.settings import PROJECT

DOCUMENT = PROJECT / "docs" / "azure.md"
HEADING = "## Calls"
Certainty = Literal["recorded", "documented", "observed", "guess"]
CERTAINTIES = ("recorded", "documented", "observed", "guess")

_ML = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers"
    r"/Microsoft\.MachineLearningServices/workspaces/[^/]+",
    re.IGNORECASE,
)
_SYNAPSE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Synapse/workspaces/[^/]+",
    re.IGNORECASE,
)
_ROLES = re.compile(r"/subscriptions/.+(?=/providers/Microsoft\.Authorization/)", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: Collections whose next segment is a name.
_NAMED = re.compile(
    r"/(jobs|models|computes|linkedServices|linkedservices|datastores|runs|roleAssignments|sqlPools|"
    r"bigDataPools|sparkPools|batches|operationResults|operationStatuses|computeOperationsStatus|"
    r"mfeOperationResults|workspaceOperationsStatus|locations|subscriptions|resourceGroups|"
    r"resourcegroups|databases|tables|codes|components|notebooks|notebookOperationResults|"
    r"deployments|sessions|statements|firewallRules|operationresults|operations|deletedVaults)/[^/{]+"
)
#: A resource provider, where a call is about the provider itself.
_PROVIDER = re.compile(r"^(/subscriptions/\{name\}/providers)/[\w.]+(?=(/(un)?register)?$)")
_VERSION = re.compile(r"(/(?:models|codes|components)/\{name\}/versions)/[^/]+")
_HOSTS = (
    (re.compile(r"^[a-z0-9]+\.(dfs|blob)\.core\.windows\.net$"), r"{account}.\1.core.windows.net"),
    (re.compile(r"^[a-z0-9-]+(\.dev\.azuresynapse\.net)$"), r"{synapse}\1"),
    (re.compile(r"^[a-z0-9-]+(\.api\.azureml\.ms)$"), r"{region}\1"),
)
#: Parts of a query that make another operation of the same path.
_OPERATIONS = ("resource", "action", "comp", "restype")


@dataclass(frozen=True, order=True)
class CallKind:
    """What a call asks for, without names: method, host and path as a template, api-version."""

    address: str
    method: str
    api_version: str


@dataclass(frozen=True)
class CallRow:
    """One line of the table; `test` is a file below tests/, without its ending."""

    client: str
    kind: CallKind
    sure: Certainty
    test: str


def kind_of(
    method: str, host: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> CallKind:
    """The kind of a call; header names are in lower case, the path is decoded."""
    for pattern, template in _HOSTS:
        host = pattern.sub(template, host)
    version = query.get("api-version") or headers.get("x-ms-version", "")
    return CallKind(host + _template(host, path, query, headers), method.upper(), version)


def _template(host: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    if ".core.windows.net" in host:
        parts = [part for part in path.split("/") if part]
        shape = ("/", "/{container}", "/{container}/{path}")[min(len(parts), 2)]
        asked = [f"{name}={query[name]}" for name in _OPERATIONS if name in query]
        asked += ["rename"] if "x-ms-rename-source" in headers else []
        return shape + ("?" + "&".join(asked) if asked else "")
    path = "/" + path.lstrip("/")
    path = _ROLES.sub("{scope}", path)
    path = _SYNAPSE.sub("{workspace}", _ML.sub("{ws}", path))
    path = _VERSION.sub(r"\1/{name}", _NAMED.sub(r"/\1/{name}", path))
    return _GUID.sub("{tenant}", _PROVIDER.sub(r"\1/{name}", path))


def call_table(path: Path = DOCUMENT) -> list[CallRow]:
    """The table of the document.

    Raises InvalidInput where the document is not there, has no table, or a line of it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror or error}") from error
    _, heading, part = text.partition(HEADING)
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    if not heading or not lines:
        raise InvalidInput(f"{path} has no table below {HEADING!r}")
    return [_row(line, path) for line in lines]


def _row(line: str, path: Path) -> CallRow:
    cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
    if len(cells) != 6 or cells[4] not in CERTAINTIES:
        raise InvalidInput(
            f"{path}: a call needs client, method, address, api-version, one of "
            f"{', '.join(CERTAINTIES)}, and a test, but a line is: {line}"
        )
    client, method, address, version, sure, test = cells
    return CallRow(client, CallKind(address, method, version), cast("Certainty", sure), test)
