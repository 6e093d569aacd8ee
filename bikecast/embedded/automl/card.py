"""The model card (Mitchell et al. 2019) as Markdown: what the model is, how good, and for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bikecast.core.onnx.contract import model_digest
from bikecast.core.spec import ModelSpec
from bikecast.embedded.automl.build import Built
from bikecast.embedded.automl.data import Dataset
from bikecast.embedded.automl.evaluate import Evaluation

_KINDS = {
    "time_ordered": "the earliest 80% of the rows predict the rest; the recipe was chosen with "
    "later rows too, so this is still a little optimistic",
    "holdout": "a random 20% of the rows that the search never saw",
    "cv": "cross-validation inside the search; optimistic, because the search maximizes it",
}
_LIMITS = (
    "Scores hold for rows like those of the training table. A place, a year or a price that it "
    "does not have is extrapolation.",
    "Numbers are computed in float32. Whole numbers above 16,777,216 are rounded.",
    "A text that was never seen counts as none of the known ones; a missing number is taken as "
    "the median.",
    "Permutation importance shares credit between features that say the same; it is no cause.",
)

#: How a model is used with ONNX Runtime alone.
USE = """import onnxruntime, pandas
rows, session = pandas.read_csv("rows.csv"), onnxruntime.InferenceSession("model.onnx")
types = {"float": "float32", "double": "float64", "string": "object"}
kind = {i.name: types.get(i.type[7:-1], i.type[7:-1]) for i in session.get_inputs()}
print(session.run(None, {name: rows[[name]].to_numpy(kind[name]) for name in kind})[0])"""


def model_card(
    spec: ModelSpec,
    data: Dataset,
    built: Built,
    evaluation: Evaluation,
    facts: Mapping[str, object],
    warnings: Sequence[str],
) -> str:
    """The card. `facts` are pairs of lineage: job, data version, seconds and the like."""
    members = built.result.recipe.members
    parts = [
        f"# Model card: {spec.model_name}",
        spec.description or f"Predicts `{spec.target.name}`.",
        "## Model",
        _list(
            [
                f"{member.name}: {member.family}, view `{member.view}`, target transform "
                f"`{member.transform}`, weight {weight:.3f}"
                for member, weight in members
            ]
        ),
        f"One ONNX graph of {len(built.model) / 1024:.0f} KB, output `{spec.model_output}`; "
        f"SHA-256 `{model_digest(built.model)}`. It differs from the native models by at most "
        f"{built.parity.difference:.1e} (relative) and scores {built.parity.rows_per_second:,} "
        "rows a second on one thread.",
        "## Data",
        f"{data.rows} {_of_how_many(data.rows, facts)}rows of `{spec.training_table}`. "
        f"Target `{spec.target.name}`: "
        f"{data.target.min():g} to {data.target.max():g}, mean {data.target.mean():.4g}.",
        f"Licence of the data: {spec.data_licence or 'not stated in the spec'}.",
        _table([_feature(spec, name) for name in spec.feature_names]),
        "## Scores",
        "Baselines are scored on the same rows. The interval is a 95% bootstrap interval of "
        "Spearman's correlation.",
        _table(evaluation.honest_scores),
        _list(
            [
                f"`{kind}`: {text}"
                for kind, text in _KINDS.items()
                if any(row["scored on"] == kind for row in evaluation.honest_scores)
            ]
        ),
        "The model itself is fitted on all rows by the recipe that is scored here.",
        "## Segments of the holdout",
        _table(evaluation.segments) or "The spec names no segments.",
        f"## Permutation importance (loss of {spec.training.primary_metric} on the holdout)",
        _table(evaluation.permutation_importance),
        "## Findings",
        _list(
            [
                *evaluation.baseline_findings,
                *(str(entry["text"]) for entry in evaluation.leakage),
                *evaluation.column_findings,
                *warnings,
            ]
        )
        or "No sign of leakage, no warning.",
        "## Use",
        f"```python\n{USE}\n```",
        "The rows have the columns of the table under Data. `bikecast predict` reads any other CSV "
        "by the names of its columns.",
        "## Limits",
        _list(_LIMITS),
        "## Lineage",
        _list([f"{name}: {value}" for name, value in facts.items() if value not in ("", None)]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _of_how_many(rows: int, facts: Mapping[str, object]) -> str:
    there = facts.get("rows_there", rows)
    return "" if there == rows else f"of {there} "


def _feature(spec: ModelSpec, name: str) -> dict[str, object]:
    column = next(feature for feature in spec.features if feature.name == name)
    return {"feature": name, "type": column.sql_declaration, "meaning": column.description}


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    if not rows:
        return ""
    names = list(rows[0])
    lines = [f"| {' | '.join(names)} |", "|" + " --- |" * len(names)]
    lines += [f"| {' | '.join(_cell(row[name]) for name in names)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    text = f"{value:.5g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
