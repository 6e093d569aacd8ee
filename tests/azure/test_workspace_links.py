"""Links between the two workspaces: in Synapse, in Azure ML, and the attached Spark pool."""

import dagster as dg
import pytest

from bikecast.core.errors import BikecastError, InvalidInput
from pipelines.environments import workspace_links_for
from pipelines.settings import load_settings
from resources.workspace import arm_roles
from resources.workspace.port import LinkRefused
from tests.azure.cloud.synapse import IDENTITY
from tests.azure.workspace import PLACE

GROUP = f"/subscriptions/{PLACE['subscription_id']}/resourceGroups/bikes/providers"
SYNAPSE = f"{GROUP}/Microsoft.Synapse/workspaces/bikesynapse"
POOL = f"{SYNAPSE}/bigDataPools/sparkpool"
AZUREML = f"{GROUP}/Microsoft.MachineLearningServices/workspaces/bikeml"


def linked_by(location):
    graph = location.defs.resolve_asset_graph()
    return [*dg.AssetSelection.groups("workspace_link").resolve(graph)]


@pytest.fixture
def links(user, old_sdk):
    return workspace_links_for(load_settings().azure)


def test_azure_ml_is_linked_in_synapse_as_the_lab_says(links, user):
    link = links.link_azureml()

    assert (link.name, link.target) == ("AzureML", AZUREML)
    told = user.synapse.links["AzureML"]["properties"]
    assert told["type"] == "AzureMLService"
    assert told["description"] == "Azure Machine Learning service"
    assert told["typeProperties"]["authentication"] == "MSI"
    assert told["connectVia"]["referenceName"] == "AutoResolveIntegrationRuntime"


@pytest.mark.calls
def test_a_link_in_synapse_that_is_there_is_taken(links, user):
    links.link_azureml()
    links.link_azureml()

    assert len(user.calls("PUT", "/linkedservices/")) == 1
    assert links.azureml_link() is not None
    assert links.unlink_azureml()
    assert links.azureml_link() is None
    assert not links.unlink_azureml()


def test_the_connection_of_the_link_is_tested_by_what_it_needs(links, user):
    assert "bikecast link azureml" in links.azureml_link_problem()
    links.link_azureml()
    assert "no Contributor of bikeml: bikecast roles apply" in links.azureml_link_problem()
    user.authorization.grant(arm_roles.ROLES["Contributor"], IDENTITY, AZUREML)

    assert links.azureml_link_problem() == ""
    user.machine_learning.exists = False
    assert "was not found" in links.azureml_link_problem()


def test_a_link_that_synapse_accepts_and_drops_is_an_error(links, user):
    user.synapse.drops = True

    with pytest.raises(BikecastError, match="does not show it"):
        links.link_azureml()


def test_a_missing_synapse_role_is_named(links, user):
    user.synapse.refuses = True

    with pytest.raises(LinkRefused, match="Synapse Administrator"):
        links.link_azureml()


@pytest.mark.calls
def test_synapse_is_registered_in_azure_ml_with_its_identity(links, user):
    link = links.link_synapse()

    assert link.target.lower() == SYNAPSE.lower()
    assert link.identity == user.computes.links["synapse"]["identity"]["principalId"]
    assert [each.name for each in links.synapse_links()] == ["synapse"]
    assert links.unlink_synapse()
    assert links.synapse_links() == []
    assert not links.unlink_synapse()


def test_a_contributor_uses_a_link_that_is_there_and_cannot_register(links, user):
    user.computes.owner = False

    with pytest.raises(LinkRefused, match="needs Owner on the Synapse workspace"):
        links.link_synapse()
    user.computes.add_link(
        "of-the-owner", {"linkedServiceResourceId": SYNAPSE}, {"workspace": AZUREML}
    )
    assert links.link_synapse().name == "of-the-owner"


def test_the_service_refusing_new_workspaces_is_told_as_such(links, user):
    user.computes.registers = False

    with pytest.raises(LinkRefused, match="support of this SDK ended on 2026-06-30") as caught:
        links.link_synapse()
    assert "Linking of new Synapse workspaces has ended." in str(caught.value)


@pytest.mark.calls
def test_the_spark_pool_is_attached_once_with_an_identity(links, user):
    pool = links.attach_pool()
    again = links.attach_pool()

    assert pool == again
    assert (pool.name, pool.pool, pool.state) == ("synapsespark", POOL, "Succeeded")
    assert pool.identity
    assert links.attached_pools() == [pool]
    assert len(user.calls("PUT", "/computes/")) == 1
    assert links.detach_pool()
    assert links.attached_pools() == []
    assert not links.detach_pool()


def test_a_compute_of_that_name_that_is_another_pool_is_left_alone(links, user):
    links.attach_pool()
    user.computes.computes["synapsespark"]["properties"]["resourceId"] = f"{POOL}2"

    with pytest.raises(InvalidInput, match="AZUREML_SPARK_COMPUTE"):
        links.attach_pool()


@pytest.mark.calls
def test_sdk_v1_attaches_through_the_linked_service(links, user):
    with pytest.raises(BikecastError, match="bikecast link synapse"):
        links.attach_pool("v1")
    links.link_synapse()
    pool = links.attach_pool("v1")

    assert (pool.name, pool.pool.lower(), pool.state) == ("synapsespark", POOL.lower(), "Succeeded")
    assert links.attached_pools("v1") == [pool]
    assert [each.name for each in links.attached_pools("v2")] == ["synapsespark"]
    assert links.detach_pool("v1")
    assert user.computes.computes == {}


def test_the_assets_of_the_group_make_all_links(location, old_sdk, user):
    result = location.run("__ASSET_JOB", asset_selection=linked_by(location))

    assert result.success
    assert location.materialized() == {
        "azureml_linked_service",
        "synapse_linked_service",
        "attached_spark_pool",
    }
    assert [*user.synapse.links] == ["AzureML"]
    assert [*user.computes.links] == ["synapse"]
    assert [*user.computes.computes] == ["synapsespark"]


def test_a_refused_registration_is_a_warning_and_the_pool_is_attached(location, old_sdk, user):
    user.computes.registers = False
    result = location.run("__ASSET_JOB", asset_selection=linked_by(location))

    assert result.success
    [check] = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    assert "2026-06-30" in check.metadata["reason"].value
    assert [*user.computes.computes] == ["synapsespark"]
