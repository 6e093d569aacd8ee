"""A ModelSpec as JSON and back, so that another process trains by the same spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from bikecast.core.operations import Freshness, Schedules, Thresholds
from bikecast.core.spec import Column, ModelSpec, TrainingSettings

_PARTS = {
    "training": TrainingSettings,
    "schedules": Schedules,
    "freshness": Freshness,
    "thresholds": Thresholds,
}


def spec_to_json(spec: ModelSpec) -> dict[str, Any]:
    """The spec as JSON-serializable data.

    Words for codes become lists of pairs, because a JSON object has only text keys.
    """
    data = asdict(spec)
    if not spec.columns:
        del data["columns"]  # a spec without them is what it was before there were any
    if not spec.training.max_rows:
        del data["training"]["max_rows"]
    for name, value in _before(data).items():
        if data[name] == value:
            del data[name]
    data["labels"] = {name: list(words.items()) for name, words in spec.labels.items()}
    return data


def spec_from_json(data: Mapping[str, Any]) -> ModelSpec:
    """The spec that `spec_to_json` wrote; equal to the original.

    Raises TypeError or ValueError where the data is not a spec of this version.
    """
    values = _before(data) | dict(data)
    values["features"] = tuple(_column(column) for column in data["features"])
    values["target"] = _column(data["target"])
    values["keys"] = tuple(_column(column) for column in data["keys"])
    # A job of an earlier version has only the parts that there were.
    for name in _PARTS.keys() & data.keys():
        values[name] = _PARTS[name](**_tuples(_PARTS[name], data[name]))
    values["labels"] = {name: dict(words) for name, words in data["labels"].items()}
    return ModelSpec(**_tuples(ModelSpec, values))


def _before(data: Mapping[str, Any]) -> dict[str, Any]:
    """What fields mean that a spec of the version before does not have."""
    return {"inputs": {}, "output_type": "real", "model_output": data["output"]}


def _column(data: Mapping[str, Any]) -> Column:
    return Column(**_tuples(Column, data))


def _tuples(class_: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with a tuple for each list; fields named here are those of `class_`."""
    unknown = sorted(set(data) - {field.name for field in fields(class_)})
    if unknown:
        raise ValueError(f"{class_.__name__} has no fields {', '.join(unknown)}")
    return {name: tuple(v) if isinstance(v, list) else v for name, v in data.items()}
