"""The assets of the CSV files: what they refuse, and that the lake keeps what it had."""

import logging

import dagster as dg
import pytest

from assets.lake import lake_assets
from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from pipelines.bike_rentals import SAMPLES
from pipelines.sample.simulator import write_forecast_csv, write_training_csv
from resources.costs.prices import NoCosts
from resources.lake.local import LocalLake
from resources.lake.sources import Sources


@pytest.fixture
def lake(tmp_path):
    return LocalLake(root=str(tmp_path / "lake"))


@pytest.fixture
def stored(lake):
    """Materialize the training file from a source of this run."""

    def materialize(source: str) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            lake_assets(SPEC),
            selection=[SPEC.source_asset],
            resources={"lake": lake, "sources": Sources(lake), "costs": NoCosts()},
            run_config={"ops": {SPEC.source_asset: {"config": {"source": source}}}},
            raise_on_error=False,
        )

    return materialize


def reason(result: dg.ExecuteInProcessResult) -> str:
    """The text of the failed step."""
    (failure,) = result.get_step_failure_events()
    return str(failure.step_failure_data.user_failure_data.description)


def test_a_whole_file_is_stored(stored, lake, tmp_path):
    write_training_csv(tmp_path / "whole.csv", years=1)
    assert stored(str(tmp_path / "whole.csv")).success
    assert lake.stat(SPEC.source_file)


def test_a_file_with_too_few_rows_to_train_on_is_refused(stored, lake, tmp_path):
    write_training_csv(tmp_path / "whole.csv", years=1)
    first_lines = (tmp_path / "whole.csv").read_text().splitlines()[:6]
    (tmp_path / "few.csv").write_text("\n".join(first_lines) + "\n")
    assert "5 usable rows" in reason(stored(str(tmp_path / "few.csv")))
    assert lake.stat(SPEC.source_file) is None


def test_a_signed_url_is_refused_in_a_runs_configuration(stored, lake):
    told = reason(stored("https://account.example/rentals.csv?sig=SECRET"))
    assert "https://account.example/rentals.csv" in told
    assert "BIKECAST_CSV" in told
    assert "SECRET" not in told
    assert lake.stat(SPEC.source_file) is None


@pytest.mark.parametrize("wrong", [SPEC.source_asset, f"{SPEC.scoring_table}_file"])
def test_neither_file_of_a_run_is_stored_where_one_is_wrong(lake, tmp_path, wrong):
    write_training_csv(tmp_path / "t.csv", years=1)
    write_forecast_csv(tmp_path / "f.csv", years=1)
    files = {
        SPEC.source_asset: tmp_path / "t.csv",
        f"{SPEC.scoring_table}_file": tmp_path / "f.csv",
    }
    files[wrong].write_text(files[wrong].read_text().replace("temp", "warmth", 1))
    config = {asset: {"config": {"source": str(path)}} for asset, path in files.items()}
    result = dg.materialize(
        lake_assets(SPEC),
        resources={"lake": lake, "sources": Sources(lake), "costs": NoCosts()},
        run_config={"ops": config},
        raise_on_error=False,
    )
    told = [event.step_failure_data.user_failure_data for event in result.get_step_failure_events()]
    assert len(told) == 2
    assert all("temp" in each.description for each in told)
    assert not any(lake.stat(path) for path in (SPEC.source_file, SPEC.scoring_file))


def test_what_the_lake_has_is_kept_and_the_sample_says_what_it_replaces(lake, tmp_path):
    write_training_csv(tmp_path / "mine.csv", years=1, seed=7)
    mine = str(tmp_path / "mine.csv")
    with dg.DagsterInstance.ephemeral() as instance:

        def source_and_warnings(source: str | None) -> tuple[object, list[str]]:
            result = dg.materialize(
                lake_assets(SPEC),
                selection=[SPEC.source_asset],
                instance=instance,
                resources={
                    "lake": lake,
                    "sources": Sources(lake, paths={SPEC.source_file: source}, samples=SAMPLES),
                    "costs": NoCosts(),
                },
            )
            [event] = result.asset_materializations_for_node(SPEC.source_asset)
            logs = instance.all_logs(result.run_id)
            warnings = [entry.user_message for entry in logs if entry.level == logging.WARNING]
            return event.metadata["source"].value, [w for w in warnings if "replaces" in w]

        assert source_and_warnings(None)[0] == "simulated sample (seed 0)"
        assert source_and_warnings(mine) == (mine, [])
        stored = lake.stat(SPEC.source_file)
        assert source_and_warnings(None) == (mine, [])
        assert lake.stat(SPEC.source_file) == stored
        [warning] = source_and_warnings("sample")[1]
        assert warning.startswith("the simulated sample (seed 0) replaces")
        assert mine in warning
