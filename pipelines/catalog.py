"""What the code defines: models, assets and switches, kept in the home until the code changes.

Dagster makes them in a second or two, most of it its own import. Commands that only look take
them from here: the same files of the project, models and libraries define the same.
"""

from __future__ import annotations

import hashlib
import json
import sys
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from bikecast.core.code_version import code_version
from bikecast.core.errors import BikecastError
from bikecast.core.files import replaced_file
from bikecast.core.spec_json import spec_from_json, spec_to_json
from pipelines import model_files
from pipelines.home import Home
from pipelines.models import Model
from pipelines.settings import Settings

T = TypeVar("T")

#: The rooms of the project.
_CODE = ("bikecast", "resources", "assets", "pipelines")


@dataclass(frozen=True)
class AssetFacts:
    """An asset by its name, with the hours after which it is late, and after which nearly so."""

    name: str
    late_hours: float | None
    warning_hours: float | None


@dataclass(frozen=True)
class Switch:
    """A sensor or a schedule, and whether it is on where nobody switched it."""

    kind: str
    name: str
    on: bool


@dataclass(frozen=True)
class Definitions:
    """The assets, in the order of the lineage, and the switches."""

    assets: tuple[AssetFacts, ...]
    switches: tuple[Switch, ...]


def code_stamp() -> str:
    """A digest of the project's code, its models' files and the libraries that are installed."""
    libraries = Path(sysconfig.get_paths()["purelib"])
    digest = hashlib.sha256(code_version(*_CODE).encode())
    for path in sorted(model_files.DEFS.glob("*/*")):
        if path.is_file():
            digest.update(f"{path}\0".encode() + path.read_bytes())
    installed = sorted(path.name for path in libraries.glob("*.dist-info"))
    digest.update(repr((sys.version, installed)).encode())
    return digest.hexdigest()


def kept_models(home: Home) -> tuple[Model, ...]:
    """What `load_models` returns. Raises InvalidInput as it does."""
    return _kept(
        home.root / "models.json",
        code_stamp(),
        model_files.load_models,
        lambda models: [_model_to_json(model) for model in models],
        lambda values: tuple(_model_from_json(value) for value in values),
    )


def kept_definitions(home: Home, settings: Settings, models: tuple[Model, ...]) -> Definitions:
    """What `build_definitions` of these settings and models defines."""

    def make() -> Definitions:
        from pipelines.build import build_definitions
        from pipelines.environments import resources_for

        return definitions_of(build_definitions(settings, resources_for(settings, models), models))

    # Secrets are masked, and decide no name.
    stamp = hashlib.sha256(f"{code_stamp()} {settings!r}".encode()).hexdigest()
    return _kept(home.root / "definitions.json", stamp, make, asdict, _definitions_from_json)


def definitions_of(defs: Any) -> Definitions:
    """The facts of Dagster's Definitions."""
    graph, repository = defs.resolve_asset_graph(), defs.get_repository_def()
    assets = []
    for key in graph.toposorted_asset_keys:
        policy = graph.get(key).freshness_policy
        windows = (_hours(policy, name) for name in ("fail_window", "warn_window"))
        assets.append(AssetFacts(key.to_user_string(), *windows))
    switches = tuple(
        Switch(kind, item.name, item.default_status.value == "RUNNING")
        for kind, items in (
            ("sensor", repository.sensor_defs),
            ("schedule", repository.schedule_defs),
        )
        for item in items
    )
    return Definitions(tuple(assets), switches)


def _hours(policy: Any, window: str) -> float | None:
    """The length of a policy's window; None where it has no such window."""
    length = getattr(policy, window, None)
    return length.to_timedelta().total_seconds() / 3600 if length else None


def _kept(
    file: Path,
    stamp: str,
    make: Callable[[], T],
    to_json: Callable[[T], Any],
    from_json: Callable[[Any], T],
) -> T:
    """What `make` returns; not called where the file has it of this stamp.

    A file that cannot be read or written costs the making, nothing else.
    """
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored["stamp"] == stamp:
            return from_json(stored["value"])
    value = make()
    if not file.parent.is_dir():
        return value
    with suppress(OSError, BikecastError, ValueError, TypeError):
        text = json.dumps({"stamp": stamp, "value": to_json(value)})
        if from_json(json.loads(text)["value"]) == value:
            with replaced_file(file) as temporary:
                temporary.write_text(text, encoding="utf-8")
    return value


def _model_to_json(model: Model) -> dict[str, Any]:
    from pipelines.sample.samples import SAMPLES

    generated = tuple(model.samples.values())
    sample = next((name for name, made in SAMPLES.items() if made == generated), None)
    spec = spec_to_json(model.spec)
    return {"spec": spec, "csv": model.csv, "forecast": model.forecast, "sample": sample}


def _model_from_json(value: Any) -> Model:
    from pipelines.sample.samples import SAMPLES

    spec = spec_from_json(value["spec"])
    files = (spec.source_file, spec.scoring_file)
    samples = dict(zip(files, SAMPLES.get(value["sample"] or "", ()), strict=False))
    return Model(spec, value["csv"], value["forecast"], samples)


def _definitions_from_json(value: Any) -> Definitions:
    return Definitions(
        tuple(AssetFacts(**each) for each in value["assets"]),
        tuple(Switch(**each) for each in value["switches"]),
    )
