"""The role table: what is there, what is missing, and giving it."""

import json

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.environments import place_of, workspace_links_for
from pipelines.settings import PROJECT, load_settings
from resources.workspace import synapse_roles
from resources.workspace.principals import find_principals
from resources.workspace.roles import check, role_table
from tests.azure.cloud.synapse import IDENTITY as SYNAPSE

RECORDINGS = PROJECT / ".." / "shared" / "azure-recordings"
ORCHESTRATOR = "33333333-3333-3333-3333-333333333333"


@pytest.fixture
def place(user, old_sdk):
    return place_of(load_settings().azure)


def states(place):
    found = check(place, find_principals(place))
    return {(each.need.who, each.need.role): each for each in found}


def bikecast(*arguments):
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_every_line_of_the_table_is_told_with_the_command_that_mends_it(place):
    found = states(place)

    assert len(found) == len(role_table(place))
    state = found["Synapse workspace", "Storage Blob Data Contributor"]
    assert state.state == "missing"
    assert state.command == (
        f"az role assignment create --assignee-object-id {SYNAPSE} --assignee-principal-type "
        f'ServicePrincipal --role "Storage Blob Data Contributor" --scope {place.account_id}'
    )
    assert "--assignee-object-id 33333333" in found["this process", "Reader"].command
    operator = found["this process", "Synapse Compute Operator"].command
    assert operator.endswith("--item-type bigDataPools --item sparkpool")


def test_an_identity_that_is_not_there_yet_needs_no_role(place):
    found = states(place)

    pool = found["attached Spark pool", "Synapse Administrator"]
    assert (pool.state, pool.command) == ("not needed yet", "")
    assert "bikecast link attach" in pool.detail
    links = workspace_links_for(load_settings().azure)
    links.attach_pool()
    links.link_synapse()
    after = states(place)
    assert after["attached Spark pool", "Synapse Administrator"].state == "missing"
    link = after["linked service of Synapse", "Apache Spark Administrator"]
    assert link.state == "missing"


#: Ids of Azure's built-in roles, from Microsoft's list.
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
FILES = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
GROUP = "99999999-9999-9999-9999-999999999999"


def test_a_role_above_or_a_stronger_one_counts_and_one_beside_does_not(place, user):
    user.authorization.grant(OWNER, ORCHESTRATOR, place.group_id)
    user.authorization.grant(CONTRIBUTOR, SYNAPSE, place.sql_pool_id)

    found = states(place)
    scientist = found["this process", "AzureML Data Scientist"]
    assert scientist.detail == "by Owner, from resourceGroups/bikes"
    assert found["this process", "Reader"].state == "present"
    assert found["this process", "Storage Blob Data Contributor"].state == "missing"
    assert found["Synapse workspace", "Contributor"].state == "missing"


def test_a_role_of_a_management_group_counts(place, user):
    user.authorization.grant(READER, ORCHESTRATOR, user.authorization.management_group)
    user.authorization.grant(CONTRIBUTOR, SYNAPSE, "/")

    found = states(place)
    reader = found["this process", "Reader"]
    assert (reader.state, reader.detail) == ("present", "from managementGroups/bikes")
    assert found["Synapse workspace", "Contributor"].detail == "from /"


def test_a_role_of_a_group_counts_for_its_members_only(place, user):
    user.authorization.groups[GROUP] = {ORCHESTRATOR}
    user.authorization.grant(FILES, GROUP, place.account_id, "Group")

    found = states(place)
    mine = found["this process", "Storage Blob Data Contributor"]
    assert (mine.state, mine.detail) == ("present", f"through the group {GROUP}")
    assert found["Synapse workspace", "Storage Blob Data Contributor"].state == "missing"


def synapse_role(user, role: str, principal: str, kind: str = "ServicePrincipal", scope: str = ""):
    user.synapse.grant(
        {
            "roleId": synapse_roles.ROLES[role],
            "principalId": principal,
            "scope": f"workspaces/bikesynapse{scope}",
            "principalType": kind,
        }
    )


def test_a_synapse_role_is_found_on_any_page_of_the_workspace_or_the_pool(place, user):
    for number in range(3):
        synapse_role(user, "Synapse Contributor", f"somebody-{number}")
    synapse_role(user, "Synapse Administrator", ORCHESTRATOR)

    found = states(place)["this process", "Synapse Compute Operator"]
    assert found.state == "present"
    assert found.detail == "by Synapse Administrator, from workspaces/bikesynapse"


def test_the_spark_administrator_may_do_what_the_operator_may(place, user):
    synapse_role(user, "Apache Spark Administrator", ORCHESTRATOR)

    assert states(place)["this process", "Synapse Compute Operator"].state == "present"


