"""The model registry of an Azure ML workspace."""

from __future__ import annotations

import json
import logging
import re
import tempfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource

from bikecast.core.errors import BikecastError, ModelRejected, first_line
from bikecast.core.onnx.contract import model_digest, unchanged_model
from resources.azure.ml_client import workspace_client
from resources.registry.port import DIGEST, JOB_ID, SCORES, ModelVersion, no_own_tags, numbered

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

#: The tag of an alias holds the time at which it was set: where two versions have one, the later
#: counts, so that moving an alias is one write.
ALIAS = "bikecast.alias."

#: So often a number is tried that somebody else takes at the same moment.
ATTEMPTS = 3

_log = logging.getLogger(__name__)
_registering = threading.Lock()


class AzureMlRegistry(ConfigurableResource):
    """Model versions in Azure ML; implements the port Registry.

    Job, digest, scores and aliases are tags of a version. The file is uploaded to the workspace's
    own blob store. Two processes that register one job at the same moment may make two
    versions: the older one counts and the other is archived.

    Azure ML's versions are any text. Ours are numbers, one above the highest that is there,
    whatever others have registered beside them; the pool's tables keep them as int. A version of
    ours that somebody gave another name is left out with a warning.
    """

    subscription_id: str
    resource_group: str
    workspace: str

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
        cannot be read or where a tag is not allowed, and BikecastError where Azure ML refuses the
        model.
        """
        no_own_tags(tags)
        unchanged_model(model_path, job_id=job_id, digest=digest)
        own = {JOB_ID: job_id, DIGEST: digest, SCORES: json.dumps(dict(scores))}
        with _registering:
            registered = self._of_job(name, job_id)
            if not registered:
                self._create(name, model_path, {**tags, **own})
                registered = self._of_job(name, job_id)
        if not registered:
            raise BikecastError(
                f"Azure ML took the model of {job_id} but does not list it yet; run again"
            )
        first, *twins = reversed(registered)
        for twin in twins:
            self._client.models.archive(name, version=str(twin.version))
        return first

    def versions(self, name: str) -> list[ModelVersion]:
        """All versions that are not archived, newest first; empty where the model is unknown."""
        models, others = _numbered(self._models(name))
        ours = {number: model for number, model in models.items() if JOB_ID in (model.tags or {})}
        for model in others:
            if JOB_ID in (model.tags or {}):
                _log.warning(
                    "version %s of %s is no number from 1 on, so it is left out; register its file "
                    "again without naming a version",
                    model.version,
                    name,
                )
        holders = {alias: number for alias, (_, number) in _alias_holders(models).items()}
        versions = [self._version(name, number, model, holders) for number, model in ours.items()]
        return sorted(versions, key=lambda entry: (entry.created_at, entry.version), reverse=True)

    def download(self, name: str, version: int) -> bytes:
        """The ONNX file of a version.

        Raises InvalidInput where there is no such version, and ModelRejected where the stored
        file is missing or no longer matches its digest.
        """
        digest = numbered(self.versions(name), name, version).digest
        with tempfile.TemporaryDirectory(prefix="bikecast-") as folder:
            self._client.models.download(name, str(version), download_path=folder)
            files = [path for path in Path(folder).rglob("*") if path.is_file()]
            if len(files) != 1:
                raise ModelRejected(
                    f"{name} version {version} has {len(files)} files in Azure ML instead of one"
                )
            data = files[0].read_bytes()
        if model_digest(data) != digest:
            raise ModelRejected(
                f"the file of {name} version {version} no longer matches its digest: it was "
                "changed or is damaged. Train again."
            )
        return data

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias such as `champion` at a version; the version it had loses it.

        Raises InvalidInput where there is no such version.
        """
        if alias in numbered(self.versions(name), name, version).aliases:
            return
        tag = f"{ALIAS}{alias}"
        models, _ = _numbered(self._models(name))
        self._tag(models[version], {tag: datetime.now(UTC).isoformat()}, without=())
        for number, model in models.items():
            if number != version and tag in (model.tags or {}):
                self._tag(model, {}, without=(tag,))

    @property
    def _client(self) -> MLClient:
        return workspace_client(self.subscription_id, self.resource_group, self.workspace)

    def _models(self, name: str, *, archived: bool = False) -> list[Any]:
        from azure.ai.ml.constants import ListViewType
        from azure.core.exceptions import ResourceNotFoundError

        view = ListViewType.ALL if archived else ListViewType.ACTIVE_ONLY
        try:
            return list(self._client.models.list(name=name, list_view_type=view))
        except ResourceNotFoundError:
            return []

    def _of_job(self, name: str, job_id: str) -> list[ModelVersion]:
        return [entry for entry in self.versions(name) if entry.job_id == job_id]

    def _create(self, name: str, model_path: Path, tags: Mapping[str, str]) -> None:
        """Register the file under the next number; somebody who takes it meanwhile is no error."""
        from azure.ai.ml.entities import Model
        from azure.ai.ml.exceptions import AssetPathException
        from azure.core.exceptions import AzureError, ResourceExistsError

        for _ in range(ATTEMPTS):
            numbers, _others = _numbered(self._models(name, archived=True))
            model = Model(
                name=name,
                version=str(max(numbers, default=0) + 1),
                path=str(model_path),
                type="custom_model",
                tags=dict(tags),
            )
            try:
                self._client.models.create_or_update(model)
                return
            except (ResourceExistsError, AssetPathException):
                continue
            except AzureError as error:
                raise BikecastError(
                    f"Azure ML did not take {name}: {first_line(error)}. Nothing was registered."
                ) from error
        raise BikecastError(
            f"Azure ML did not take {name}: others took its number {ATTEMPTS} times. Nothing was "
            "registered; run again."
        )

    def _tag(self, model: Any, added: Mapping[str, str], *, without: tuple[str, ...]) -> None:
        kept = {name: text for name, text in (model.tags or {}).items() if name not in without}
        model.tags = {**kept, **added}
        self._client.models.create_or_update(model)

    def _version(
        self, name: str, number: int, model: Any, holders: Mapping[str, int]
    ) -> ModelVersion:
        tags = dict(model.tags or {})
        own = (JOB_ID, DIGEST, SCORES)
        return ModelVersion(
            name=name,
            version=number,
            job_id=tags[JOB_ID],
            digest=tags.get(DIGEST, ""),
            created_at=_utc(model.creation_context.created_at),
            scores=json.loads(tags.get(SCORES, "{}")),
            tags={k: v for k, v in tags.items() if k not in own and not k.startswith(ALIAS)},
            link=(
                f"https://ml.azure.com/model/{name}:{number}/details?wsid=/subscriptions/"
                f"{self.subscription_id}/resourceGroups/{self.resource_group}/providers/"
                f"Microsoft.MachineLearningServices/workspaces/{self.workspace}"
            ),
            aliases=tuple(sorted(alias for alias, holder in holders.items() if holder == number)),
        )


def _numbered(models: list[Any]) -> tuple[dict[int, Any], list[Any]]:
    """The models whose version is a number as we write it, by that number, and all others."""
    numbered_models: dict[int, Any] = {}
    others = []
    for model in models:
        version = str(model.version)
        if re.fullmatch(r"[1-9][0-9]{0,8}", version):
            numbered_models[int(version)] = model
        else:
            others.append(model)
    return numbered_models, others


def _alias_holders(models: Mapping[int, Any]) -> dict[str, tuple[str, int]]:
    """Time and version of each alias: the latest setting counts."""
    holders: dict[str, tuple[str, int]] = {}
    for number, model in models.items():
        for tag, when in (model.tags or {}).items():
            if tag.startswith(ALIAS):
                alias, entry = tag.removeprefix(ALIAS), (str(when), number)
                holders[alias] = max(holders.get(alias, entry), entry)
    return holders


def _utc(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
