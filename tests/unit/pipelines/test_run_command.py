"""`bikecast run` before and around its runs."""

import sys

import pytest
from filelock import FileLock

from pipelines.cli.app import main


@pytest.fixture
def bikecast(tmp_path, monkeypatch, capsys):
    """Call `bikecast` in this process; returns its exit code and standard error."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("BIKECAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bikecast", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err

    return call


def test_a_wrong_file_is_told_at_once_although_another_run_uses_the_home(bikecast, tmp_path):
    (tmp_path / "bad.csv").write_text("season\n1\n")
    with FileLock(tmp_path / "home" / "run.lock"):
        code, said = bikecast("run", "--csv", str(tmp_path / "bad.csv"))
    assert code == 2
    assert "bad.csv, line 1: missing columns" in said
    assert "waiting" not in said


@pytest.mark.parametrize("flag", ["--csv", "--forecast"])
def test_an_empty_flag_is_an_error_and_takes_no_sample(bikecast, flag):
    code, said = bikecast("run", flag, "")
    assert code == 2
    assert f"{flag} is empty" in said


def test_a_folder_as_the_output_is_told_as_such(bikecast, tmp_path):
    code, said = bikecast("simulate", "-o", str(tmp_path))
    assert code == 2
    assert f"{tmp_path} is a folder. Nothing was written" in said


def test_a_negative_seed_is_refused(bikecast, tmp_path):
    code, _ = bikecast("simulate", "-o", str(tmp_path / "x.csv"), "--seed", "-1")
    assert code == 2
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize(
    "query", ["SELECT * FROM dbo.predicted_rentals", "EXEC dbo.predict_rentals"]
)
def test_a_query_before_the_first_run_says_what_to_run_first(bikecast, query):
    code, said = bikecast("sql", query)
    assert code == 1
    assert "`bikecast run` first" in said


def test_a_query_needs_the_pool_alone(bikecast, monkeypatch):
    for name in ("ConnectSpark", "LocalAutoML", "LocalLake", "MlflowRegistry"):
        monkeypatch.setattr(f"pipelines.environments.{name}", None)
    assert bikecast("sql", "PRINT 'one'") == (0, "one\n")


def test_what_a_batch_prints_is_shown_once(bikecast, tmp_path):
    (tmp_path / "two.sql").write_text("PRINT 'one'\nGO\nPRINT 'two'\n")
    assert bikecast("sql", "-f", str(tmp_path / "two.sql")) == (0, "one\ntwo\n")


@pytest.mark.parametrize("port", ["0", "-1", "99999"])
def test_a_port_that_cannot_be_is_refused(bikecast, port):
    code, said = bikecast("ui", "--port", port)
    assert code == 2
    assert "than or equal to" in said


def test_ctrl_c_ends_with_130_and_says_which_training_goes_on(bikecast, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.in_process.main_job.run_main_job", interrupted)
    monkeypatch.setattr(
        "pipelines.cli.stopping.trainings_that_go_on",
        lambda *_: ["Training of job j-1 goes on."],
    )
    code, said = bikecast("run")
    assert code == 130
    assert "Interrupted; nothing is half written.\nTraining of job j-1 goes on." in said
