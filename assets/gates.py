"""Checks of tables, model and predictions, with a table and a plot; some stop what follows."""

from dataclasses import asdict

import dagster as dg

from assets.metadata import picture, table_preview
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake
from resources.registry.port import Registry
from resources.scoring.port import Scored, Way
from resources.sql_pool.port import SqlPool

#: Largest relative difference between PREDICT and ONNX Runtime: both compute in float32.
PARITY = 1e-5
TABLE_CONTRACT = "keeps_the_contract"
GOLDEN_ROWS = "predict_equals_onnx_runtime"
_WAYS: dict[Way, str] = {"predict": "PREDICT", "spark": "Spark"}
DRIFT, PLAUSIBLE = "no_drift", "are_plausible"
#: Metadata of the check on predictions: the version that made them.
MODEL_VERSION = "model_version"
#: A prediction this many times the largest known target is not believed.
FAR_ABOVE = 3.0


def gate_checks(spec: ModelSpec) -> list[dg.AssetChecksDefinition]:
    """The checks of a spec beyond its findings."""
    return [
        _forecast_drift(spec),
        _champion(spec),
        _plausible(spec),
    ]


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
    from resources.lake.table_contract import contract_problems
    from resources.lake.tables import read_table

    table = read_table(lake, spec.training_table_path)
    problems = contract_problems(table, spec)
    return dg.AssetCheckResult(
        passed=not problems,
        check_name=TABLE_CONTRACT,
        asset_key=dg.AssetKey(spec.training_table),
        severity=dg.AssetCheckSeverity.ERROR,
        description="\n".join(f"{p['column']}: {p['problem']}" for p in problems) or None,
        metadata={
            "rows": table.num_rows,
            "problems": dg.MetadataValue.md(table_preview(problems, limit=50)),
        },
    )


