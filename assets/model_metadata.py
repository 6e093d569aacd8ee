"""What the UI shows of a trained model: honest scores first, then how it was chosen and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from assets.metadata import link_or_path, metadata_key, picture, shortened, table_preview
from assets.model_tags import SCORE_KINDS
from assets.table_columns import column_schema
from bikecast.core.spec import Column, ModelSpec
from bikecast.core.training import TrainingResult
from resources.registry.port import ModelVersion

#: Plots with long titles.
_PLOTS = {
    "permutation_importance": "importance_plot",
    "predicted_against_actual": "predicted_plot",
}
MAX_TRIALS = 50
PREVIEW_ROWS = 10
#: The columns of the leaderboard that a page has room for; leaderboard.csv has all.
_LEADERBOARD = (
    "trial",
    "score",
    "score_sd",
    "rmse",
    "r2",
    "seconds",
    "status",
    "ensemble_weight",
)
_CARD = "model-card.md"


def flat_scores(result: TrainingResult) -> dict[str, float]:
    """Scores by `<kind>_<metric>`, kinds that were not computed left out."""
    return {
        f"{kind}_{metric}": value
        for kind in SCORE_KINDS
        for metric, value in (result.scores.get(kind) or {}).items()
    }


def model_metadata(
    spec: ModelSpec, version: ModelVersion, result: TrainingResult
) -> dict[str, Any]:
    """The metadata of a registered model; what its adapter does not tell is left out.

    Numbers stand alone as well, so that the UI plots them over the materializations.
    """
    diagnostics = result.diagnostics
    output = Column(spec.model_output, "real", f"The model's output: predicted {spec.target.name}")
    metadata: dict[str, Any] = {
        "job_id": version.job_id,
        "version": version.version,
        "digest": shortened(version.digest),
        "model": link_or_path(shortened(version.link, "*")),
        "scores": _table(_honest_scores(result)),
        "intervals": _intervals(diagnostics),
        "leakage": _leakage(diagnostics),
        "importance": _table(_rows(diagnostics.get("permutation_importance"))),
        "segments": _table(_rows(diagnostics.get("segments"))),
        "leaderboard": _table(_leaders(result)),
        **{
            _plot_key(title): picture(path.read_bytes(), title)
            for title, path in result.plots.items()
        },
        "preview": _table(_rows(diagnostics.get("holdout")), PREVIEW_ROWS),
        "model_card": _card(result),
        "data_licence": spec.data_licence or None,
        "warnings": dg.MetadataValue.json(list(result.warnings)),
        "dagster/column_schema": column_schema((*spec.features, output), spec),
        "training_rows": diagnostics.get("rows"),
        "training_table_rows": diagnostics.get("rows_there"),
        **flat_scores(result),
    }
    return {name: value for name, value in metadata.items() if value is not None}


def _plot_key(title: str) -> str:
    """Short: the longest key of a page takes its width from all values."""
    key = metadata_key(title)
    return _PLOTS.get(key, key)


def _honest_scores(result: TrainingResult) -> list[Mapping[str, object]]:
    """Each kind beside its naive baselines, or the scores alone where there are no baselines.

    Narrow, so that the page shows it whole: the intervals are metadata of their own.
    """
    if honest := _rows(result.diagnostics.get("honest_scores")):
        return [
            {name: row.get(name) for name in ("scored on", "model", "spearman", "rmse", "r2")}
            | {"rows": f"{row.get('rows trained on')} -> {row.get('rows scored')}"}
            for row in honest
        ]
    return [
        {"scored on": kind, **score}
        for kind in SCORE_KINDS
        if (score := result.scores.get(kind) or {})
    ]


def _intervals(diagnostics: Mapping[str, object]) -> dg.MetadataValue | None:
    """The 95% bootstrap intervals of the model's scores, a row a kind."""
    intervals = diagnostics.get("intervals")
    kinds = intervals if isinstance(intervals, Mapping) else {}
    return _table(
        [
            {
                "scored on": kind,
                **{name: f"{low:.4g} to {high:.4g}" for name, (low, high) in kinds[kind].items()},
            }
            for kind in SCORE_KINDS
            if kind in kinds
        ]
    )


def _leakage(diagnostics: Mapping[str, object]) -> dg.MetadataValue | None:
    """The signs of leakage; None where the adapter did not look for any."""
    if "leakage" not in diagnostics:
        return None
    signs = _table(_rows(diagnostics["leakage"]))
    return signs or dg.MetadataValue.text("No sign of leakage.")


def _leaders(result: TrainingResult) -> list[Mapping[str, object]]:
    """The leaderboard's columns to read; those that no trial has are left out."""
    columns = {name for row in result.leaderboard for name in row}
    names = [name for name in _LEADERBOARD if name in columns]
    return [{name: row.get(name) for name in names} for row in result.leaderboard]


def _card(result: TrainingResult) -> dg.MetadataValue | None:
    path = result.model_path.parent / _CARD
    return dg.MetadataValue.md(path.read_text(encoding="utf-8")) if path.is_file() else None


def _rows(value: object) -> list[Mapping[str, object]]:
    """A table of the diagnostics; another shape, from an older result, counts as none."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    rows = [row for row in value if isinstance(row, Mapping) and row]
    return [row for row in rows if row.keys() == rows[0].keys()]


def _table(
    rows: Sequence[Mapping[str, object]], limit: int = MAX_TRIALS
) -> dg.MetadataValue | None:
    return dg.MetadataValue.md(table_preview(rows, limit=limit)) if rows else None
