import os

import pytest


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