def _forecast_drift(spec: ModelSpec) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=spec.scoring_table,
        name=DRIFT,
        additional_deps=[spec.training_table],
        description="Features of the rows to score against the training data of the same time "
        "of the year: population stability index and Kolmogorov-Smirnov test.",
    )
    def no_drift(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        from assets.plots import bars_plot
        from resources.lake.drift import DriftLimits, feature_drift, same_season
        from resources.lake.scoring_rows import read_scoring_rows
        from resources.lake.tables import read_table_if_any

        limits = DriftLimits()
        names = (*spec.key_names, *spec.feature_names)
        training = read_table_if_any(lake, spec.training_table_path, names)
        if training is None:
            return nothing_to_compare(spec)
        scoring = read_scoring_rows(lake, spec).table
        compared = same_season(training, scoring, spec, limits)
        found = feature_drift(compared, scoring, spec, limits)
        if not found:
            return dg.AssetCheckResult(
                passed=True,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"{scoring.num_rows} rows: too few to tell, from {limits.min_rows} on",
            )
        drifted = [each.feature for each in found if each.drifted]
        values = {each.feature: each.psi for each in found}
        plot = bars_plot("Stability index against the training data", values, limits.psi)
        said = f"{spec.scoring_table} differs from the training data in {', '.join(drifted)}"
        return dg.AssetCheckResult(
            passed=not drifted,
            severity=dg.AssetCheckSeverity.WARN,
            description=said if drifted else None,
            metadata={
                "compared_rows": compared.num_rows,
                "drift": dg.MetadataValue.md(
                    table_preview([asdict(each) for each in found], limit=200)
                ),
                "plot": picture(plot, "Drift"),
            },
        )

    return no_drift


def _champion(spec: ModelSpec) -> dg.AssetChecksDefinition:
    asset = f"{spec.model_table}_table"

    @dg.asset_check(
        asset=asset,
        name="newest_version_is_live",
        description="Whether the candidate of the last run became the live version; else why not.",
    )
    def newest_version_is_live(
        context: dg.AssetCheckExecutionContext,
    ) -> dg.AssetCheckResult:
        from assets.events import latest_metadata

        live = latest_metadata(context.instance, asset, "version")
        candidate = latest_metadata(context.instance, asset, "candidate")
        reason = str(latest_metadata(context.instance, asset, "reason"))
        return dg.AssetCheckResult(
            passed=live == candidate,
            severity=dg.AssetCheckSeverity.WARN,
            description=reason if live == candidate else f"version {live} stays live: {reason}",
            metadata={"live": str(live), "candidate": str(candidate)},
        )

    return newest_version_is_live


def nothing_to_compare(spec: ModelSpec) -> dg.AssetCheckResult:
    """The result of a check of rows to score that are there before the training table is."""
    return dg.AssetCheckResult(
        passed=True,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"there is no {spec.training_table} yet to compare with",
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
            passed=True, check_name=GOLDEN_ROWS, asset_key=dg.AssetKey(spec.predictions_table)
        )
    table = pa.Table.from_pylist(
        [{name: row[name] for name in spec.feature_names} for row in rows],
        schema=arrow_schema(spec.features),
    )
    expected = score_table(registry.download(spec.model_name, scored.model_version), spec, table)
    found = np.array([float(str(row[spec.output])) for row in rows])
    scale = float(np.abs(expected).max()) or 1.0
    difference = float(np.max(np.abs(found - expected))) / scale
    passed = difference <= PARITY
    shown = [
        {"forecast_row": row["forecast_row"], way: a, "ONNX Runtime": b}
        for row, a, b in zip(rows, found.tolist(), expected.tolist(), strict=True)
    ]
    said = f"{way} differs from ONNX Runtime by {difference:.2g} (relative)"
    return dg.AssetCheckResult(
        passed=passed,
        check_name=GOLDEN_ROWS,
        asset_key=dg.AssetKey(spec.predictions_table),
        severity=dg.AssetCheckSeverity.ERROR,
        description=None if passed else said,
        metadata={
            "difference": difference,
            "rows": dg.MetadataValue.md(table_preview(shown, limit=10)),
        },
    )


def _plausible(spec: ModelSpec) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=spec.predictions_table,
        name=PLAUSIBLE,
        additional_deps=[spec.training_table],
        description="Predictions are finite, within bounds, and not all the same.",
    )
    def are_plausible(
        lake: dg.ResourceParam[Lake], sql_pool: dg.ResourceParam[SqlPool]
    ) -> dg.AssetCheckResult:
        import math

        import pyarrow.compute as pc

        from resources.lake.tables import read_table
        from resources.sql_pool.deployment import saved_predictions

        rows = saved_predictions(sql_pool, spec)
        known = read_table(lake, spec.training_table_path, [spec.target.name])[spec.target.name]
        highest = FAR_ABOVE * float(pc.max(known).as_py())
        lowest = spec.target.minimum if spec.target.minimum is not None else -math.inf
        values = [
            math.nan if row[spec.output] is None else float(str(row[spec.output])) for row in rows
        ]
        outside = [
            {"forecast_row": row["forecast_row"], spec.output: value}
            for row, value in zip(rows, values, strict=True)
            if not (lowest <= value <= highest)
        ]
        inputs = {tuple(row[name] for name in spec.feature_names) for row in rows}
        problems = []
        if outside:
            problems.append(
                f"{len(outside)} of {len(rows)} are not within {lowest:g} to {highest:g}"
            )
        if len(inputs) > 1 and len(set(values)) == 1:
            problems.append(f"all {len(rows)} are {values[0]:g} although the rows differ")
        return dg.AssetCheckResult(
            passed=not problems,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{spec.predictions_table}: {'; '.join(problems)}" if problems else None,
            metadata={
                "outside": dg.MetadataValue.md(table_preview(outside, limit=20)),
                **({MODEL_VERSION: int(str(rows[0]["model_version"]))} if rows else {}),
            },
        )

    return are_plausible
