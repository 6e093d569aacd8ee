"""The lake as a container of ADLS Gen2."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from uuid import uuid4

from dagster_azure.adls2 import ADLS2DefaultAzureCredential, ADLS2Resource
from pydantic import Field

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import file_digest, temporary_file
from resources.azure.credentials import (
    STORAGE_SCOPE,
    TIMEOUTS,
    azure_credential,
    credential_options,
)
from resources.azure.refusals import refusal, refused_by_azure
from resources.lake.paths import checked_parts, described_source
from resources.lake.port import LakeFile

if TYPE_CHECKING:
    from azure.storage.filedatalake import DataLakeFileClient, DataLakeServiceClient

#: Metadata of a file that holds the SHA-256 of its content.
DIGEST = "sha256"
#: Files above this size are read through the disk.
_IN_MEMORY = 16 << 20
#: The SDK's own first pause is 15 seconds.
_RETRIES: dict[str, Any] = {"initial_backoff": 1, "increment_base": 2, "retry_total": 4}


class Conflict(BikecastError):
    """Somebody else wrote the file at the same moment; theirs is kept."""


class AdlsLake(ADLS2Resource):
    """Files of one container; implements the port Lake.

    A file is uploaded beside its place and renamed over it on the condition that nobody else
    changed it since, so readers see the old content or the new one.
    """

    container: str = Field("files", description="The container (file system).")

    @classmethod
    def of(cls, account: str, container: str) -> AdlsLake:
        """The lake of a storage account, by the credential of this process."""
        credential = ADLS2DefaultAzureCredential(kwargs=credential_options())
        return cls(storage_account=account, credential=credential, container=container)

    def put(self, path: str, source: Path) -> LakeFile:
        """Copy a local file into the lake; unchanged content is not written again.

        Raises InvalidInput for a path outside the lake or a source that cannot be read, and
        BikecastError where somebody else wrote the file at the same moment or storage refuses.
        """
        place = self._place(path)
        new = described_source(path, source)
        before = self._properties(place)
        if before is not None and self._described(path, before) == new:
            return new
        try:
            self._replace(place, source, new, None if before is None else str(before.etag))
        except Conflict:
            if self.stat(path) != new:
                raise
        return new

    @property
    def adls2_client(self) -> DataLakeServiceClient:
        """The process's client of the account; nothing is contacted here."""
        return _service(f"https://{self._host('dfs')}")

    def read_versioned(self, path: str) -> tuple[bytes, str] | None:
        """Content and version (etag) of a small file, for `put_if`; None where there is none."""
        from azure.core.exceptions import ResourceNotFoundError

        with self._refusing(f"cannot read {path}"):
            try:
                download = self._file(self._place(path)).download_file(**TIMEOUTS)
            except ResourceNotFoundError:
                return None
        return download.readall(), str(download.properties.etag)

    def put_if(self, path: str, content: bytes, version: str | None) -> None:
        """Store a file if it still has the version that was read (None: if there still is none).

        Raises Conflict where somebody else wrote it since.
        """
        with temporary_file(content) as source:
            new = LakeFile(path, len(content), file_digest(source))
            self._replace(self._place(path), source, new, version)

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading; raises InvalidInput where there is none."""
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # the caller's
        stream = cast(BinaryIO, file)
        try:
            self._download(path, stream)
        except BaseException:
            stream.close()
            raise
        stream.seek(0)
        return stream

    def stat(self, path: str) -> LakeFile | None:
        """Size and digest of a file, or None where there is none."""
        properties = self._properties(self._place(path))
        return None if properties is None else self._described(path, properties)

    @contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """A temporary copy of a file; raises InvalidInput where there is none."""
        name = Path(*checked_parts(path)).name
        with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
            copy = Path(folder) / name
            with copy.open("wb") as stream:
                self._download(path, stream)
            yield copy

    def url(self, path: str) -> str:
        """The path as `abfss://CONTAINER@ACCOUNT.dfs...`, as Spark and deltalake take it."""
        return f"abfss://{self.container}@{self._host('dfs')}/{self._place(path)}"

    def copy_url(self, path: str) -> str:
        """The path as `https://ACCOUNT.dfs.../CONTAINER/...`, as COPY INTO takes it."""
        return f"https://{self._host('dfs')}/{self.container}/{self._place(path)}"

    def table_options(self) -> dict[str, str]:
        """Account and a bearer token of about an hour for deltalake; the token is a secret."""
        token = azure_credential().get_token(STORAGE_SCOPE).token
        return {"azure_storage_account_name": self.storage_account, "azure_storage_token": token}

    def _host(self, service: str) -> str:
        return f"{self.storage_account}.{service}.{self.endpoint_suffix}"

    def _place(self, path: str) -> str:
        return "/".join(checked_parts(path))

    def _file(self, place: str) -> DataLakeFileClient:
        return self.adls2_client.get_file_client(self.container, place)

    def _properties(self, place: str) -> Any | None:
        from azure.core.exceptions import ResourceNotFoundError

        with self._refusing(f"cannot look at {place}"):
            try:
                return self._file(place).get_file_properties(**TIMEOUTS)
            except ResourceNotFoundError:
                return None

    def _described(self, path: str, properties: Any) -> LakeFile:
        """What is stored; the digest of a file that another program wrote is computed."""
        digest = (properties.metadata or {}).get(DIGEST)
        if digest is None:
            with self.local_copy(path) as copy:
                digest = file_digest(copy)
        return LakeFile(path, int(properties.size), digest)

    def _download(self, path: str, stream: BinaryIO) -> None:
        from azure.core.exceptions import ResourceNotFoundError

        with self._refusing(f"cannot read {path}"):
            try:
                self._file(self._place(path)).download_file(**TIMEOUTS).readinto(stream)
            except ResourceNotFoundError as error:
                raise InvalidInput(
                    f"there is no file {path} in the lake {self._host('dfs')}/{self.container}"
                ) from error

    def _refusing(self, failure: str) -> AbstractContextManager[None]:
        """Errors of storage in words, with the role that is missing."""
        return refused_by_azure(f"{failure} in {self._host('dfs')}", **self._right)

    @property
    def _right(self) -> dict[str, str]:
        account = f"$(az storage account show --name {self.storage_account} --query id -o tsv)"
        return {"role": "Storage Blob Data Contributor", "scope": account}

    def _replace(self, place: str, source: Path, new: LakeFile, version: str | None) -> None:
        """Upload beside the place, then rename if the place still has this version."""
        from azure.core import MatchConditions
        from azure.core.exceptions import AzureError, ResourceExistsError, ResourceModifiedError

        folder, _, name = place.rpartition("/")
        temporary = "/".join(part for part in (folder, f".{name}.{uuid4().hex}.tmp") if part)
        client = self._file(temporary)
        condition: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        if version is not None:
            condition = {"etag": version, "match_condition": MatchConditions.IfNotModified}
        try:
            with source.open("rb") as stream:
                client.upload_data(
                    stream,
                    length=new.size,
                    overwrite=True,
                    metadata={DIGEST: new.digest},
                    **TIMEOUTS,
                )
            client.rename_file(f"{self.container}/{place}", **condition, **TIMEOUTS)
        except AzureError as error:
            self._remove_quietly(client)
            if isinstance(error, (ResourceExistsError, ResourceModifiedError)):
                raise Conflict(
                    f"{place} was changed by somebody else at the same moment; what they wrote "
                    "is kept. Run again to write over it."
                ) from error
            raise refusal(
                error,
                f"cannot write {place} to {self._host('dfs')}",
                unchanged="What was there before is unchanged",
                **self._right,
            ) from error

    def _remove_quietly(self, client: DataLakeFileClient) -> None:
        from azure.core.exceptions import AzureError

        try:
            client.delete_file(**TIMEOUTS)
        except AzureError:
            return  # the caller already reports what went wrong


@cache
def _service(address: str) -> DataLakeServiceClient:
    from azure.storage.filedatalake import DataLakeServiceClient

    return DataLakeServiceClient(address, azure_credential(), **_RETRIES)
