"""Run logs of the azure environment, in blobs of the lake's account."""

import dagster as dg
import yaml

from pipelines.home import open_home
from pipelines.settings import load_settings


@dg.op
def talk() -> None:
    print("a line of the run")  # noqa: T201


@dg.job
def talking() -> None:
    talk()


def test_what_a_run_prints_is_in_the_lake(user, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    open_home(load_settings())
    with dg.DagsterInstance.get() as instance:
        assert talking.execute_in_process(instance=instance).success
    paths = user.storage.paths("bikelake", "files", "logs/dagster/")
    contents = [user.storage.read("bikelake", "files", path) for path in paths]

    assert any(path.endswith(".out") for path in paths)
    assert b"a line of the run" in b"".join(contents)


def test_a_dagster_yaml_that_says_where_logs_go_keeps_its_word(user, monkeypatch, tmp_path):
    monkeypatch.setenv("DAGSTER_HOME", "")
    (tmp_path / "mine.yaml").write_text(
        "compute_logs:\n  module: dagster.core.storage.noop_compute_log_manager\n"
        "  class: NoOpComputeLogManager\n"
    )
    monkeypatch.setenv("BIKECAST_DAGSTER_CONFIG", str(tmp_path / "mine.yaml"))
    home = open_home(load_settings())

    placed = yaml.safe_load((home.dagster / "dagster.yaml").read_text())
    assert placed["compute_logs"]["class"] == "NoOpComputeLogManager"
