"""Column lineage, from the CSV to the predictions, as Dagster's UI shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg

from bikecast.core.spec import Column, ModelSpec

KEY = "dagster/column_lineage"


def copied(upstream: str, names: Iterable[str]) -> dg.TableColumnLineage:
    """Each column comes from the one of the same name."""
    return _lineage({name: [(upstream, name)] for name in names})


def loaded(spec: ModelSpec, file: str) -> dg.TableColumnLineage:
    """The rows to score from their file, which is read by the features' names."""
    columns = zip(spec.scored_columns[1:], (*spec.keys, *spec.features), strict=True)
    return _lineage({column.name: [(file, source.name)] for column, source in columns})


def predicted(
    spec: ModelSpec, scored: str, scored_columns: Iterable[Column]
) -> dg.TableColumnLineage:
    """Carried columns from those of the scored asset, in order; the prediction from all features
    and the model."""
    names = [column.name for column in scored_columns]
    carried = ("forecast_row", *spec.key_names, *spec.feature_names)
    columns = {name: [(scored, source)] for name, source in zip(carried, names, strict=True)}
    model = f"{spec.model_table}_table"
    features = names[-len(spec.features) :]
    columns[spec.output] = [*((scored, name) for name in features), (model, "model")]
    columns["model_version"] = [(model, "version")]
    columns["model_digest"] = [(model, "digest")]
    return _lineage(columns)


def trained(spec: ModelSpec) -> dg.TableColumnLineage:
    """The model comes from the features and the target of the training table."""
    names = (*spec.feature_names, spec.target.name)
    return _lineage({"model": [(spec.training_table, name) for name in names]})


def _lineage(columns: Mapping[str, list[tuple[str, str]]]) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(dg.AssetKey(asset), column) for asset, column in sources]
            for name, sources in columns.items()
        }
    )
