"""`bikecast automl` on a CSV that no spec knows."""

import csv
import random
import re
import signal
import time

import numpy as np
import onnxruntime
import pytest

from bikecast.core.onnx.contract import inspect_model


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """A CSV with numbers, a date, a text, missing values and an empty column."""
    path = tmp_path_factory.mktemp("csv") / "houses.csv"
    source = random.Random(5)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["living area", "rooms", "sold", "town", "nothing", "price"])
        for number in range(150):
            area, rooms = source.uniform(30, 200), source.randint(1, 7)
            town = source.choice(["Delft", "Gouda", "Leiden", ""])
            price = 900 * area + 8000 * rooms + 30000 * (town == "Leiden") + source.gauss(0, 4000)
            day = f"{number % 12 + 1}/{number % 28 + 1}/{2020 + number % 3}"
            writer.writerow([round(area, 1), rooms, day, town, "", round(price)])
    return path


def test_a_csv_becomes_a_model_with_card_leaderboard_and_plots(cli, houses, tmp_path):
    folder = tmp_path / "out"
    arguments = ("automl", "--csv", str(houses), "--target", "price")
    done = cli(*arguments, "--allow", "Ridge,LightGBM", "-o", str(folder))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == {
        *("model.onnx", "leaderboard.csv", "model-card.md", "scores.json", "columns.json"),
        *("predicted.png", "residuals.png", "importance.png"),
    }
    assert "'nothing' has no value in any row and is left out" in done.stderr
    assert "mean by month and weekday" in done.stdout
    assert re.search(r"sold +date month/day/year", done.stderr)
    card = (folder / "model-card.md").read_text()
    assert "Predicts price from 7 columns of houses.csv" in card
    model = (folder / "model.onnx").read_bytes()
    names = [tensor.name for tensor in inspect_model(model).inputs]
    parts = [f"sold_{part}" for part in ("day", "month", "year", "weekday")]
    assert names == ["living_area", "rooms", *parts, "town"]
    feed = {name: np.array([[2], [3]], dtype=np.int64) for name in names}
    feed["living_area"] = np.array([[50.0], [180.0]])
    feed["town"] = np.array([["Leiden"], ["never seen"]], dtype=object)
    (predicted,) = onnxruntime.InferenceSession(model).run(None, feed)
    assert predicted[0, 0] < predicted[1, 0]

    scored = tmp_path / "prices.csv"
    done = cli("predict", "--model", str(folder), "--csv", str(houses), "-o", str(scored))
    assert done.returncode == 0, done.stderr
    with scored.open(newline="") as file:
        rows = list(csv.DictReader(file))
    errors = [float(row["prediction"]) - float(row["price"]) for row in rows]
    assert len(rows) == 150
    assert np.abs(errors).mean() < 15_000

    again = cli(*arguments, "--allow", "Ridge,LightGBM", "-o", str(tmp_path / "again"))
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again" / "model.onnx").read_bytes() == model
    jobs = [path.name for path in (cli.home / "automl" / "jobs").iterdir() if path.is_dir()]
    assert len([name for name in jobs if not name.startswith(".")]) == 1


def test_a_model_that_is_not_there_ends_with_code_2(cli, houses, tmp_path):
    output = tmp_path / "scored.csv"
    done = cli("predict", "--model", "nothing@1", "--csv", str(houses), "-o", str(output))
    assert done.returncode == 2, done.stderr
    assert "no registered model NAME or" in done.stderr
    assert not output.exists()


def test_bad_data_ends_with_code_2_and_stores_nothing(cli, tmp_path):
    path = tmp_path / "few.csv"
    path.write_text("x,y\n" + "".join(f"{n},{n}\n" for n in range(19)))
    done = cli("automl", "--csv", str(path), "--target", "y", "-o", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "19 usable rows; training needs at least 20" in done.stderr
    assert not (cli.home / "automl").exists()


@pytest.mark.slow
def test_ctrl_c_keeps_the_trials_that_are_done(cli, houses, tmp_path):
    arguments = ("automl", "--csv", str(houses), "--target", "price")
    process = cli.start(*arguments, "-o", str(tmp_path / "out"))
    trials = cli.home / "automl" / "jobs" / ".trials"
    while not list(trials.glob("*/*.npz")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on from the trials that are done" in err
    assert cli(*arguments, "-o", str(tmp_path / "out")).returncode == 0
    assert (tmp_path / "out" / "model.onnx").exists()
