"""A home that a run made, damaged: `status` tells it, `repair` mends it, and a run goes on as if
nothing had been. tests/unit/pipelines/test_damage.py has all kinds of damage."""

import json
import shutil

import pytest

from tests.cli import Cli
from tests.e2e.conftest import TRIALS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "pattern",
    [
        "mlflow.db",
        "pool.duckdb",
        "dagster/history/runs/index.db",
        "jobs/*/result/result.json",
        "lake/tables/bike_data/*/*.parquet",
    ],
)
def test_damage_is_told_mended_by_the_named_command_and_the_next_run_is_as_before(
    main_run, tmp_path, pattern
):
    shutil.copytree(main_run.cli.home, tmp_path / "home")
    cli = Cli(tmp_path / "home", TRIALS)
    [path] = cli.home.glob(pattern)
    path.write_bytes(bytes(path.stat().st_size))

    told = cli("status")
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    said = told.stdout + told.stderr
    assert "bikecast repair" in said
    assert path.name in said or path.parent.name in said

    mended = cli("repair")
    assert mended.returncode == 0, mended.stderr
    assert cli("repair").stdout == "All is whole; nothing was changed.\n"

    done = cli("run", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    facts = ("model", "predictions")
    assert [_same(result[name]) for name in facts] == [
        _same(main_run.result[name]) for name in facts
    ]
    health = cli("status")
    assert health.returncode == 0, health.stdout


def _same(value):
    """Without what each run has of its own: its id and times."""
    if isinstance(value, list):
        return [_same(each) for each in value]
    names = ("run_id", "predicted_at")
    return {name: each for name, each in value.items() if name not in names}
