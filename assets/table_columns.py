"""Tables as Dagster shows them: every column with its SQL type and a description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg

from bikecast.core.spec import FORECAST_ROW, Column, ModelSpec

#: What a prediction says of its origin, and what the model table has.
_OF_THE_POOL = {
    FORECAST_ROW.name: FORECAST_ROW.description,
    "model_version": "Version of the model that made the prediction",
    "model_digest": "SHA-256 of that version's ONNX file",
    "data_version": "Data version of the table that it was trained on",
    "code_version": "Version of the code that trained it",
    "run_id": "Dagster run that made the prediction",
    "predicted_at": "When the prediction was made, in UTC",
    "version": "Number of the version, from 1",
    "is_live": "1 for the version that PREDICT scores with",
    "digest": "SHA-256 of the version's ONNX file",
    "job_id": "Training job that made the version",
    "published_at": "When the version came into the pool, in UTC",
    "actor": "Who made it live, or was the last to",
    "reason": "Why it became live, or did not",
}


def column_schema(columns: Sequence[Column], spec: ModelSpec) -> dg.TableSchema:
    """The columns as Dagster's table schema; one without a description is named by its role."""
    words = _descriptions(spec)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=column.sql_declaration,
                description=column.description or words.get(column.name),
            )
            for column in columns
        ]
    )


def typed_schema(types: Mapping[str, str], spec: ModelSpec) -> dg.TableSchema:
    """Columns by name and SQL type as Dagster's table schema."""
    words = _descriptions(spec)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, type=sql_type, description=words.get(name))
            for name, sql_type in types.items()
        ]
    )


def _descriptions(spec: ModelSpec) -> dict[str, str]:
    """A description for every name that the tables of a model may have."""
    roles = {
        "Feature of the model": spec.features,
        "The target": (spec.target,),
        "Key, carried along": spec.keys,
    }
    own = {
        column.name: column.description or role for role, group in roles.items() for column in group
    }
    scored = {spec.inputs.get(name, name): own[name] for name in spec.feature_names}
    output = {spec.output: f"The prediction of {spec.target.name}"}
    return {**_OF_THE_POOL, **scored, **own, **output}
