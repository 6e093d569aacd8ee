"""The fake cloud as fixtures: real SDK clients reach it through a proxy, unmodified."""

import os
from dataclasses import astuple

import dagster as dg
import pytest
import trustme

from pipelines.smoke.calls import call_table
from tests.azure.calls import heard, shown
from tests.azure.cloud.cloud import Cloud
from tests.azure.cloud.proxy import Proxy
from tests.azure.environment import Location, settings_of


@pytest.fixture(scope="session")
def proxy(tmp_path_factory):
    """The proxy, its CA's certificate in a file."""
    ca = trustme.CA()
    server = Proxy(ca)
    server.ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(server.ca_file)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def cloud(proxy, monkeypatch, request):
    """An empty cloud, and an environment in which every client goes there.

    A call that the cloud does not know fails the test, and so does one that docs/azure.md lacks.
    """
    fake = Cloud()
    kinds = set()
    proxy.handle = heard(kinds, fake.handle)
    for name in list(os.environ):
        if name.startswith("AZURE") or name.lower() in ("http_proxy", "no_proxy", "all_proxy"):
            monkeypatch.delenv(name)
    environment = {
        "HTTPS_PROXY": proxy.url,
        "https_proxy": proxy.url,
        "REQUESTS_CA_BUNDLE": str(proxy.ca_file),
        "SSL_CERT_FILE": str(proxy.ca_file),
        "AZURE_TENANT_ID": fake.login.tenant,
        "AZURE_CLIENT_ID": fake.login.client,
        "AZURE_CLIENT_SECRET": fake.login.secret,
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
        "AZUREML_CURRENT_CLOUD": "AzureCloud",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield fake
    request.node.user_properties += [("call", astuple(kind)) for kind in kinds]
    assert not fake.refused, "\n".join(fake.refused)
    unknown = kinds - {row.kind for row in call_table()}
    assert not unknown, f"not in docs/azure.md:\n{shown(unknown)}"


@pytest.fixture
def user(cloud, proxy, tmp_path, monkeypatch):
    """The cloud, with the settings of a user of the azure environment in place."""
    with settings_of(cloud, proxy, tmp_path) as settings:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield cloud


@pytest.fixture
def location(user):
    """The code location of that user on an empty event log."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Location.load(instance)


@pytest.fixture(scope="session")
def old_sdk(tmp_path_factory):
    """azureml-core keeps what it discovered in the home folder that it was imported under."""
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(tmp_path_factory.mktemp("home"))
    import azureml._base_sdk_common.service_discovery  # noqa: F401

    if before is None:
        del os.environ["HOME"]
    else:
        os.environ["HOME"] = before
