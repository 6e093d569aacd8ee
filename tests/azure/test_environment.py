"""BIKECAST_ENV=azure: the same assets on other adapters."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bikecast.core.errors import InvalidInput
from pipelines.settings import load_settings

PROJECT = Path(__file__).parents[2]
SETTINGS = {
    "BIKECAST_ENV": "azure",
    "AZURE_SUBSCRIPTION_ID": "55555555-5555-5555-5555-555555555555",
    "AZURE_RESOURCE_GROUP": "bikes",
    "AZUREML_WORKSPACE_NAME": "bikeml",
    "SYNAPSE_WORKSPACE_NAME": "bikesynapse",
    "SYNAPSE_SPARK_POOL": "sparkpool",
    "SYNAPSE_SQL_POOL": "sqlpool",
    "DATALAKE_ACCOUNT": "bikelake",
}
CODE = """
import json, sys
import pipelines.definitions
names = {".".join(name.split(".")[:2]) for name in sys.modules if name.startswith("azure")}
defs = pipelines.definitions.defs
keys = defs.resolve_asset_graph().get_all_asset_keys()
kinds = {name: type(value).__name__ for name, value in defs.resources.items()}
print(json.dumps([sorted(names), sorted(key.to_user_string() for key in keys), kinds]))
"""


def loaded(**changes: str):
    """SDK packages, assets and resources of the code location, in a fresh process."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("AZURE", "BIKECAST"))}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=PROJECT,
        # A proxy that nobody serves: contacting anything would fail.
        env=keep | {"HTTPS_PROXY": "http://127.0.0.1:9", **changes},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


LINKS = {"azureml_linked_service", "synapse_linked_service", "attached_spark_pool"}


def test_both_environments_have_the_same_assets_but_for_the_links(tmp_path):
    home = {"BIKECAST_HOME": str(tmp_path / "home")}
    _, local_assets, _ = loaded(**home)
    modules, azure_assets, kinds = loaded(**SETTINGS, **home)

    assert set(azure_assets) == {*local_assets, *LINKS}
    assert kinds["lake"] == "AdlsLake"
    assert kinds["spark"] == "SynapseSpark"
    assert kinds["automl"] == "AzureAutoML"
    assert kinds["registry"] == "AzureMlRegistry"
    assert kinds["sql_pool"] == "SynapseSqlPool"
    assert {"azure.ai", "azure.synapse", "azure.mgmt"} & set(modules) == set()
    assert not any(name.startswith("azureml") for name in modules)
    assert not (tmp_path / "home").exists()


def test_every_wrong_azure_setting_is_named_in_one_message(monkeypatch):
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    load_settings()
    monkeypatch.delenv("SYNAPSE_SPARK_POOL")
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "mine")
    monkeypatch.setenv("BIKECAST_BUDGET", "soon")

    with pytest.raises(InvalidInput) as caught:
        load_settings()
    for name in ("SYNAPSE_SPARK_POOL", "AZURE_SUBSCRIPTION_ID", "BIKECAST_BUDGET"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "cloud"),
    [
        ("AZUREML_CURRENT_CLOUD", "AzureUSGovernment", "AzureUSGovernment"),
        ("AZURE_AUTHORITY_HOST", "https://login.chinacloudapi.cn/", "AzureChinaCloud"),
        ("SYNAPSE_SQL_ENDPOINT", "ws.sql.azuresynapse.usgovcloudapi.net", "AzureUSGovernment"),
    ],
)
def test_another_cloud_is_refused_by_its_name(monkeypatch, name, value, cloud):
    for each, text in SETTINGS.items():
        monkeypatch.setenv(each, text)
    monkeypatch.setenv(name, value)

    with pytest.raises(InvalidInput, match=f"{name}.*{cloud} is not supported: only the public"):
        load_settings()


def test_the_public_cloud_may_be_named(monkeypatch):
    for each, text in SETTINGS.items():
        monkeypatch.setenv(each, text)
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/")

    assert load_settings().env == "azure"


def test_the_local_environment_needs_no_azure_setting():
    assert load_settings().env == "local"
