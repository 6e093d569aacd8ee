"""Column lineage, from the CSV to the predictions, as Dagster's UI shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg

from bikecast.core.spec import ModelSpec

KEY = "dagster/column_lineage"


def copied(upstream: str, names: Iterable[str]) -> dg.TableColumnLineage:
    """Each column comes from the one of the same name."""
    return _lineage({name: [(upstream, name)] for name in names})


def predicted(spec: ModelSpec, scored: str) -> dg.TableColumnLineage:
    """Carried columns from the scored asset; the prediction from all features and the model."""
    carried = ("forecast_row", *spec.key_names, *spec.feature_names)
    columns = {name: [(scored, name)] for name in carried}
    model = f"{spec.model_table}_table"
    columns[spec.output] = [*((scored, name) for name in spec.feature_names), (model, "model")]
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
