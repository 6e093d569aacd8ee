"""Redaction by allow-list: of an answer only what is known to be harmless stays as it is.

Everything else becomes a placeholder. Equal texts get equal placeholders, so that answers still
fit together, and a placeholder has the syntax of what it stands for (a GUID, an e-mail address, a
host), so that clients can read the recordings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote

#: Names of fields whose words tell something: states, types, codes; and the ends of such names.
WORD_FIELDS = frozenset(
    "algorithm authIdentity code containerName endpoint family metric phase pluginState protocol "
    "publicNetworkAccess referenceName result roleName run_algorithm run_preprocessor "
    "serviceDataAccessAuthIdentity source target nodeSize nodeSizeFamily".split()
)
_WORD_ENDS = re.compile(
    r".*(?:[tT]ype|[mM]ode|[sS]tate|[sS]tatus|[mM]etric|Algorithms?|Category|Code|Identity|Kind|"
    r"Level|Severity|Tier|Verbosity)"
)
#: Names of fields whose numbers, given as texts, tell something.
NUMBER_FIELDS = frozenset(
    "contentLength iteration latestVersion maxConcurrentTrials maxTrials name nextVersion score "
    "sparkVersion version num_iterations training_percent".split()
)
#: Names of fields with hashes that the product itself computes: of data, of code, of a model.
HASH_FIELDS = frozenset("bikecast.digest data_version code_version".split())
#: The folder in which Azure ML's client names folders by a hash of their content.
_BY_HASH = "LocalUpload"
#: Segments of a path that name no one's thing.
SEGMENTS = frozenset(
    "subscriptions resourceGroups resourcegroups providers workspaces workspaces jobs models "
    "versions computes datastores linkedServices linkedservices codes components environments "
    "operations operationResults operationresults operationStatuses operationsStatus "
    "computeOperationsStatus workspaceOperationsStatus mfeOperationResults mfeOperationsStatus "
    "notebooks notebookOperationResults deployments validate whatIf exportTemplate register "
    "unregister registries firewallRules rbacScopes sessions statements diagnose resyncKeys "
    "dataversion batchGetResolvedUris sqlPools bigDataPools sparkPools batches "
    "livyApi history runs children rundata rp mlflow artifacts outputs paths discovery "
    "roleAssignments roleDefinitions storageAccounts oauth2 token common instance pause resume "
    "cancel listSecrets locations experiments experimentids runids data ExperimentRun azureml "
    "LocalUpload v1.0 v2.0 2019-11-01-preview .dev.azuresynapse.net .api.azureml.ms model.onnx "
    ".well-known openid-configuration".split()
)
#: The ends of hosts whose first part is a name.
HOSTS = (
    ".dfs.core.windows.net",
    ".blob.core.windows.net",
    ".dev.azuresynapse.net",
    ".sql.azuresynapse.net",
    ".vault.azure.net",
    ".azurecr.io",
)
OPEN_HOSTS = frozenset(
    {
        "management.azure.com",
        "login.microsoftonline.com",
        "login.windows.net",
        "ml.azure.com",
        "web.azuresynapse.net",
        "portal.azure.com",
        "graph.microsoft.com",
    }
)
#: Names that Azure gives in every workspace.
_NAMES_OF_AZURE = frozenset(
    "azureml workspaceblobstore workspaceartifactstore workspacefilestore "
    "workspaceworkingdirectory AutoResolveIntegrationRuntime AzureML".split()
)
_SIZE = re.compile(r"DW\d{2,5}c|Standard_[A-Z]{1,2}\d{1,3}[a-z]{0,3}(?:_v\d)?|[1-9]\d{0,3}[gm]")
#: Every region gets this name.
REGION = "westeurope"
#: Placeholders that a client takes for what it expects.
_FIELD_PLACEHOLDERS = {
    "key": "cmVkYWN0ZWQ=",
    "sasToken": "sv=redacted",
    "access_token": "redacted",
}
_PROVIDER = re.compile(r"Microsoft\.[A-Za-z]{3,40}")
_WORDS = re.compile(r"[A-Za-z]{1,40}(?:[ ._/-][A-Za-z]{1,40}){0,5}")
_KEY = re.compile(r"[@$]?[A-Za-z_]{1,40}(?:[.-][A-Za-z_]{1,40}){0,4}(?:_\d{3})?")
_NUMBER = re.compile(r"-?\d{1,9}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?|-?(?:nan|inf)", re.IGNORECASE)
_VERSION = re.compile(r"\d{4}-\d\d-\d\d(?:-preview)?|v?\d{1,2}\.\d{1,2}")
_HASH = re.compile(r"[0-9a-f]{8,64}")
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
)
_DURATION = re.compile(r"P(?:\d{1,4}D)?(?:T(?:\d{1,4}H)?(?:\d{1,4}M)?(?:\d{1,6}(?:\.\d+)?S)?)?")
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_MAIL = re.compile(r"[^@\s/]{1,64}@[^@\s/]{1,255}\.[A-Za-z]{2,}")
_URL = re.compile(r"(https|http|azureml|abfss|wasbs)://([^/?#\s]*)(/[^?#\s]*)?(?:\?(\S*))?")
#: What stands for a name in the address of a kind of call.
_TEMPLATES = re.compile(
    r"(\{(?:ws|workspace|scope|name|tenant|account|container|path|synapse|region)\})"
)
#: Header names by the pattern of what they may hold; any other header is dropped.
_HEADERS = {
    "accept-ranges": re.compile(r"bytes|none"),
    "content-length": re.compile(r"\d{1,10}"),
    "content-range": re.compile(r"bytes [\d*]{1,10}(?:-\d{1,10})?/[\d*]{1,10}"),
    "content-type": re.compile(r"[a-z]{1,20}/[a-z.+-]{1,40}(?:; ?charset=(?:utf-8|UTF-8))?"),
    "last-modified": _MOMENT,
    "retry-after": re.compile(r"\d{1,6}"),
    "x-ms-blob-type": re.compile(r"BlockBlob|PageBlob|AppendBlob"),
    "x-ms-creation-time": _MOMENT,
    "x-ms-error-code": _WORDS,
    "x-ms-server-encrypted": re.compile(r"true|false"),
    "x-ms-version": _VERSION,
}
_ADDRESSES = ("azure-asyncoperation", "location", "operation-location")
_QUERY = {
    "api-version": _VERSION,
    **dict.fromkeys(("action", "comp", "resource", "restype"), re.compile(r"[a-z]{1,20}")),
}
_NESTED_PATHS = ("wsid",)


class Redactor:
    """Redacts texts and remembers their placeholders.

    `names` maps what is known by name (subscription, workspaces, account ...) to its placeholder;
    `own` are names that the product gives itself: they and what Azure derives from them (a number
    or a word behind an underscore) stay as they are.
    """

    def __init__(self, names: Mapping[str, str], own: tuple[str, ...] = ()) -> None:
        self._placeholders = {name.casefold(): held for name, held in names.items() if name}
        self._numbers: dict[str, dict[str, int]] = {}
        words = "|".join(re.escape(name) for name in own) or "(?!)"
        self._own = re.compile(
            rf"(?:dcid\.)?(?:{words})(?:-[0-9a-f]{{12}}(?:-\d{{1,4}})?)?"
            r"(?:_(?:\d{1,4}|[A-Za-z]{1,12})){0,3}"
        )

    def json(self, value: object, field: str = "") -> object:
        """A JSON value with every text in it redacted; numbers, booleans and null stay."""
        if isinstance(value, Mapping):
            return {self.key(str(name)): self.json(item, str(name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self.json(item, field) for item in value]
        return self.text(value, field) if isinstance(value, str) else value

    def key(self, name: str) -> str:
        """The name of a field."""
        return name if _KEY.fullmatch(name) else self._placeholder("key", name, "key{}")

    def text(self, value: str, field: str = "") -> str:
        """A text of a field of this name."""
        if not value:
            return value
        placeholder = self._placeholders.get(value.casefold())
        if placeholder is not None:
            return placeholder
        if self._is_harmless(value, field):
            return value
        if _GUID.fullmatch(value):
            return self._guid(value)
        if _MAIL.fullmatch(value):
            return self._placeholder("mail", value, "user{}@example.com")
        if _URL.fullmatch(value):
            return self.url(value)
        if value.startswith("/") and not re.search(r"[\s?#]", value):
            return self.path(value)
        if value[0] in "{[":
            return self._nested(value, field)
        if field in _FIELD_PLACEHOLDERS:
            return _FIELD_PLACEHOLDERS[field]
        if field == "accountName":
            number = self._number(field, value)
            return f"mlstorage{number}" if number > 1 else "mlstorage"
        return self._placeholder("text", value, "redacted{}")

    def _nested(self, value: str, field: str) -> str:
        """A JSON value in a text, as tags have it."""
        try:
            parsed = json.loads(value, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            return self._placeholder("text", value, "redacted{}")
        return json.dumps(self.json(parsed, field))

    def url(self, value: str) -> str:
        """An address: its host and path by their parts, of its query only what is known."""
        match = _URL.fullmatch(value)
        if match is None:
            return self._placeholder("text", value, "redacted{}")
        scheme, host, path, query = match.groups()
        if scheme == "azureml" and host in SEGMENTS:
            # The short form of Azure ML, as azureml://jobs/NAME/outputs, has no host.
            return "azureml:/" + self.path(f"/{host}{path or ''}")
        user, at, machine = host.rpartition("@")
        before = self.text(user) + at if user else ""
        address = f"{scheme}://{before}{self.host(machine)}{self.path(path or '')}"
        kept = self.query(dict(parse_qsl(query or "", keep_blank_values=True)))
        text = "&".join(f"{name}={quote(item, safe='/.-_')}" for name, item in kept.items())
        return f"{address}?{text}" if text else address

    def host(self, value: str) -> str:
        """A host."""
        host = value.lower()
        if host in OPEN_HOSTS:
            return host
        if host.endswith(".api.azureml.ms"):
            return f"{REGION}.api.azureml.ms"
        for end in HOSTS:
            if host.endswith(end) and "." not in host.removesuffix(end):
                return self.text(host.removesuffix(end), "accountName") + end
        return self._placeholder("host", host, "host{}.example")

    def path(self, value: str) -> str:
        """A path: words of the service stay, names become placeholders."""
        parts = [unquote(part) for part in value.split("/")]
        before = ["", *parts[:-1]]
        return "/".join(
            part if place == _BY_HASH and _HASH.fullmatch(part) else self._segment(part)
            for place, part in zip(before, parts, strict=True)
        )

    def address(self, address: str) -> str:
        """The address of a kind of call, where it is none of the known ones."""
        place, _, query = address.partition("?")
        first, *rest = _TEMPLATES.split(place)
        host, slash, path = first.partition("/")
        parts = [host if not host or _TEMPLATES.fullmatch(host) else self.host(host)]
        parts.append(slash + self.path(path))
        parts += [each if _TEMPLATES.fullmatch(each) else self.path(each) for each in rest]
        redacted = "".join(parts)
        harmless = re.fullmatch(r"[a-z]{1,10}(?:=[a-z]{1,20})?(?:&[a-z]{1,10}=[a-z]{1,20})*", query)
        return f"{redacted}?{query if harmless else 'redacted'}" if query else redacted

    def query(self, values: Mapping[str, str]) -> dict[str, str]:
        """The parameters of an address that may stay."""
        kept = {}
        for name, value in values.items():
            pattern = _QUERY.get(name)
            if pattern is not None and pattern.fullmatch(value):
                kept[name] = value
            elif name in _NESTED_PATHS:
                kept[name] = self.path(value)
        return kept

    def headers(self, values: Mapping[str, str]) -> dict[str, str]:
        """The headers that may stay, by lower-case name."""
        kept = {}
        for name, value in values.items():
            lower = name.lower()
            pattern = _HEADERS.get(lower)
            if pattern is not None and pattern.fullmatch(value):
                kept[lower] = value
            elif lower in _ADDRESSES:
                kept[lower] = self.url(value)
            elif lower == "etag":
                kept[lower] = self._placeholder("etag", value, '"0x{:016X}"')
        return kept

    def _is_harmless(self, value: str, field: str) -> bool:
        if value in _NAMES_OF_AZURE or _SIZE.fullmatch(value):
            return True
        if self._own.fullmatch(value) or _MOMENT.fullmatch(value) or _DURATION.fullmatch(value):
            return True
        if (field in WORD_FIELDS or _WORD_ENDS.fullmatch(field)) and _WORDS.fullmatch(value):
            return True
        if field in HASH_FIELDS and _HASH.fullmatch(value):
            return True
        return field in NUMBER_FIELDS and _NUMBER.fullmatch(value) is not None

    def _segment(self, part: str) -> str:
        if part in SEGMENTS or _PROVIDER.fullmatch(part) or re.fullmatch(r"\d{0,6}", part):
            return part
        return self.text(part) if "/" not in part else self._placeholder("text", part, "redacted{}")

    def _guid(self, value: str) -> str:
        return f"00000000-0000-4000-8000-{self._number('guid', value.lower()):012}"

    def _placeholder(self, group: str, value: str, form: str) -> str:
        return form.format(self._number(group, value))

    def _number(self, group: str, value: str) -> int:
        """1 for the first value of a group, 2 for the second, and the same for the same."""
        numbers = self._numbers.setdefault(group, {})
        return numbers.setdefault(value, len(numbers) + 1)
