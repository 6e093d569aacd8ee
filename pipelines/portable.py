"""A registered version as one file: from one installation to another."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.core.files import replaced_file
from bikecast.core.onnx.contract import inspect_model, model_digest

if TYPE_CHECKING:
    import dagster as dg

    from bikecast.core.spec import ModelSpec
    from pipelines.environments import Resources
    from resources.registry.port import ModelVersion

FORMAT = 1
_MODEL, _FACTS, _CARD, _SCORES = "model.onnx", "version.json", "model-card.md", "scores.json"
#: No model of ours is larger; a damaged or hostile archive may claim anything.
_MOST_BYTES = 1_000_000_000


@dataclass(frozen=True)
class PortableVersion:
    """What a file holds: the model's bytes, and the facts beside them."""

    model: bytes
    facts: Mapping[str, Any]


def export_version(resources: Resources, spec: ModelSpec, entry: ModelVersion, path: Path) -> None:
    """Write a version to a file, in one step. Raises BikecastError where its bytes are wrong."""
    model = resources.registry.download(spec.model_name, entry.version)
    if model_digest(model) != entry.digest:
        raise BikecastError(
            f"{spec.model_name} version {entry.version}: the model's bytes do not have the digest "
            f"{entry.digest}. Nothing was written."
        )
    facts = {
        "format": FORMAT,
        "model": spec.model_name,
        "version": entry.version,
        "digest": entry.digest,
        "job_id": entry.job_id,
        "scores": dict(entry.scores),
        "tags": dict(entry.tags),
        "created": entry.created_at.isoformat(),
    }
    with replaced_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr(_FACTS, json.dumps(facts, indent=1, ensure_ascii=False))
        archive.writestr(_MODEL, model)
        with suppress(BikecastError):  # an old job's folder may be gone; the model needs it no more
            folder = resources.automl.result(entry.job_id).model_path.parent
            for name in (_CARD, _SCORES):
                if (folder / name).is_file():
                    archive.write(folder / name, name)


def exported(resources: Resources, spec: ModelSpec, version: int | None) -> ModelVersion:
    """The version to export; None is the live one, as the registry's alias has it.

    Raises InvalidInput where there is no such version.
    """
    from assets.live_model.live_model import ALIAS

    versions = resources.registry.versions(spec.model_name)
    for entry in versions:
        if entry.version == version or (version is None and ALIAS in entry.aliases):
            return entry
    there = ", ".join(str(entry.version) for entry in versions) or "none"
    wanted = "a live version" if version is None else f"version {version}"
    raise InvalidInput(f"{spec.name} does not have {wanted}; it has {there}. Nothing was written.")


def read_version(path: Path) -> PortableVersion:
    """Read a file that `export_version` wrote. Raises InvalidInput for any other one."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in (_FACTS, _MODEL):
                if archive.getinfo(name).file_size > _MOST_BYTES:
                    raise ValueError(f"{name} is too large")
            facts = json.loads(archive.read(_FACTS))
            model = archive.read(_MODEL)
        if facts["format"] != FORMAT:
            raise ValueError(f"it has format {facts['format']}, not {FORMAT}")
        if model_digest(model) != facts["digest"]:
            raise ValueError("the model's bytes do not have its digest")
        scores = {str(name): float(value) for name, value in facts["scores"].items()}
        tags = {str(name): str(value) for name, value in facts["tags"].items()}
        facts = {**facts, "scores": scores, "tags": tags, "job_id": str(facts["job_id"])}
    except (
        OSError,
        zipfile.BadZipFile,
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
    ) as error:
        raise InvalidInput(
            f"{path} is no exported version: {error}. Nothing was registered. Make one: "
            "bikecast models export NAME"
        ) from error
    return PortableVersion(model, facts)


def import_version(
    instance: dg.DagsterInstance, resources: Resources, spec: ModelSpec, path: Path
) -> tuple[int, bool]:
    """Register the version of a file, a candidate like any other; returns its number, and whether
    it is new.

    The event log tells of it, so the next promotion compares it with the live version. The same
    file twice is one version. Raises InvalidInput where the file does not fit the model.
    """
    import dagster as dg

    from assets.events import DATA_VERSION_TAG

    portable = read_version(path)
    signature = inspect_model(portable.model)
    inputs = {tensor.name for tensor in signature.inputs}
    if unknown := sorted(inputs - set(spec.feature_names)):
        raise InvalidInput(
            f"The model in {path} asks for {', '.join(unknown)}, which {spec.name} does not have. "
            "Nothing was registered."
        )
    if spec.output not in {tensor.name for tensor in signature.outputs}:
        raise InvalidInput(
            f"The model in {path} has no output {spec.output}. Nothing was registered."
        )
    facts = portable.facts
    before = {entry.version for entry in resources.registry.versions(spec.model_name)}
    with TemporaryDirectory(prefix="bikecast-") as folder:
        file = Path(folder) / _MODEL
        file.write_bytes(portable.model)
        entry = resources.registry.register(
            spec.model_name,
            file,
            # Not the job's own id: the same training here may have made other bytes.
            job_id=f"imported-{facts['digest'][:16]}",
            digest=facts["digest"],
            scores=facts["scores"],
            tags={
                **facts["tags"],
                "imported_from": f"{facts['model']} version {facts['version']}",
                "imported_job": facts["job_id"],
            },
        )
    is_new = entry.version not in before
    if is_new:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                spec.model_table,
                description=f"Imported: {facts['model']} version {facts['version']}",
                metadata={"version": entry.version, "job_id": entry.job_id, "digest": entry.digest},
                tags={DATA_VERSION_TAG: entry.digest},
            )
        )
    return entry.version, is_new
