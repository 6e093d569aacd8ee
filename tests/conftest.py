import os

import pytest


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    """No setting of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith("BIKECAST_") or name == "DAGSTER_HOME":
            monkeypatch.delenv(name)
