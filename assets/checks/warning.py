"""Checks that stop nothing: they warn people, and the sensors that act on them."""

import math
from dataclasses import asdict

import dagster as dg

from assets.events import latest_metadata
from assets.metadata import picture, table_preview
from assets.plots import bars_plot
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake
from resources.lake.scoring_rows import scoring_rows
from resources.lake.tables import (
    SAMPLE_ROWS,
    blocks_of,
    limits_of,
    open_table,
    open_table_if_any,
    sample_of,
)
from resources.sql_pool.port import SqlPool
from resources.sql_pool.stored_predictions import StoredPredictions, stored_predictions

DRIFT, PLAUSIBLE = "no_drift", "are_plausible"
#: Predictions out of bounds that are shown.
_SHOWN = 20
#: Metadata of the check on predictions: the version that made them.
MODEL_VERSION = "model_version"


def warning_checks(spec: ModelSpec) -> list[dg.AssetChecksDefinition]:
    """The checks of a spec beside those that its assets make themselves."""
    return [
        _suspicious_values(spec),
        _training_rows(spec),
        _forecast_drift(spec),
        _newest_version(spec),
        _plausible(spec),
    ]


def _suspicious_values(spec: ModelSpec) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=spec.training_table,
        name="no_suspicious_values",
        description="Values that the spec calls suspicious, and outliers.",
    )
    def no_suspicious_values(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        from resources.lake.findings import Outliers, SuspiciousValues

        table = open_table(lake, spec.training_table_path)
        names = [column.name for column in spec.training_columns]
        suspicious = SuspiciousValues(spec)
        outliers = Outliers(spec, sample_of(table, spec, names))
        for block in blocks_of(table, names):
            suspicious.add(block)
            outliers.add(block)
        return _findings((*suspicious.findings(), *outliers.findings()))

    return no_suspicious_values


def _training_rows(spec: ModelSpec) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=spec.scoring_table,
        name="no_training_rows",
        additional_deps=[spec.training_table],
        description="Rows to score that equal training rows in all features: scores would flatter.",
    )
    def no_training_rows(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        from resources.lake.queries import rows_in_both

        training = open_table_if_any(lake, spec.training_table_path)
        if training is None:
            return _passed(f"there is no {spec.training_table} yet to compare with")
        rows = scoring_rows(lake, spec).dataset
        scoring, count = rows.head(SAMPLE_ROWS), rows.count_rows()
        repeated = rows_in_both(scoring, training, spec.feature_names)
        first = "the first " if count > scoring.num_rows else ""
        finding = (
            f"{repeated} of {first}{scoring.num_rows} rows of {spec.scoring_table} equal training "
            "rows in all features: their scores say nothing about new data"
        )
        return _findings((finding,) if repeated else ())

    return no_training_rows


def _forecast_drift(spec: ModelSpec) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=spec.scoring_table,
        name=DRIFT,
        additional_deps=[spec.training_table],
        description="Features of the rows to score against the training data of the same time "
        "of the year: population stability index and Kolmogorov-Smirnov test.",
    )
    def no_drift(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        from assets.checks.drift import DriftLimits, feature_drift, same_season

        limits = DriftLimits(psi=spec.thresholds.drift_psi)
        names = (*spec.key_names, *spec.feature_names)
        table = open_table_if_any(lake, spec.training_table_path)
        if table is None:
            return _passed(f"there is no {spec.training_table} yet to compare with")
        training = sample_of(table, spec, names)
        to_score = scoring_rows(lake, spec).dataset
        scoring = to_score.head(SAMPLE_ROWS)
        compared = same_season(training, scoring, spec, limits)
        features = feature_drift(compared, scoring, spec, limits)
        if not features:
            return _passed(
                f"too few rows to tell: {scoring.num_rows} to score and {compared.num_rows} of the "
                f"training data to compare with, where each takes {limits.min_rows}"
            )
        drifted = ", ".join(each.feature for each in features if each.drifted)
        indexes = {each.feature: each.psi for each in features}
        plot = bars_plot("Stability index against the training data", indexes, limits.psi)
        rows = [asdict(each) for each in features]
        difference = f"{spec.scoring_table} differs from the training data in {drifted}"
        return dg.AssetCheckResult(
            passed=not drifted,
            severity=dg.AssetCheckSeverity.WARN,
            description=difference if drifted else None,
            metadata={
                "compared_rows": compared.num_rows,
                "scoring_rows": f"the first {scoring.num_rows} of {to_score.count_rows()}",
                "drift": dg.MetadataValue.md(table_preview(rows, limit=200)),
                "plot": picture(plot, "Drift"),
            },
        )

    return no_drift


def _newest_version(spec: ModelSpec) -> dg.AssetChecksDefinition:
    asset = f"{spec.model_table}_table"

    @dg.asset_check(
        asset=asset,
        name="newest_version_is_live",
        description="Whether the candidate of the last run became the live version; else why not.",
    )
    def newest_version_is_live(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
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
        _, most = limits_of(open_table(lake, spec.training_table_path), spec.target.name)
        highest = spec.thresholds.far_above * float(most)
        stored = stored_predictions(
            sql_pool, spec, minimum=spec.target.minimum, maximum=highest, shown=_SHOWN
        )
        if not stored.rows:
            return _passed("too few rows to tell: there are no predictions")
        problems = _implausible(spec, stored, highest)
        return dg.AssetCheckResult(
            passed=not problems,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{spec.predictions_table}: {'; '.join(problems)}" if problems else None,
            metadata={
                "outside": dg.MetadataValue.md(table_preview(stored.first_outside, limit=_SHOWN)),
                MODEL_VERSION: stored.model_version,
            },
        )

    return are_plausible


def _implausible(spec: ModelSpec, stored: StoredPredictions, highest: float) -> list[str]:
    """What is wrong with the stored predictions."""
    lowest = spec.target.minimum if spec.target.minimum is not None else -math.inf
    problems = []
    if stored.outside:
        problems.append(
            f"{stored.outside} of {stored.rows} are not within {lowest:g} to {highest:g}"
        )
    if stored.is_varied and stored.lowest is not None and stored.lowest == stored.highest:
        problems.append(f"all {stored.rows} are {stored.lowest:g} although the rows differ")
    return problems


def _findings(findings: tuple[str, ...]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not findings,
        severity=dg.AssetCheckSeverity.WARN,
        description="\n".join(findings) or None,
        metadata={"findings": dg.MetadataValue.json(list(findings))},
    )


def _passed(reason: str) -> dg.AssetCheckResult:
    """Nothing to warn of, because there is nothing to compare."""
    return dg.AssetCheckResult(passed=True, severity=dg.AssetCheckSeverity.WARN, description=reason)
