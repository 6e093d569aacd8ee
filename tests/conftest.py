import os
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
#: Folders whose tests share what is costly to make; elsewhere the tests of a file stay together.
TOGETHER = {"azure", "e2e"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Say which tests one worker runs, for `--dist loadgroup`, before it looks."""
    for item in items:
        file = item.path.relative_to(TESTS)
        group = file.parts[0] if file.parts[0] in TOGETHER else str(file)
        item.add_marker(pytest.mark.xdist_group(group))


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
def prepared_database(tmp_path_factory):
    """An empty MLflow database; a copy of it saves a test the second that its schema takes."""
    from resources.registry.tracking import prepare_store

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    prepare_store(f"sqlite:///{path}")
    return path
