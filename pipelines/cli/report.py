"""What `bikecast run` prints at its end, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipelines.cli.output import print_table, stdout_console

if TYPE_CHECKING:
    from bikecast.core.spec import ModelSpec
    from pipelines.home import Home
    from pipelines.in_process.outcome import Outcome

BEST = 5
_LEADERBOARD = ("trial", "score", "score_sd", "rmse", "r2", "seconds", "ensemble_weight")
_STAGE_WORDS = {"rest": "start, checks and Dagster itself"}
_SCORE_NAMES = ("spearman", "rmse", "r2", "rows")
_SCORE_WORDS = {
    "time_ordered": "time-ordered (earliest 80% -> the rest)",
    "holdout": "outer holdout (random 20%)",
    "cv": "inner cross-validation",
}


def print_report(spec: ModelSpec, outcome: Outcome, home: Home, *, wide: bool = False) -> None:
    """Print the forecast, the leaderboard's best, the scores, the times and where to look next.

    Leaderboard and scores are those of the version that made the forecast; those of a version
    that was not promoted follow.
    """
    out = stdout_console()
    model, candidate = outcome.model, outcome.candidate
    shown = [key for key in spec.key_names if any(row.get(key) for row in outcome.predictions)]
    names = [*(shown or ["forecast_row"]), *spec.shown, spec.output, "model_version"]
    rows = [[_word(spec, name, row[name]) for name in names] for row in outcome.predictions]
    title = f"Forecast by {model.name} version {model.version}"
    print_table([*names[:-1], "version"], rows, title, wide=wide)
    if outcome.prediction_rows > len(rows):
        out.print(
            f"The first {len(rows)} of {outcome.prediction_rows} rows; all of them: bikecast sql "  # noqa: S608 # it is shown
            f'"SELECT * FROM {spec.schema}.{spec.predictions_table}"',
            highlight=False,
        )
    leaders = outcome.training.leaders(BEST) if outcome.training else []
    if leaders:
        cells = [[_shown(row.get(name)) for name in _LEADERBOARD] for row in leaders]
        title = f"Leaderboard of version {model.version}, best {len(leaders)}"
        print_table(_LEADERBOARD, cells, title, wide=wide)
    print_scores(outcome.scores, f"Scores of version {model.version}", wide=wide)
    if candidate.version != model.version:
        title = f"Scores of version {candidate.version}, which was not promoted"
        print_scores(outcome.candidate_training.scores, title, wide=wide)
    times = [
        [_STAGE_WORDS.get(stage, stage), round(took, 1)] for stage, took in outcome.seconds.items()
    ]
    print_table(["stage", "seconds"], times, "Seconds by stage", wide=wide)
    out.print(
        f"\nLive: version {model.version}. {_decision(outcome)}", highlight=False, markup=False
    )
    if not outcome.trained:
        out.print("Nothing was trained: data, code and settings are unchanged.", highlight=False)
    out.print(
        f"Everything is in {home.root}\n"
        "Next: bikecast ui                                the lineage in Dagster\n"
        f'      bikecast sql "EXEC {spec.schema}.{spec.procedure}"   score again in T-SQL\n'
        "      bikecast models                            versions and scores\n"
        "      bikecast run --csv FILE --forecast FILE    your own data",
        highlight=False,
        markup=False,
    )


def print_scores(
    scores: Mapping[str, Mapping[str, float] | None], title: str, *, wide: bool
) -> None:
    """Print scores by kind and metric as a table, the most honest kind first."""
    rows = []
    for split, words in _SCORE_WORDS.items():
        score = scores.get(split)
        if score:
            rows.append([words, *(_shown(score.get(name)) for name in _SCORE_NAMES)])
    print_table(["score", "spearman", "RMSE", "R2", "rows"], rows, title, wide=wide)


def by_kind(scores: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Scores of a registered version, which are named KIND_METRIC, by kind and metric."""
    return {
        kind: {
            name.removeprefix(f"{kind}_"): value
            for name, value in scores.items()
            if name.startswith(f"{kind}_")
        }
        for kind in _SCORE_WORDS
    }


def _decision(outcome: Outcome) -> str:
    if outcome.candidate.version == outcome.model.version:
        return outcome.decision[:1].upper() + outcome.decision[1:] + "."
    return f"Version {outcome.candidate.version} was not promoted: {outcome.decision}."


def _shown(value: object) -> object:
    return "" if value is None else value


def _word(spec: ModelSpec, name: str, value: object) -> object:
    """The word for a code, where the spec has one."""
    words = spec.labels.get(name, {})
    return words.get(value, value) if isinstance(value, (int, str)) else value