def recorded_definitions():
    file = RECORDINGS / "synapse-role-definitions.json"
    if not file.exists():
        pytest.skip(f"needs the recordings: {file} is not there")
    return next(
        body
        for exchange in json.loads(file.read_text())["exchanges"]
        if isinstance(body := exchange["response"]["body"], list) and isinstance(body[0], dict)
    )


def test_the_spark_administrator_has_the_actions_of_the_operator_in_the_recording():
    definitions = {each["name"]: each for each in recorded_definitions()}

    operator = actions(definitions["Synapse Compute Operator"])
    assert operator <= actions(definitions["Apache Spark Administrator"])


def actions(definition):
    return {action for each in definition["permissions"] for action in each["dataActions"]}


def test_a_synapse_role_of_another_pool_does_not_count(place, user):
    synapse_role(user, "Synapse Compute Operator", ORCHESTRATOR, scope="/bigDataPools/other")

    assert states(place)["this process", "Synapse Compute Operator"].state == "missing"


def test_a_synapse_role_of_a_group_is_unknown_with_the_command_that_answers_it(place, user):
    synapse_role(user, "Synapse Compute Operator", GROUP, "Group")

    found = states(place)["this process", "Synapse Compute Operator"]
    assert found.state == "unknown"
    assert f"az ad group member check --group {GROUP} --member-id {ORCHESTRATOR}" in found.detail


def test_synapses_roles_have_the_ids_that_the_service_gave():
    """The service calls the Spark role otherwise than Microsoft's pages."""
    definitions = recorded_definitions()

    ids = {definition["name"]: definition["id"] for definition in definitions}
    assert {name: ids.get(name) for name in synapse_roles.ROLES} == synapse_roles.ROLES


def test_the_lab_s_own_roles_are_given_only_on_demand(place):
    ours, lab = role_table(place), role_table(place, as_in_the_lab=True)

    assert [(need.who, need.role) for need in lab if need not in ours] == [
        ("Azure ML workspace", "Contributor"),
        ("Azure ML workspace", "Storage Blob Data Contributor"),
    ]
    assert all(need.role != "Storage Blob Data Owner" for need in lab)


@pytest.mark.calls
def test_apply_gives_what_is_missing_once(place, user):
    first = bikecast("roles", "apply", "--yes")

    assert first.exit_code == 0, first.output
    assert all(state.state != "missing" for state in states(place).values())
    puts = len(user.calls("PUT", "/roleAssignments/"))
    assert puts == 7
    assert bikecast("roles", "apply", "--yes").exit_code == 0
    assert len(user.calls("PUT", "/roleAssignments/")) == puts
    assert bikecast("roles", "check").exit_code == 0


def test_apply_asks_and_does_nothing_without_a_yes(place, user):
    result = CliRunner().invoke(app, ["roles", "apply"], input="n\n")

    assert result.exit_code == 1
    assert "Nothing was changed." in result.output
    assert user.calls("PUT", "/roleAssignments/") == []


def test_who_may_not_give_roles_gets_the_commands_for_somebody_who_may(place, user):
    user.authorization.refuses = True

    result = bikecast("roles", "apply", "--yes")
    assert result.exit_code == 1
    assert "User Access Administrator" in result.output
    assert "Synapse Compute Operator: given." in result.output


def test_roles_that_cannot_be_read_are_unknown_and_hide_no_others(place, user):
    user.synapse.refuses = True

    result = bikecast("roles", "check", "--json")
    assert result.exit_code == 1
    rows = {(row["who"], row["role"]): row for row in json.loads(result.stdout)}
    operator = rows["this process", "Synapse Compute Operator"]
    assert operator["state"] == "unknown"
    assert "Synapse RBAC" in operator["detail"]
    assert rows["this process", "Reader"]["state"] == "missing"


def test_links_are_listed_with_their_identities(place):
    for command in ("azureml", "synapse", "attach"):
        assert bikecast("link", command).exit_code == 0
    result = bikecast("link", "list", "--json")

    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [row["name"] for row in told["Linked services in Synapse"]] == ["AzureML"]
    assert told["Linked services in Azure ML"][0]["identity"]
    assert told["Spark pools attached to Azure ML"][0]["state"] == "Succeeded"
    assert bikecast("link", "detach").exit_code == 0
    assert bikecast("link", "azureml", "--remove").exit_code == 0
    assert bikecast("link", "synapse", "--remove").exit_code == 0
    empty = json.loads(bikecast("link", "list", "--json").stdout)
    assert [*empty.values()] == [[], [], []]
