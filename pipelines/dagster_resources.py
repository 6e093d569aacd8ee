"""Adapters as Dagster's resources, so that the UI shows their type and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import dagster as dg
from pydantic import create_model

from resources.adapter import Adapter


class _AdapterResource(dg.ConfigurableResource):
    """Hands an adapter of its own fields to assets and sensors."""

    adapter: ClassVar[type[Adapter]]

    def create_resource(self, context: dg.InitResourceContext) -> Adapter:  # noqa: ARG002
        """The adapter of these settings."""
        return self.adapter(**{name: getattr(self, name) for name in self.adapter.model_fields})


def dagster_resources(resources: Mapping[str, object]) -> dict[str, object]:
    """The same resources by the same names; what is no Adapter stays as it is."""
    return {
        name: _resource(value) if isinstance(value, Adapter) else value
        for name, value in resources.items()
    }


def _resource(adapter: Adapter) -> dg.ConfigurableResource:
    """A resource class with the fields, the name and the place of the adapter's class."""
    kind = type(adapter)
    fields: dict[str, Any] = {
        name: (field.annotation, field) for name, field in kind.model_fields.items()
    }
    made = create_model(
        kind.__name__,
        __base__=_AdapterResource,
        __doc__=kind.__doc__,
        __module__=kind.__module__,
        **fields,
    )
    made.adapter = kind
    return made(**adapter.model_dump())
