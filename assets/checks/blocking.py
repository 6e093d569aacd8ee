"""Checks that an asset makes itself: where one fails, nothing that follows is made."""

import dagster as dg

from assets.metadata import table_preview
from bikecast.core.output_type import OutputType
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake
from resources.lake.tables import blocks_of, open_table
from resources.registry.port import Registry
from resources.scoring.port import Scored, Way

#: Largest relative difference between PREDICT and ONNX Runtime: both compute in float32.
PARITY = 1e-5
TABLE_CONTRACT = "keeps_the_contract"
GOLDEN_ROWS = "predict_equals_onnx_runtime"
_WAYS: dict[Way, str] = {"predict": "PREDICT", "spark": "Spark"}


def table_contract_spec(spec: ModelSpec) -> dg.AssetCheckSpec:
    """The check that the training table's asset makes itself, so that it stops the training.

    A check beside the asset could not: Dagster warns of one that has no result, which is so
    whenever a Spark pool still makes the table.
    """
    return dg.AssetCheckSpec(
        TABLE_CONTRACT,
        asset=spec.training_table,
        description="Schema, number of rows, missing values, unique keys, codes and ranges. "
        "A failure stops the training.",
        blocking=True,
    )


def table_contract(spec: ModelSpec, lake: Lake) -> dg.AssetCheckResult:
    """Check the training table as it is in the lake."""
    from assets.checks.table_contract import contract_problems

    table = open_table(lake, spec.training_table_path)
    problems = contract_problems(table.schema, blocks_of(table), spec)
    return dg.AssetCheckResult(
        passed=not problems,
        check_name=TABLE_CONTRACT,
        asset_key=dg.AssetKey(spec.training_table),
        severity=dg.AssetCheckSeverity.ERROR,
        description="\n".join(f"{p['column']}: {p['problem']}" for p in problems) or None,
        metadata={
            "rows": table.count_rows(),
            "problems": dg.MetadataValue.md(table_preview(problems, limit=50)),
        },
    )


def golden_rows_spec(spec: ModelSpec) -> dg.AssetCheckSpec:
    """The check that the predictions asset makes itself, before it stores anything."""
    return dg.AssetCheckSpec(
        GOLDEN_ROWS,
        asset=spec.predictions_table,
        description="What scores (PREDICT, or Spark) and ONNX Runtime on the live model of the "
        "registry give the same scores. A failure stores nothing. (The exporter compares ONNX "
        "Runtime with the native model before a model is registered.)",
        blocking=True,
    )


def golden_rows(spec: ModelSpec, registry: Registry, scored: Scored) -> dg.AssetCheckResult:
    """Score the rows by ONNX Runtime here too, and compare."""
    import numpy as np
    import pyarrow as pa

    from bikecast.core.onnx.scoring import score_table
    from bikecast.core.sql_types import arrow_schema

    rows, way = scored.rows, _WAYS[scored.way]
    if not rows:
        return dg.AssetCheckResult(
            passed=True,
            check_name=GOLDEN_ROWS,
            asset_key=dg.AssetKey(spec.predictions_table),
            description="too few rows to tell: none was scored",
        )
    scores = np.array([float(str(row[spec.output])) for row in rows])
    features = pa.Table.from_pylist(
        [{name: row[name] for name in spec.feature_names} for row in rows],
        schema=arrow_schema(spec.features),
    )
    model = registry.download(spec.model_name, scored.model_version)
    expected = score_table(model, spec, features)
    scale = float(np.abs(expected).max()) or 1.0
    rounding = OutputType(spec.output_type).rounding
    difference = max(0.0, float(np.max(np.abs(scores - expected))) - rounding) / scale
    passed = difference <= PARITY
    preview = [
        {"forecast_row": row["forecast_row"], way: a, "ONNX Runtime": b}
        for row, a, b in zip(rows, scores.tolist(), expected.tolist(), strict=True)
    ]
    problem = f"{way} differs from ONNX Runtime by {difference:.2g} (relative)"
    return dg.AssetCheckResult(
        passed=passed,
        check_name=GOLDEN_ROWS,
        asset_key=dg.AssetKey(spec.predictions_table),
        severity=dg.AssetCheckSeverity.ERROR,
        description=None if passed else problem,
        metadata={
            "difference": difference,
            "rows": dg.MetadataValue.md(table_preview(preview, limit=10)),
        },
    )
