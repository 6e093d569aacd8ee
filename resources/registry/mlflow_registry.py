"""The registry on MLflow's SQLite store, with the ONNX files in a folder beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from bikecast.core.errors import InvalidInput, ModelRejected
from bikecast.core.files import replaced_file
from bikecast.core.onnx.contract import model_digest, unchanged_model
from bikecast.embedded.mlflow import database_path, is_ready, reading, writing
from resources.adapter import Adapter
from resources.registry.port import DIGEST, JOB_ID, SCORES, ModelVersion, no_own_tags, numbered
from resources.registry.version_memo import MEMO, remembered

if TYPE_CHECKING:
    from mlflow import MlflowClient

_OWN_TAGS = (JOB_ID, DIGEST, SCORES)
#: The name becomes a folder and part of an MLflow filter.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,127}")


class MlflowRegistry(Adapter):
    """Model versions in MLflow; implements the port Registry.

    A model's bytes lie under `artifact_root` by name and digest, so equal models share a file.
    Nothing is created before the first registration.
    """

    tracking_uri: str = Field(description="sqlite:////absolute/path/mlflow.db")
    artifact_root: str = Field(description="The folder of the ONNX files.")

    def register(
        self,
        name: str,
        model_path: Path,
        *,
        job_id: str,
        digest: str,
        scores: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> ModelVersion:
        """Register the model of a job, or return the version that this job already made.

        Raises ModelRejected where the file does not match its digest, InvalidInput where it
        cannot be read or where the name or a tag is not allowed, and BikecastError where the
        folder cannot be written.
        """
        target = self._file(name, digest)
        no_own_tags(tags)
        data = unchanged_model(model_path, job_id=job_id, digest=digest)
        registered = self._of_job(name, job_id)
        if registered:
            return registered
        with writing(self.tracking_uri) as client:
            registered = self._of_job(name, job_id)
            if registered:
                return registered
            if not target.is_file() or model_digest(target.read_bytes()) != digest:
                with replaced_file(target) as temporary:
                    temporary.write_bytes(data)
            if not client.search_registered_models(f"name = '{name}'", max_results=1):
                client.create_registered_model(name)
            created = client.create_model_version(
                name,
                source=target.parent.as_uri(),
                tags={**tags, JOB_ID: job_id, DIGEST: digest, SCORES: json.dumps(dict(scores))},
                await_creation_for=0,
            )
            return self._version(created, ())

    def rebuild(self, name: str, versions: Sequence[ModelVersion]) -> None:
        """Register these versions of a model under their numbers, in an empty store.

        For a store that was lost. Their files stay where they are, a number that is missing stays
        unused, and each version counts as made now.
        """
        with writing(self.tracking_uri) as client:
            client.create_registered_model(name)
            numbers = {entry.version: entry for entry in versions}
            for number in range(1, max(numbers, default=0) + 1):
                entry = numbers.get(number)
                digest = entry.digest if entry else ""
                client.create_model_version(
                    name,
                    source=(self._folder(name) / digest).as_uri(),
                    tags=_all_tags(entry) if entry else {},
                    await_creation_for=0,
                )
                if entry is None:
                    client.delete_model_version(name, str(number))
                for alias in entry.aliases if entry else ():
                    client.set_registered_model_alias(name, alias, str(number))

    def forget(self, name: str, digest: str) -> list[int]:
        """Delete the versions of a digest, whose file is lost; returns their numbers.

        No later version gets one of these.
        """
        numbers = [each.version for each in self.versions(name) if each.digest == digest]
        if numbers:
            with writing(self.tracking_uri) as client:
                for number in numbers:
                    client.delete_model_version(name, str(number))
        return numbers

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions, newest first; empty where the model is unknown."""
        memo = self._folder(name) / MEMO
        if not is_ready(self.tracking_uri):
            return []
        database = database_path(self.tracking_uri)
        return remembered(memo, database, lambda: self._read_versions(name))

    def _read_versions(self, name: str) -> list[ModelVersion]:
        with reading(self.tracking_uri) as client:
            return self._read(client, name)

    def _read(self, client: MlflowClient, name: str) -> list[ModelVersion]:
        models = client.search_registered_models(f"name = '{name}'", max_results=1)
        if not models:
            return []
        aliases: dict[int, list[str]] = {}
        for alias, number in models[0].aliases.items():
            aliases.setdefault(int(number), []).append(alias)
        versions = [
            self._version(entry, tuple(sorted(aliases.get(int(entry.version), ()))))
            for entry in _all_versions(client, name)
        ]
        return sorted(versions, key=lambda entry: entry.version, reverse=True)

    def download(self, name: str, version: int) -> bytes:
        """The ONNX file of a version.

        Raises InvalidInput where there is no such version, and ModelRejected where the stored
        file is missing or no longer matches its digest.
        """
        digest = numbered(self.versions(name), name, version).digest
        target = self._file(name, digest)
        if not target.is_file():
            raise ModelRejected(
                f"the file of {name} version {version} is missing: {target}. Nothing was changed.\n"
                "`bikecast repair` looks for a copy of it"
            )
        data = target.read_bytes()
        if model_digest(data) != digest:
            raise ModelRejected(
                f"{target} no longer matches the digest of {name} version {version}: the file "
                "was changed or is damaged. Nothing was changed.\n"
                "`bikecast repair` looks for a copy of it"
            )
        return data

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias such as `champion` at a version; the version it had loses it.

        Raises InvalidInput where there is no such version or the alias is not allowed.
        """
        if alias in numbered(self.versions(name), name, version).aliases:
            return
        from mlflow.exceptions import MlflowException

        with writing(self.tracking_uri) as client:
            try:
                client.set_registered_model_alias(name, alias, str(version))
            except MlflowException as error:
                raise InvalidInput(
                    f"{error.message} The aliases of {name} are unchanged."
                ) from error

    def _of_job(self, name: str, job_id: str) -> ModelVersion | None:
        return next((entry for entry in self.versions(name) if entry.job_id == job_id), None)

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                f"{name!r} is not a model name: it starts with a letter or digit and has letters, "
                "digits, spaces, dots, dashes and underscores only, at most 128"
            )
        return Path(self.artifact_root).resolve() / name

    def _file(self, name: str, digest: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ModelRejected(f"{digest!r} is not a SHA-256 digest; nothing was registered")
        return self._folder(name) / digest / "model.onnx"

    def _version(self, entry: Any, aliases: tuple[str, ...]) -> ModelVersion:
        tags = dict(entry.tags)
        digest = tags.get(DIGEST, "")
        return ModelVersion(
            name=entry.name,
            version=int(entry.version),
            job_id=tags.get(JOB_ID, ""),
            digest=digest,
            created_at=datetime.fromtimestamp(entry.creation_timestamp / 1000, UTC),
            scores=json.loads(tags.get(SCORES, "{}")),
            tags={key: value for key, value in tags.items() if key not in _OWN_TAGS},
            link=str(self._folder(entry.name) / digest),
            aliases=aliases,
        )


def _all_tags(entry: ModelVersion) -> dict[str, str]:
    """The tags of a version in the store, our own among them."""
    scores = json.dumps(dict(entry.scores))
    return {**entry.tags, JOB_ID: entry.job_id, DIGEST: entry.digest, SCORES: scores}


def _all_versions(client: MlflowClient, name: str) -> list[Any]:
    entries: list[Any] = []
    token: str | None = None
    while True:
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        entries.extend(page)
        token = page.token
        if not token:
            return entries
