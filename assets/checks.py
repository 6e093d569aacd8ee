"""Findings about valid data: shown as warnings, never blocking."""

import dagster as dg

from assets.gates import nothing_to_compare
from bikecast.core.spec import ModelSpec
from resources.lake.port import Lake


def finding_checks(spec: ModelSpec) -> list[dg.AssetChecksDefinition]:
    """Checks that warn: suspicious values, rows to score that were trained on."""

    @dg.asset_check(
        asset=spec.training_table,
        name="no_suspicious_values",
        description="Values that the spec calls suspicious, and outliers.",
    )
    def no_suspicious_values(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        from resources.lake.findings import outlier_findings, suspicious_findings
        from resources.lake.tables import read_table

        table = read_table(lake, spec.training_table_path)
        return _warning((*suspicious_findings(table, spec), *outlier_findings(table, spec)))

    @dg.asset_check(
        asset=spec.scoring_table,
        name="no_training_rows",
        additional_deps=[spec.training_table],
        description="Rows to score that equal training rows in all features: scores would flatter.",
    )
    def no_training_rows(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        from resources.lake.findings import repeated_rows
        from resources.lake.scoring_rows import read_scoring_rows
        from resources.lake.tables import read_table_if_any

        training = read_table_if_any(lake, spec.training_table_path, spec.feature_names)
        if training is None:
            return nothing_to_compare(spec)
        scoring = read_scoring_rows(lake, spec).table
        repeated = repeated_rows(training, scoring, spec.feature_names)
        if not repeated:
            return _warning(())
        return _warning(
            (
                f"{repeated} of {scoring.num_rows} rows of {spec.scoring_table} equal training "
                "rows in all features: their scores say nothing about new data",
            )
        )

    return [no_suspicious_values, no_training_rows]


def _warning(findings: tuple[str, ...]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not findings,
        severity=dg.AssetCheckSeverity.WARN,
        description="\n".join(findings) or None,
        metadata={"findings": dg.MetadataValue.json(list(findings))},
    )
