"""What the UI shows of a registered model."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from assets.model_metadata import flat_scores, model_metadata
from bikecast.core.training import TrainingResult
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from resources.registry.port import ModelVersion

DIGEST = "d0824b831abd" + "0" * 52
SCORE = {"spearman": 0.9, "rmse": 300.0, "r2": 0.8, "rows": 146}
HONEST = [
    {"scored on": kind, "model": model, "spearman": 0.9, "rows trained on": 585, "rows scored": 146}
    for kind in ("time_ordered", "holdout", "cv")
    for model in ("chosen model", "mean by month and weekday", "ridge")
]
DIAGNOSTICS = {
    "rows": 731,
    "honest_scores": HONEST,
    "intervals": {"holdout": {"spearman": [0.85, 0.93], "rmse": [280.0, 320.0]}},
    "permutation_importance": [{"feature": "temp", "importance": 0.2, "sd": 0.01}],
    "segments": [{"segment": "weathersit", "value": "clear", "rows": 90, "spearman": 0.9}],
    "leakage": [{"finding": "identifier", "column": "x", "text": "column 'x' names its row"}],
    "holdout": [{"dteday": "2011-01-01", "actual": 1.0, "predicted": 2.0}] * 146,
}


@pytest.fixture
def result(tmp_path):
    (tmp_path / "model-card.md").write_text("# Model card: m\n")
    (tmp_path / "importance.png").write_bytes(b"\x89PNG")
    leaders = [{"trial": "ridge", "score": 0.9, "rows_per_second": 9_000, "error": "long " * 99}]
    return TrainingResult(
        job_id="job-1",
        model_path=tmp_path / "model.onnx",
        digest="d",
        leaderboard=leaders,
        scores={"cv": SCORE, "holdout": SCORE, "time_ordered": SCORE},
        plots={"Permutation importance": tmp_path / "importance.png"},
        diagnostics=DIAGNOSTICS,
    )


def shown(result) -> dict:
    link = f"/models/m/{DIGEST}/model.onnx"
    version = ModelVersion("m", 3, "job-1", DIGEST, datetime.now(UTC), link=link)
    return model_metadata(SPEC, version, result)


def first_column(table) -> list[str]:
    return [line.split(" | ")[0].lstrip("| ") for line in table.value.splitlines()[2:]]


def test_scores_stand_beside_their_baselines_the_time_ordered_ones_first(result):
    assert first_column(shown(result)["scores"]) == [
        kind for kind in ("time_ordered", "holdout", "cv") for _ in range(3)
    ]
    assert "mean by month and weekday" in shown(result)["scores"].value
    assert "585 -> 146" in shown(result)["scores"].value
    assert "0.85 to 0.93" in shown(result)["intervals"].value


def test_leakage_importance_segments_leaderboard_card_and_plots_are_shown(result):
    metadata = shown(result)
    assert "names its row" in metadata["leakage"].value
    assert first_column(metadata["importance"]) == ["temp"]
    assert first_column(metadata["segments"]) == ["weathersit"]
    assert "ridge" in metadata["leaderboard"].value
    assert "long long" not in metadata["leaderboard"].value
    assert metadata["model_card"].value == "# Model card: m\n"
    assert metadata["importance_plot"].value.startswith("![Permutation importance](data:")


def test_digests_are_shown_by_their_beginnings_which_leave_room_for_the_rest(result):
    """The page was wider than 1600 pixels, and tables beside them were cut."""
    metadata = shown(result)
    assert metadata["digest"] == "d0824b831abd\N{HORIZONTAL ELLIPSIS}"
    assert metadata["model"].value == "/models/m/d0824b831abd*/model.onnx"


def test_the_models_columns_rows_preview_and_licence_are_shown(result):
    metadata = shown(result)
    columns = metadata["dagster/column_schema"].columns
    assert [column.name for column in columns] == [*SPEC.feature_names, SPEC.output]
    assert metadata["training_rows"] == 731
    assert len(first_column(metadata["preview"])) == 10
    assert "CC BY 4.0" in metadata["data_licence"]


def test_scores_stand_alone_too_for_the_plots_over_time(result):
    assert shown(result)["time_ordered_spearman"] == 0.9
    without = replace(result, scores={"cv": SCORE, "holdout": SCORE, "time_ordered": None})
    assert {name.rsplit("_", 1)[0] for name in flat_scores(without)} == {"cv", "holdout"}


def test_an_adapter_that_tells_only_scores_gets_a_table_of_them(result, tmp_path):
    (tmp_path / "model-card.md").unlink()
    metadata = shown(replace(result, diagnostics={}, plots={}))
    assert first_column(metadata["scores"]) == ["time_ordered", "holdout", "cv"]
    missing = {"leakage", "importance", "segments", "preview", "model_card"}
    assert not missing & set(metadata)


def test_no_leakage_is_said_where_it_was_looked_for(result):
    metadata = shown(replace(result, diagnostics={**DIAGNOSTICS, "leakage": []}))
    assert metadata["leakage"].value == "No sign of leakage."


def test_leaders_are_the_best_trials_that_have_a_score(result):
    board = [
        {"trial": "a", "score": 0.9, "status": "ok"},
        {"trial": "b", "score": 0.0, "status": "raced"},
        {"trial": "c", "score": None, "status": "skipped"},
        {"trial": "d", "score": None, "status": "failed"},
    ]
    told = replace(result, leaderboard=board)
    assert [row["trial"] for row in told.leaders(5)] == ["a", "b"]
    assert [row["trial"] for row in told.leaders(1)] == ["a"]
