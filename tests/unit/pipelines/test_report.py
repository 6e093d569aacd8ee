"""What `bikecast run` tells of the live model and of a candidate that is not live."""

import datetime as dt
import re
from pathlib import Path

import pytest
from rich.console import Console

from bikecast.core.training import TrainingResult
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.cli import output, report
from pipelines.cli.run import as_object
from pipelines.home import Home
from pipelines.in_process.outcome import Outcome
from resources.registry.port import ModelVersion

LIVE, CANDIDATE = 0.91, 0.87


def version(number, spearman):
    scores = {"holdout_spearman": spearman, "holdout_rmse": 600.0}
    made = dt.datetime(2026, 1, number, tzinfo=dt.UTC)
    return ModelVersion(SPEC.model_name, number, f"job-{number}", "d", made, scores)


def training(number, spearman):
    leaders = [{"trial": f"trial of {number}", "score": spearman}]
    scores = {"cv": None, "holdout": {"spearman": spearman, "rmse": 600.0}, "time_ordered": None}
    return TrainingResult(f"job-{number}", Path("model.onnx"), "d", leaders, scores, {})


@pytest.fixture
def refused():
    """The outcome of a run whose model, version 2, was not promoted."""
    day = {"dteday": dt.date(2013, 1, 1), "weekday": 2, "workingday": 1, "weathersit": 3}
    row = {**day, "temp": 0.344167, "variable_out1": 2104.53, "model_version": 1}
    return Outcome(
        predictions=[row],
        prediction_rows=1,
        model=version(1, LIVE),
        training=training(1, LIVE),
        candidate=version(2, CANDIDATE),
        candidate_training=training(2, CANDIDATE),
        decision="it is not better",
        trained=True,
        seconds={"bike_data": 1.0, "rest": 2.0, "total": 3.0},
        warnings=[],
        run_ids=["r"],
    )


def shown(outcome, monkeypatch, capsys, width=100):
    for module in (report, output):
        monkeypatch.setattr(module, "stdout_console", lambda: Console(width=width))
    report.print_report(SPEC, outcome, Home(Path("/home")))
    return capsys.readouterr().out


def test_scores_and_leaderboard_belong_to_the_model_that_made_the_predictions(refused):
    told = as_object(refused)
    assert told["model"]["version"] == 1
    assert told["scores"]["holdout"]["spearman"] == LIVE
    assert told["leaderboard"][0]["trial"] == "trial of 1"


def test_the_candidates_scores_stand_under_the_candidate(refused):
    told = as_object(refused)["candidate"]
    assert (told["version"], told["live"]) == (2, False)
    assert told["scores"]["holdout"]["spearman"] == CANDIDATE
    assert told["leaderboard"][0]["trial"] == "trial of 2"


def test_a_live_model_whose_training_is_gone_has_the_scores_of_the_registry(refused):
    told = as_object(Outcome(**{**vars(refused), "training": None}))
    assert told["scores"]["holdout"] == {"spearman": LIVE, "rmse": 600.0}
    assert told["scores"]["time_ordered"] is None
    assert told["leaderboard"] == []


def test_of_more_predictions_than_are_shown_the_report_says_how_many_there_are(
    refused, monkeypatch, capsys
):
    many = Outcome(**{**vars(refused), "prediction_rows": 12_000})
    text = " ".join(shown(many, monkeypatch, capsys).split())
    assert "The first 1 of 12000 rows; all of them: bikecast sql" in text
    assert as_object(many)["prediction_rows"] == 12_000
    assert "The first" not in shown(refused, monkeypatch, capsys)


def test_the_report_names_the_version_of_each_table(refused, monkeypatch, capsys):
    text = shown(refused, monkeypatch, capsys)
    assert "Leaderboard of version 1, best 1" in text
    assert re.search(r"Scores of version 1 *$", text, re.MULTILINE)
    assert "Scores of version 2, which was not promoted" in text
    assert "Version 2 was not promoted: it is not better." in text


def test_the_seconds_have_a_row_for_what_is_no_stage(refused, monkeypatch, capsys):
    assert "start, checks and Dagster itself" in shown(refused, monkeypatch, capsys)


def test_the_forecasts_column_names_are_whole_on_80_columns(refused, monkeypatch, capsys):
    header = shown(refused, monkeypatch, capsys, width=80).splitlines()[2]
    names = ["dteday", "weekday", "workingday", "weathersit", "temp", "variable_out1", "version"]
    assert header.split() == names
