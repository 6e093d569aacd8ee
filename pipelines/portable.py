"""A registered version as one file: from one installation to another."""

from __future__ import annotations

import json
import lzma
import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bikecast.core.errors import BikecastError, InvalidInput, first_line
from bikecast.core.files import replaced_file
from bikecast.core.onnx.contract import MAX_MODEL_BYTES, inspect_model, model_digest
from resources.registry.port import OWN

if TYPE_CHECKING:
    import dagster as dg

    from bikecast.core.spec import Column, ModelSpec
    from pipelines.environments import Resources
    from resources.registry.port import ModelVersion

FORMAT = 1
_MODEL, _FACTS, _CARD, _SCORES = "model.onnx", "version.json", "model-card.md", "scores.json"
#: What a file may have of each; a damaged or hostile archive may claim anything.
_MOST_BYTES = {_FACTS: 1_000_000, _MODEL: MAX_MODEL_BYTES}
_KEYS = ("model", "version", "digest", "job_id", "scores", "tags")
_TAG, _LONGEST_TAG = re.compile(r"[\w. -]{1,100}"), 1000


@dataclass(frozen=True)
class PortableVersion:
    """What a file holds: the model's bytes, and the facts beside them.

    The digest protects against damage, not against somebody who changes both.
    """

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
    start = "" if versions else f" Start with: bikecast run --model {spec.name}"
    raise InvalidInput(
        f"{spec.name} does not have {wanted}; it has {there}. Nothing was written.{start}"
    )


def read_version(path: Path) -> PortableVersion:
    """Read a file that `export_version` wrote. Raises InvalidInput for any other one."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name, most in _MOST_BYTES.items():
                if archive.getinfo(name).file_size > most:
                    raise ValueError(f"{name} is too large")
            facts = json.loads(archive.read(_FACTS))
            model = archive.read(_MODEL)
        if facts["format"] != FORMAT:
            raise ValueError(f"it has format {facts['format']}, not {FORMAT}")
        if missing := [key for key in _KEYS if key not in facts]:
            raise ValueError(f"{_FACTS} lacks {', '.join(missing)}")
        if model_digest(model) != facts["digest"]:
            raise ValueError("the model's bytes do not have its digest")
        facts = {
            **facts,
            **{name: str(facts[name])[:_LONGEST_TAG] for name in ("model", "version", "job_id")},
            "scores": {str(name): _finite(value) for name, value in facts["scores"].items()},
            "tags": _tags(facts["tags"]),
        }
    except (
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        RuntimeError,  # encrypted, an unknown compression, or JSON that is too deep
        ArithmeticError,
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


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"a score is {number}")
    return number


def _tags(tags: Mapping[str, Any]) -> dict[str, str]:
    """The tags without those that a registry makes itself, such as the live version's."""
    texts = {name: str(value) for name, value in tags.items() if not name.startswith(OWN)}
    for name, text in texts.items():
        if not _TAG.fullmatch(name) or len(text) > _LONGEST_TAG:
            raise ValueError("a tag has a name or text that is not allowed")
    return texts


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
    if spec.model_output not in {tensor.name for tensor in signature.outputs}:
        raise InvalidInput(
            f"The model in {path} has no output {spec.model_output}, which predict.model_output in "
            "the model's file says. Nothing was registered."
        )
    _score_one_row(portable.model, spec, path)
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
    if not _is_reported(instance, spec.model_table, entry):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                spec.model_table,
                description=f"Imported: {facts['model']} version {facts['version']}",
                metadata={"version": entry.version, "job_id": entry.job_id, "digest": entry.digest},
                tags={DATA_VERSION_TAG: entry.digest},
            )
        )
    return entry.version, entry.version not in before


def _score_one_row(model: bytes, spec: ModelSpec, path: Path) -> None:
    """Raise InvalidInput for a model that cannot be loaded or cannot score a row of the spec."""
    import pyarrow as pa

    from bikecast.core.onnx.scoring import score_table
    from bikecast.core.sql_types import arrow_schema

    row = {column.name: _value(column) for column in spec.features}
    try:
        score_table(model, spec, pa.Table.from_pylist([row], arrow_schema(spec.features)))
    except Exception as error:  # ONNX Runtime has no base class of its errors
        raise InvalidInput(
            f"The model in {path} cannot score a row of {spec.name}: {first_line(error)}. Nothing "
            "was registered."
        ) from error


def _value(column: Column) -> object:
    """A valid value of a feature."""
    if column.codes:
        return column.codes[0]
    if column.sql_type == "varchar":
        return ""
    number = column.minimum if column.minimum is not None else min(0.0, column.maximum or 0.0)
    return math.ceil(number) if column.sql_type in ("int", "bigint") else number


def _is_reported(instance: dg.DagsterInstance, table: str, entry: ModelVersion) -> bool:
    """Whether the event log has a version: a process may end between registry and log."""
    import dagster as dg

    from assets.events import DATA_VERSION_TAG

    records = instance.fetch_materializations(dg.AssetKey(table), limit=1000).records
    return any(
        event.metadata.get("version") == dg.MetadataValue.int(entry.version)
        and (event.tags or {}).get(DATA_VERSION_TAG) == entry.digest
        for record in records
        if (event := record.asset_materialization)
    )
