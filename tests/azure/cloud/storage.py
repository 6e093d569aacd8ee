"""ADLS Gen2: one store of files, served by the dfs and the blob endpoint."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path, PurePosixPath
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
    directory: bool = False


class Storage:
    """Files by account, container and path, with the folders that they made.

    Containers are there without being made.
    """

    def __init__(self, clock: Clock) -> None:
        self.files: dict[tuple[str, str, str], StoredFile] = {}
        self.mirror: tuple[str, str, Path] | None = None
        """Account, container and a folder that gets its files, for engines inside the cloud."""
        self._clock = clock
        self._etags = itertools.count(1)

    def folders(self, account: str, container: str) -> dict[str, StoredFile]:
        """The folders of a container, made or by their files."""
        found = {}
        for (owner, name, path), file in sorted(self.files.items()):
            if (owner, name) != (account, container):
                continue
            if file.directory:
                found[path] = file
            for parent in PurePosixPath(path).parents:
                if str(parent) != ".":
                    found.setdefault(str(parent), StoredFile(directory=True, etag=file.etag))
        return found

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
            if (owner, name) == (account, container)
            and path.startswith(prefix)
            and not self.files[owner, name, path].directory
        )

    # The dfs endpoint.

    @route("PUT", DFS, FILE, *VERSIONS)
    def create_or_rename(self, request: Request) -> Response:
        key = _key(request)
        exists = "PathAlreadyExists"
        if failed := self._failed_condition(request, self.files.get(key), exists=exists):
            return failed
        source = request.headers.get("x-ms-rename-source")
        if source:
            moved = self.files.pop(_source_key(request, source), None)
            if moved is None:
                return _error(404, "SourcePathNotFound")
            self.files[key] = moved
            self._copy_out(key, moved)
            # The file keeps its ETag and its time.
            return Response(201, b"", _version(moved))
        kind = request.query.get("resource")
        if kind not in ("file", "directory"):
            raise Refused(f"dfs PUT with {request.query}")
        metadata = _properties(request.headers.get("x-ms-properties", ""))
        file = StoredFile(metadata=metadata, directory=kind == "directory")
        return Response(201, b"", _version(self._store(key, file)))

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
        return Response(200, b"", _version(file))

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
        below = request.query.get("directory", "").strip("/")
        deep = request.query.get("recursive", "true") == "true"
        entries = {
            path: self.files[account, container, path] for path in self.paths(account, container)
        }
        entries |= self.folders(account, container)
        names = [
            path
            for path in sorted(entries)
            if (not below or path.startswith(f"{below}/"))
            and (deep or "/" not in path.removeprefix(f"{below}/" if below else ""))
        ]
        most = int(request.query.get("maxResults", 5000))
        first = int(request.query.get("continuation", 0))
        page = names[first : first + most]
        more = {"x_ms_continuation": str(first + most)} if first + most < len(names) else {}
        return answer({"paths": [_path_entry(name, entries[name]) for name in page]}, **more)

    # The blob endpoint.

    @route("HEAD", BLOB, FILE, *VERSIONS)
    def blob_properties(self, request: Request) -> Response:
        file = self.files.get(_key(request))
        if file is None:
            return Response(404, b"", {"x-ms-error-code": "BlobNotFound"})
        return Response(200, b"", _described(file, length=True))

    @route("GET", BLOB, FILE, *VERSIONS)
    def read_blob(self, request: Request) -> Response:
        file = self.files.get(_key(request))
        if file is None:
            return _xml_error(404, "BlobNotFound")
        if failed := self._failed_condition(request, file):
            return failed
        headers = _described(file, length=False)
        wanted = request.headers.get("x-ms-range") or request.headers.get("range")
        if not wanted:
            return Response(200, file.content, headers)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, size = int(first), len(file.content)
        if start >= size:
            return _xml_error(416, "InvalidRange", Content_Range=f"bytes */{size}")
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
                return _xml_error(404, "BlobNotFound")
            file.metadata = metadata
            self._touch(file)
            return Response(200, b"", _version(file))
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
        return Response(
            201, b"", _version(self._store(key, StoredFile(content, metadata=metadata)))
        )

    @route("DELETE", BLOB, FILE, *VERSIONS)
    def delete_blob(self, request: Request) -> Response:
        return (
            Response(202)
            if self.files.pop(_key(request), None)
            else _xml_error(404, "BlobNotFound")
        )

    @route("GET", BLOB, CONTAINER, *VERSIONS)
    def list_blobs(self, request: Request) -> Response:
        if request.query.get("comp") != "list":
            raise Refused(f"container GET with {request.query}")
        account, container = request.host.split(".")[0], request.match["container"]
        prefix = request.query.get("prefix", "")
        delimiter = request.query.get("delimiter", "")
        entries: dict[str, str] = {}
        for path in self.paths(account, container, prefix):
            rest = path.removeprefix(prefix)
            if delimiter and delimiter in rest:
                name = prefix + rest.split(delimiter)[0] + delimiter
                entries[name] = _entry("BlobPrefix", name, StoredFile(directory=True))
            else:
                entries[path] = _entry("Blob", path, self.files[account, container, path])
        names = sorted(entries)
        most, first = request.query.get("maxresults"), int(request.query.get("marker") or 0)
        page = names[first : first + int(most or 5000)]
        more = str(first + len(page)) if first + len(page) < len(names) else ""
        asked = {"Prefix": prefix, "MaxResults": most, "Delimiter": delimiter}
        told = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in asked.items() if text)
        body = (
            '\ufeff<?xml version="1.0" encoding="utf-8"?>'
            f'<EnumerationResults ServiceEndpoint="https://{request.host}/" '
            f'ContainerName="{container}">{told}'
            f"<Blobs>{''.join(entries[name] for name in page)}</Blobs>"
            f"<NextMarker>{more}</NextMarker></EnumerationResults>"
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
        self._copy_out(key, file)
        return file

    def _copy_out(self, key: tuple[str, str, str], file: StoredFile) -> None:
        if self.mirror and key[:2] == self.mirror[:2] and not file.directory:
            copy = self.mirror[2] / key[2]
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.content)

    def _touch(self, file: StoredFile) -> None:
        file.etag = f'"0x{next(self._etags):016X}"'
        file.modified = self._clock.now()

    def _failed_condition(
        self, request: Request, file: StoredFile | None, *, exists: str = "BlobAlreadyExists"
    ) -> Response | None:
        wanted, unwanted = request.headers.get("if-match"), request.headers.get("if-none-match")
        failure = _xml_error if ".blob." in request.host else _error
        if unwanted == "*" and file is not None:
            return failure(409, exists)
        if unwanted not in (None, "*") and file is not None and unwanted == file.etag:
            return failure(412, "ConditionNotMet")
        if wanted and wanted != "*" and (file is None or file.etag != wanted):
            return failure(412, "ConditionNotMet")
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


def _version(file: StoredFile) -> dict[str, str]:
    """What a change answers: the version that it made."""
    return {"ETag": file.etag, "Last-Modified": formatdate(file.modified, usegmt=True)}


def _entry(tag: str, path: str, file: StoredFile) -> str:
    """A blob, or a folder's prefix, in a list of an account with folders."""
    modified = formatdate(file.modified, usegmt=True)
    properties = {
        "Creation-Time": modified,
        "Last-Modified": modified,
        "Etag": file.etag.strip('"'),
        "ResourceType": "directory" if file.directory else "file",
        "Content-Length": str(len(file.content)),
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "",
        "Content-Language": "",
        "Content-CRC64": "",
        "Content-MD5": "",
        "Cache-Control": "",
        "Content-Disposition": "",
        "BlobType": "BlockBlob",
        "AccessTier": "Hot",
        "AccessTierInferred": "true",
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
        "ServerEncrypted": "true",
    }
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in properties.items())
    rest = "<OrMetadata />" if tag == "Blob" else ""
    return f"<{tag}><Name>{escape(path)}</Name><Properties>{inner}</Properties>{rest}</{tag}>"


def _path_entry(path: str, file: StoredFile) -> dict[str, str]:
    """A path in a list of the dfs endpoint, where numbers and truth values are texts."""
    modified = formatdate(file.modified, usegmt=True)
    return {
        "contentLength": str(len(file.content)),
        "creationTime": "132900000000000000",
        "etag": file.etag.strip('"'),
        "expiryTime": "0",
        "group": "$superuser",
        **({"isDirectory": "true"} if file.directory else {}),
        "lastModified": modified,
        "name": path,
        "owner": "$superuser",
        "permissions": "rwxr-x---" if file.directory else "rw-r-----",
    }


def _error(status: int, code: str, **headers: str) -> Response:
    """An error of the dfs endpoint."""
    return arm_error(status, code, code, x_ms_error_code=code, **headers)


def _xml_error(status: int, code: str, **headers: str) -> Response:
    """An error of the blob endpoint."""
    body = f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code>'
    body += f"<Message>{code}</Message></Error>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    told = {"Content-Type": "application/xml", "x-ms-error-code": code, **named}
    return Response(status, body.encode(), told)
