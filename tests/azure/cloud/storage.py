"""ADLS Gen2: one store of files, served by the dfs and the blob endpoint."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from xml.sax.saxutils import escape

from tests.azure.cloud.clock import Clock
from tests.azure.cloud.http import Refused, Request, Response, answer, arm_error, route

DFS = r"([a-z0-9]+)\.dfs\.core\.windows\.net"
BLOB = r"([a-z0-9]+)\.blob\.core\.windows\.net"
#: x-ms-version of azure-storage-file-datalake 12.26, azure-storage-blob 12.31 and of deltalake 1.6.
VERSIONS = (
    "2021-08-06 2021-12-02 2023-11-03 2024-08-04 2025-01-05 2025-05-05 2025-07-05 2025-11-05 "
    "2026-02-06 2026-04-06 2026-06-06 2026-10-06"
).split()
FILE = r"/(?P<container>[^/]+)/(?P<path>.+)"
CONTAINER = r"/(?P<container>[^/]+)"


@dataclass
class StoredFile:
    """One file; `pending` holds appended bytes that were not flushed."""

    content: bytes = b""
    pending: dict[int, bytes] = field(default_factory=dict)
    blocks: dict[str, bytes] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    etag: str = ""
    modified: float = 0.0


class Storage:
    """Files by account, container and path. Folders exist by their files."""

    def __init__(self, clock: Clock) -> None:
        self.files: dict[tuple[str, str, str], StoredFile] = {}
        self.mirror: tuple[str, str, Path] | None = None
        """Account, container and a folder that gets its files, for engines inside the cloud."""
        self._clock = clock
        self._etags = itertools.count(1)

    def read(self, account: str, container: str, path: str) -> bytes:
        return self.files[account, container, path].content

    def write(self, account: str, container: str, path: str, content: bytes) -> None:
        """Put a file from within the cloud."""
        self._store((account, container, path), StoredFile(content))

    def paths(self, account: str, container: str, prefix: str = "") -> list[str]:
        """The paths below a prefix, sorted."""
        return sorted(
            path
            for (owner, name, path) in self.files
            if (owner, name) == (account, container) and path.startswith(prefix)
        )

    # The dfs endpoint.

    @route("PUT", DFS, FILE, *VERSIONS)
    def create_or_rename(self, request: Request) -> Response:
        key = _key(request)
        if failed := self._failed_condition(request, self.files.get(key)):
            return failed
        source = request.headers.get("x-ms-rename-source")
        if source:
            moved = self.files.pop(_source_key(request, source), None)
            if moved is None:
                return _error(404, "SourcePathNotFound")
            return self._created(self._store(key, moved))
        if request.query.get("resource") != "file":
            raise Refused(f"dfs PUT with {request.query}")
        metadata = _properties(request.headers.get("x-ms-properties", ""))
        return self._created(self._store(key, StoredFile(metadata=metadata)))

    @route("PATCH", DFS, FILE, *VERSIONS)
    def append_or_flush(self, request: Request) -> Response:
        file = self.files.get(_key(request))
        if file is None:
            return _error(404, "PathNotFound")
        position = int(request.query.get("position", "0"))
        if request.query.get("action") == "append":
            file.pending[position] = request.body
            return Response(202)
        if request.query.get("action") != "flush":
            raise Refused(f"dfs PATCH with {request.query}")
        content = file.content
        for start, data in sorted(file.pending.items()):
            if start != len(content):
                return _error(400, "InvalidFlushPosition")
            content += data
        if len(content) != position:
            return _error(400, "InvalidFlushPosition")
        file.content, file.pending = content, {}
        self._touch(file)
        return Response(200, b"", _described(file, length=False))

    @route("DELETE", DFS, FILE, *VERSIONS)
    def delete_path(self, request: Request) -> Response:
        return Response(200) if self.files.pop(_key(request), None) else _error(404, "PathNotFound")

    @route("HEAD", DFS, FILE, *VERSIONS)
    def path_status(self, request: Request) -> Response:
        return self.blob_properties(request)

    @route("GET", DFS, CONTAINER, *VERSIONS)
    def list_paths(self, request: Request) -> Response:
        if request.query.get("resource") != "filesystem":
            raise Refused(f"dfs GET with {request.query}")
        account, container = request.host.split(".")[0], request.match["container"]
        most = int(request.query.get("maxResults", 5000))
        paths = [
            {"name": path, "contentLength": str(len(self.files[account, container, path].content))}
            for path in self.paths(account, container, request.query.get("directory", ""))
        ]
        return answer({"paths": paths[:most]})

    # The blob endpoint.

    @route("HEAD", BLOB, FILE, *VERSIONS)
    def blob_properties(self, request: Request) -> Response:
        file = self.files.get(_key(request))
        if file is None:
            return _error(404, "BlobNotFound")
        return Response(200, b"", _described(file, length=True))

    @route("GET", BLOB, FILE, *VERSIONS)
    def read_blob(self, request: Request) -> Response:
        file = self.files.get(_key(request))
        if file is None:
            return _error(404, "BlobNotFound")
        if failed := self._failed_condition(request, file):
            return failed
        headers = _described(file, length=False)
        wanted = request.headers.get("x-ms-range") or request.headers.get("range")
        if not wanted:
            return Response(200, file.content, headers)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, size = int(first), len(file.content)
        if start >= size:
            return _error(416, "InvalidRange", Content_Range=f"bytes */{size}")
        end = min(int(last) if last else size - 1, size - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        return Response(206, file.content[start : end + 1], headers)

    @route("PUT", BLOB, FILE, *VERSIONS)
    def write_blob(self, request: Request) -> Response:
        key = _key(request)
        file = self.files.get(key)
        kind = request.query.get("comp", "")
        if kind == "block":
            blocks = self.files.setdefault(key, StoredFile()).blocks
            blocks[request.query["blockid"]] = request.body
            return Response(201)
        if failed := self._failed_condition(request, file):
            return failed
        metadata = {
            name.removeprefix("x-ms-meta-"): value
            for name, value in request.headers.items()
            if name.startswith("x-ms-meta-")
        }
        if kind == "metadata":
            if file is None:
                return _error(404, "BlobNotFound")
            file.metadata = metadata
            self._touch(file)
            return Response(200, b"", _described(file, length=False))
        if kind == "blocklist":
            parts = request.body.decode().split("<Latest>")[1:]
            blocks = file.blocks if file else {}
            content = b"".join(blocks[part.split("</Latest>")[0]] for part in parts)
        elif kind:
            raise Refused(f"blob PUT with comp={kind}")
        elif source := request.headers.get("x-ms-copy-source"):
            content = self.files[_url_key(source)].content
        else:
            content = request.body
        return self._created(self._store(key, StoredFile(content, metadata=metadata)))

    @route("DELETE", BLOB, FILE, *VERSIONS)
    def delete_blob(self, request: Request) -> Response:
        return Response(202) if self.files.pop(_key(request), None) else _error(404, "BlobNotFound")

    @route("GET", BLOB, CONTAINER, *VERSIONS)
    def list_blobs(self, request: Request) -> Response:
        if request.query.get("comp") != "list":
            raise Refused(f"container GET with {request.query}")
        account, container = request.host.split(".")[0], request.match["container"]
        prefix = request.query.get("prefix", "")
        delimiter = request.query.get("delimiter", "")
        entries, folders = [], set()
        for path in self.paths(account, container, prefix):
            rest = path.removeprefix(prefix)
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
                continue
            entries.append(_entry(path, self.files[account, container, path]))
        entries += [
            f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>" for name in sorted(folders)
        ]
        body = (
            '<?xml version="1.0" encoding="utf-8"?>'
            f'<EnumerationResults ServiceEndpoint="https://{request.host}/" '
            f'ContainerName="{container}"><Prefix>{escape(prefix)}</Prefix>'
            f"<Blobs>{''.join(entries)}</Blobs><NextMarker /></EnumerationResults>"
        )
        return Response(200, body.encode(), {"Content-Type": "application/xml"})

    @route("GET", BLOB, r"/", *VERSIONS)
    def account_information(self, request: Request) -> Response:
        return Response(
            200, b"", {"x-ms-sku-name": "Standard_LRS", "x-ms-account-kind": "StorageV2"}
        )

    def _store(self, key: tuple[str, str, str], file: StoredFile) -> StoredFile:
        self.files[key] = file
        self._touch(file)
        if self.mirror and key[:2] == self.mirror[:2]:
            copy = self.mirror[2] / key[2]
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.content)
        return file

    def _touch(self, file: StoredFile) -> None:
        file.etag = f'"0x{next(self._etags):016X}"'
        file.modified = self._clock.now()

    def _created(self, file: StoredFile) -> Response:
        return Response(201, b"", _described(file, length=False))

    def _failed_condition(self, request: Request, file: StoredFile | None) -> Response | None:
        wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
        if unwanted == "*" and file is not None:
            return _error(409, "BlobAlreadyExists")
        if unwanted not in (None, "*") and file is not None and unwanted == file.etag:
            return _error(412, "ConditionNotMet")
        if wanted and wanted != "*" and (file is None or file.etag != wanted):
            return _error(412, "ConditionNotMet")
        return None


def _key(request: Request) -> tuple[str, str, str]:
    return request.host.split(".")[0], request.match["container"], request.match["path"].strip("/")


def _source_key(request: Request, source: str) -> tuple[str, str, str]:
    from urllib.parse import unquote

    container, _, path = unquote(source.split("?")[0]).lstrip("/").partition("/")
    return request.host.split(".")[0], container, path


def _url_key(url: str) -> tuple[str, str, str]:
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    container, _, path = unquote(parts.path).lstrip("/").partition("/")
    return parts.netloc.split(".")[0], container, path


def _properties(text: str) -> dict[str, str]:
    pairs = (part.split("=", 1) for part in text.split(",") if part)
    return {name.strip(): base64.b64decode(value).decode() for name, value in pairs}


def _described(file: StoredFile, *, length: bool) -> dict[str, str]:
    headers = {
        "ETag": file.etag,
        "Last-Modified": formatdate(file.modified, usegmt=True),
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": formatdate(file.modified, usegmt=True),
        "x-ms-server-encrypted": "true",
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        **{f"x-ms-meta-{name}": value for name, value in file.metadata.items()},
    }
    return headers | ({"Content-Length": str(len(file.content))} if length else {})


def _entry(path: str, file: StoredFile) -> str:
    modified = formatdate(file.modified, usegmt=True)
    return (
        f"<Blob><Name>{escape(path)}</Name><Properties>"
        f"<Creation-Time>{modified}</Creation-Time><Last-Modified>{modified}</Last-Modified>"
        f"<Etag>{file.etag.strip(chr(34))}</Etag><Content-Length>{len(file.content)}</Content-Length>"
        "<Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType>"
        "</Properties></Blob>"
    )


def _error(status: int, code: str, **headers: str) -> Response:
    return arm_error(status, code, code, x_ms_error_code=code, **headers)
