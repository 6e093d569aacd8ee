import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

#: Folders whose tests share what is costly to make; elsewhere the tests of a file stay together.
TOGETHER = {"azure", "e2e"}


#: No test asserts a time. `check` tries the same examples each time, `explore` new ones and more.
settings.register_profile(
    "check", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "explore", settings.get_profile("check"), derandomize=False, max_examples=1000
)
settings.load_profile("check")


def pytest_configure(config):
    """Undo what a shell does to its background jobs, or no process of a test ends by Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "calls: makes calls of the table in docs/azure.md")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """One worker more than processors: tests also wait, for other processes and for clocks."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Say which tests one of several workers runs."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = Path(nodeid.split("::")[0])
            folder = file.parts[1]
            return folder if folder in TOGETHER else str(file)

    return Together(config, log)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """No setting of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if (
            name.startswith(("BIKECAST_", "AZURE", "SYNAPSE_", "DATALAKE_"))
            or name == "DAGSTER_HOME"
        ):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder of this run of the tests that all workers have in common."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def prepared_database(shared_folder):
    """An empty MLflow database; a copy of it saves a test the seconds that its schema takes.

    The worker that comes first makes it, and the others wait, on a busy machine for longer than
    the store itself would.
    """
    from filelock import FileLock

    from bikecast.embedded.mlflow import prepare_store

    path = shared_folder / "mlflow.db"
    with FileLock(shared_folder / "making-mlflow.lock"):
        prepare_store(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def prepared_pool(tmp_path_factory):
    """An empty pool's file; a copy of it saves a test the making of catalog and macros."""
    from bikecast.embedded.sql_pool import Pool

    folder = tmp_path_factory.mktemp("pool")
    pool = Pool(folder / "pool.duckdb", folder)
    with pool.session():
        pass
    return pool.path
