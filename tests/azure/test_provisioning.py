"""`bikecast azure`: up, what-if, status, pause and down, with Microsoft's clients."""

import json
import stat

import pytest
from typer.testing import CliRunner

from bikecast.core.errors import BikecastError, InvalidInput
from bikecast.embedded.sql_pool import SqlError
from pipelines.cli.azure import azure
from pipelines.provisioning.env_file import write_env
from resources.provisioning import deployment
from resources.provisioning.clients import resource_client
from resources.provisioning.names import Names
from resources.provisioning.readiness import PROVIDERS
from resources.provisioning.refusals import Fault, faults_of
from resources.workspace.principals import Principal
from tests.arm.types import read_template
from tests.azure.cloud import faults
from tests.azure.cloud.http import arm_error
from tests.azure.cloud.sql_pool import SWITCH_SECONDS
from tests.azure.environment import settings_of
from tests.azure.provisioned import (
    GROUP,
    NAMES,
    SUBSCRIPTION,
    SUFFIX,
    TAGS,
    Security,
    come_to_life,
)

NOT_THERE = arm_error(404, "ResourceNotFound", "It was not found.")
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CALLER = "33333333-3333-3333-3333-333333333333"


@pytest.fixture
def subscription(cloud, proxy, tmp_path, monkeypatch):
    """An empty subscription whose owner has logged in; nothing waits for long."""
    come_to_life(cloud)
    cloud.resources.registered = dict.fromkeys(PROVIDERS, "Registered")
    cloud.authorization.grant(OWNER, CALLER, f"/subscriptions/{SUBSCRIPTION}", "User")
    monkeypatch.setattr("resources.provisioning.clients.POLL_SECONDS", 0.01)
    monkeypatch.setattr("pipelines.cli.online.POLL_SECONDS", 0.0)
    with settings_of(cloud, proxy, tmp_path, NAMES) as settings:
        kept = ("SYNAPSE_SQL_ENDPOINT", "SYNAPSE_ODBC_DRIVER", "BIKECAST_HOME")
        for name in kept:
            monkeypatch.setenv(name, settings[name])
        monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
        yield cloud


@pytest.fixture
def call(tmp_path):
    """Run a command, with what a person types; raises what the command raises."""

    def run(*arguments, typed=""):
        return CliRunner().invoke(azure, [*arguments], input=typed, catch_exceptions=False)

    return run


@pytest.fixture
def up(call, tmp_path):
    env = str(tmp_path / ".env")
    return lambda *more: call("up", "--yes", "--name", SUFFIX, "--env-file", env, *more)


def pass_time(cloud):
    """Let the pool be paused a moment after it was told so."""
    half = SWITCH_SECONDS / 2
    where = f"/sqlPools/sql{SUFFIX}/operationStatuses/"
    cloud.faults.add("GET", where, times=2, then=lambda: cloud.clock.advance(half))


def kinds(cloud):
    return sorted(each["type"].rpartition("/")[2] for each in cloud.resources.resources.values())


@pytest.mark.slow  # all of the house's steps, from files to the pool
@pytest.mark.calls
def test_up_makes_all_that_the_environment_needs(subscription, up, tmp_path):
    security = Security(subscription)
    subscription.resources.registered.clear()
    pass_time(subscription)
    subscription.sql_logins.answers = [
        SqlError(40615, "Client with IP address '203.0.113.7' is not allowed to access the server.")
    ]
    done = up("--user", "bike[runner]")

    assert done.exit_code == 0, done.output
    assert len(kinds(subscription)) == 9
    settings = (tmp_path / ".env").read_text()
    assert f"SYNAPSE_WORKSPACE_NAME=synapse{SUFFIX}\n" in settings
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert subscription.synapse.rules == {"bikecast": ("203.0.113.7", "203.0.113.7")}
    assert "AzureML" in subscription.synapse.links
    assert "synapsespark" in subscription.computes.computes
    assert security.statements[0] == "CREATE USER [bike[runner]]] FROM EXTERNAL PROVIDER"
    assert subscription.sql_pools.state() == "Paused"


@pytest.fixture
def deployed(subscription):
    """What the template makes is there; nothing else was done."""
    names = Names(subscription_id=SUBSCRIPTION, suffix=SUFFIX, region="westeurope")
    deployment.make_group(names)
    parameters = deployment.parameters_of(names, Principal(CALLER, "User"), "")
    outputs = deployment.deploy(names, parameters, lambda *_: None)
    assert outputs.items() <= names.settings.items()
    return subscription


def test_the_names_are_those_of_the_template(deployed):
    names = Names(subscription_id=SUBSCRIPTION, suffix=SUFFIX, region="westeurope")
    made = [(each["type"], each["name"]) for each in deployed.resources.resources.values()]

    assert sorted(made) == sorted(names.resources())


def test_the_links_template_makes_a_link_for_each_workspace_and_a_compute_for_each_pool(
    deployed,
):
    made = []
    deployed.resources.made = made.append
    each = ({"name": name, "id": f"/{name}"} for name in ("one", "two", "three", "four"))
    one, two, three, four = each
    parameters = {"machineLearning": "aml", "workspaces": [one, two], "pools": [two, three, four]}
    body = {
        "mode": "Incremental",
        "template": read_template("links"),
        "parameters": {name: {"value": value} for name, value in parameters.items()},
    }
    deployments = resource_client(SUBSCRIPTION).deployments
    deployments.begin_create_or_update(
        GROUP, "links", {"properties": body}, polling_interval=0
    ).result()

    linked = [
        r["properties"]["linkedServiceResourceId"] for r in made if "/linkedServices/" in r["id"]
    ]
    attached = [r["properties"]["resourceId"] for r in made if "/computes/" in r["id"]]
    assert (linked, attached) == (["/one", "/two"], ["/two", "/three", "/four"])
    assert all("/workspaces/aml/" in resource["id"] for resource in made)


def test_the_password_is_random_and_shown_nowhere(subscription):
    names = Names(subscription_id=SUBSCRIPTION, suffix=SUFFIX, region="westeurope")
    one, two = (
        deployment.parameters_of(names, Principal(CALLER, "User"), "")["sqlPassword"]["value"]
        for _ in range(2)
    )

    assert one != two
    assert len(one) > 32


@pytest.mark.calls
def test_what_if_makes_and_registers_nothing(subscription, call):
    subscription.resources.registered.clear()
    done = call("up", "--what-if", "--name", SUFFIX)

    assert done.exit_code == 0
    assert "Would be registered first" in done.output
    assert f"Microsoft.Synapse/workspaces/synapse{SUFFIX}" in done.output
    assert "An hour of work" in done.output
    assert subscription.resources.groups == {}
    assert subscription.calls("POST", "/register") == []


@pytest.mark.calls
def test_what_if_shows_by_azures_own_forecast_what_would_change(deployed, call):
    pool = next(r for r in deployed.resources.resources.values() if r["type"].endswith("sqlPools"))
    pool["sku"] = {"name": "DW200c"}

    done = call("up", "--what-if")
    assert "Modify" in done.output
    assert "sku.name" in done.output
    assert "NoChange" in done.output


def test_a_vault_that_is_there_keeps_the_access_that_azure_ml_gave_itself(deployed, call):
    """A vault that is deployed again has the template's policies only, of which there are none."""
    names = Names(subscription_id=SUBSCRIPTION, suffix=SUFFIX, region="westeurope")
    kind = "Microsoft.KeyVault/vaults"
    vault = next(r for r in deployed.resources.resources.values() if r["type"] == kind)
    vault["properties"]["accessPolicies"] = ["of Azure ML"]

    assert deployment.vault_is_there(names)
    assert "/vaults/" not in call("up", "--what-if").output
    parameters = deployment.parameters_of(names, Principal(CALLER, "User"), "", make_vault=False)
    deployment.deploy(names, parameters, lambda *_: None)
    assert deployed.resources.resources[vault["id"]]["properties"]["accessPolicies"]


def test_up_asks_before_it_makes_anything(subscription, call):
    done = call("up", "--name", SUFFIX, typed="n\n")

    assert done.exit_code == 1
    assert "Nothing was made" in done.output
    assert subscription.resources.groups == {}


def test_up_says_which_rights_may_be_missing(subscription, call):
    subscription.authorization.assignments.clear()

    assert "neither Owner" in call("up", "--what-if", "--name", SUFFIX).output


def take_a_name(cloud):
    cloud.availability.taken.add(f"datalake{SUFFIX}")


def use_all_vcpus(cloud):
    cloud.availability.vcpus = 96


def leave_the_region_without_synapse(cloud):
    cloud.resources.without["Microsoft.Synapse/workspaces/sqlPools"] = {"West Europe"}


def sell_no_small_pool(cloud):
    cloud.availability.sql_size = "Disabled"


def delete_the_vault_before(cloud):
    cloud.availability.delete_vault(f"vault{SUFFIX}", {})


@pytest.mark.parametrize(
    ("befall", "told"),
    [
        (take_a_name, rf"datalake{SUFFIX} cannot be had.*another --name"),
        (use_all_vcpus, "4 of the 8 vCPUs.*quota"),
        (leave_the_region_without_synapse, "westeurope has no .*sqlPools.*eastus2, northeurope"),
        (sell_no_small_pool, "DW100c is Disabled in westeurope"),
        (delete_the_vault_before, rf"vault{SUFFIX} was deleted and is kept"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_can_be_known_before_is_told_before_anything_is_made(subscription, up, befall, told):
    befall(subscription)

    with pytest.raises(BikecastError, match=f"(?s)nothing was made.*{told}"):
        up()
    assert subscription.resources.groups == {}


def test_a_refusal_of_the_template_leaves_only_the_empty_group(subscription, up):
    subscription.resources.refusals = [("QuotaExceeded", "Operation results in exceeding quota.")]

    with pytest.raises(BikecastError, match=r"(?s)QuotaExceeded.*more quota.*No resource was made"):
        up()
    assert subscription.resources.resources == {}


def test_a_resource_that_fails_in_the_middle_is_named_with_what_to_do(subscription, up, tmp_path):
    subscription.resources.failures["Microsoft.KeyVault/vaults"] = ("QuotaExceeded", "Too many.")
    pass_time(subscription)

    with pytest.raises(BikecastError) as caught:
        up()
    told = str(caught.value)
    assert f"Microsoft.KeyVault/vaults/vault{SUFFIX}: QuotaExceeded: Too many. Ask for more" in told
    assert "What was made stays" in told
    assert len(kinds(subscription)) == 5
    # The SQL pool was made before, and was online.
    assert subscription.sql_pools.state() == "Paused"
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize(
    ("code", "message", "remedy"),
    [
        ("QuotaExceeded", "The quota of cores is exceeded.", "more quota"),
        ("SkuNotAvailable", "The requested size is not available in westeurope.", "--region"),
        ("VaultAlreadyExists", "The vault name is already in use.", "another --name"),
        ("ConflictError", "A vault of the same name is in deleted state.", "azure down"),
        ("AuthorizationFailed", "The client does not have authorization.", "Owner"),
        ("ScopeLocked", "The scope cannot be deleted.", "az lock list"),
        ("RequestDisallowedByPolicy", "It was disallowed by policy.", "policy of your organ"),
        ("Conflict", "Another operation is in progress.", ""),
    ],
)
def test_each_kind_of_refusal_has_its_remedy(code, message, remedy):
    assert Fault(code, message).remedy.count(remedy) >= bool(remedy)
    assert bool(Fault(code, message).remedy) == bool(remedy)


def test_the_innermost_faults_of_an_error_are_told():
    inner = {"error": {"code": "BadRequest", "message": "Not a member", "target": "t"}}
    details = [{"code": "BadRequest", "message": json.dumps(inner)}]
    error = {"code": "DeploymentFailed", "message": "At least one failed.", "details": details}

    assert faults_of(error) == [Fault("BadRequest", "Not a member")]


@pytest.mark.slow
def test_up_goes_on_where_it_broke_off(subscription, up, call):
    subscription.resources.failures["Microsoft.KeyVault/vaults"] = ("Conflict", "Busy.")
    pass_time(subscription)
    with pytest.raises(BikecastError):
        up()
    subscription.resources.failures.clear()
    pass_time(subscription)

    assert up().exit_code == 0
    assert len(kinds(subscription)) == 9


def test_a_group_of_somebody_else_is_not_used(subscription, up):
    subscription.resources.groups[GROUP] = group(tags={})

    with pytest.raises(InvalidInput, match="it is not ours"):
        up()
    assert subscription.calls("PUT", "/deployments/") == []


def group(tags, name=GROUP):
    id_ = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"
    return {"id": id_, "name": name, "location": "westeurope", "tags": tags, "properties": {}}


def test_several_installations_have_to_be_told_apart(subscription, call):
    for suffix in ("one", "two"):
        name = f"bikecast-{suffix}"
        subscription.resources.groups[name] = group({"bikecast": suffix}, name)

    with pytest.raises(InvalidInput, match="one, two"):
        call("up", "--yes")


@pytest.mark.parametrize("name", ["ab", "ABCD", "a-b-c", "elevenchars"])
def test_a_suffix_that_no_name_can_have_is_refused(subscription, call, name):
    with pytest.raises(InvalidInput, match="3 to 10"):
        call("up", "--yes", "--name", name)


def test_the_sole_subscription_need_not_be_named(subscription, call, monkeypatch):
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")

    assert SUBSCRIPTION in call("up", "--what-if", "--name", SUFFIX).output


@pytest.mark.calls
def test_status_shows_what_is_there_and_what_costs(deployed, call):
    told = call("status").output

    assert f"sql{SUFFIX}" in told
    assert "Online" in told
    assert "pauses by itself after 15 idle minutes" in told


def test_status_shows_what_a_deployment_that_broke_off_has_made(deployed, call):
    deployed.faults.add("GET", f"/sqlPools/sql{SUFFIX}", NOT_THERE)
    deployed.faults.add("GET", f"/bigDataPools/spark{SUFFIX}", NOT_THERE)
    deployed.faults.add("GET", f"/workspaces/aml{SUFFIX}/computes", NOT_THERE)

    done = call("status")
    assert done.exit_code == 0
    assert "absent" in done.output


def test_status_without_an_installation_says_what_makes_one(subscription, call):
    with pytest.raises(InvalidInput, match="bikecast azure up"):
        call("status")


def test_pause_ends_idle_sessions_and_names_what_works(deployed, call):
    pass_time(deployed)
    for name, state in (("of a notebook", "idle"), ("of a colleague", "busy"), ("old", "dead")):
        deployed.livy_sessions.add(name, state)
    told = call("status").output
    assert "Spark session 0 (of a notebook)" in told
    assert "Spark session 2" not in told

    done = call("pause")
    assert done.exit_code == 1
    assert "Ended: Spark session 0 (of a notebook)" in done.output
    assert "Still costs: Spark session 1 (of a colleague) (busy, works)" in done.output
    assert deployed.livy_sessions.live() == [1]


def test_status_does_without_the_right_to_see_spark_sessions(deployed, call):
    deployed.faults.add("GET", "/sparkPools/", faults.FORBIDDEN)

    done = call("status")
    assert done.exit_code == 0
    assert "not known" in done.output


@pytest.mark.calls
def test_pause_pauses_the_pool(deployed, call):
    pass_time(deployed)

    assert call("pause").exit_code == 0
    assert deployed.sql_pools.state() == "Paused"


def test_pause_pauses_the_pool_also_where_its_leases_cannot_be_read(deployed, call):
    pass_time(deployed)
    deployed.faults.add("GET", f"datalake{SUFFIX}.dfs", faults.FORBIDDEN, times=9)
    deployed.faults.add("GET", f"datalake{SUFFIX}.blob", faults.FORBIDDEN, times=9)

    done = call("pause")
    assert "cannot be seen" in done.output
    assert deployed.sql_pools.state() == "Paused"


def test_pause_leaves_a_pool_that_a_run_uses(deployed, call):
    lease = json.dumps({"holders": {"run-1": 1.0}, "resumed": True, "pausing": 0.0})
    file = f"jobs/sql_pool/sql{SUFFIX}.json"
    deployed.storage.write(f"datalake{SUFFIX}", "files", file, lease.encode())

    done = call("pause")
    assert done.exit_code == 1
    assert "runs use it: run-1" in done.output
    assert deployed.sql_pools.status == "Online"


@pytest.mark.calls
def test_down_deletes_all_and_purges_what_azure_keeps(deployed, call):
    done = call("down", typed=f"{GROUP}\n")

    assert done.exit_code == 0, done.output
    assert deployed.resources.groups == deployed.resources.resources == {}
    assert deployed.deletions.purged == [f"aml{SUFFIX}"]
    assert deployed.availability.purged == [f"vault{SUFFIX}"]
    assert "14 days" in done.output


def untouched(cloud):
    return cloud.calls("DELETE", "/") == [] and cloud.calls("POST", "/purge") == []


@pytest.mark.parametrize("typed", ["\n", "yes\n", "bikecast-other\n"])
def test_down_wants_the_name_typed(deployed, call, typed):
    done = call("down", typed=typed)

    assert done.exit_code == 1
    assert "Nothing was deleted" in done.output
    assert untouched(deployed)


def test_down_lists_before_it_asks(deployed, call):
    told = call("down", typed="\n").output

    for name in (f"datalake{SUFFIX}", f"sql{SUFFIX}", f"aml{SUFFIX}"):
        assert told.index(name) < told.index("Type ")


def test_down_does_not_touch_a_group_without_our_tag(subscription, call):
    subscription.resources.groups[GROUP] = group({"bikecast": "another"})

    with pytest.raises(InvalidInput, match="not ours"):
        call("down", "--name", SUFFIX, typed=f"{GROUP}\n")
    assert untouched(subscription)


def test_down_does_not_touch_a_group_with_resources_of_others(deployed, call):
    add(deployed, "Microsoft.Web/sites", "shop", tags=None)

    with pytest.raises(InvalidInput, match=r"(?s)did not make.*Microsoft.Web/sites/shop"):
        call("down", typed=f"{GROUP}\n")
    assert untouched(deployed)


def add(cloud, kind, name, tags):
    id_ = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{kind}/{name}"
    cloud.resources.resources[id_] = {"id": id_, "type": kind, "name": name, "tags": tags}
    return id_


def test_down_takes_what_azure_itself_put_into_the_group(deployed, call):
    add(deployed, "microsoft.insights/actiongroups", "Application Insights Smart Detection", None)
    rules = "microsoft.alertsmanagement/smartDetectorAlertRules"
    add(deployed, rules, f"Failure Anomalies - insights{SUFFIX}", None)

    assert call("down", typed=f"{GROUP}\n").exit_code == 0


MADE_BY_AZURE_ML = "0f9309c3acdd842848c88032e1ec736d"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("microsoft.insights/actiongroups", "Page the night shift"),
        (
            "microsoft.alertsmanagement/smartDetectorAlertRules",
            "Failure Anomalies - insights-of-the-shop",
        ),
        ("Microsoft.ContainerRegistry/registries", MADE_BY_AZURE_ML),
    ],
)
def test_what_only_looks_like_a_by_product_of_azure_is_left(deployed, call, kind, name):
    """An alert of other insights; a registry that our workspace does not name as its own."""
    add(deployed, kind, name, None)

    with pytest.raises(InvalidInput, match=f"did not make.*\n.*{name}"):
        call("down", typed=f"{GROUP}\n")
    assert untouched(deployed)


def test_down_takes_the_image_registry_that_azure_ml_made(deployed, call):
    registry = add(deployed, "Microsoft.ContainerRegistry/registries", MADE_BY_AZURE_ML, None)
    deployed.machine_learning.registry = registry.replace("resourceGroups", "resourcegroups")

    done = call("down", typed=f"{GROUP}\n")
    assert done.exit_code == 0
    assert done.output.index(MADE_BY_AZURE_ML) < done.output.index("Type ")


def test_down_leaves_a_registry_that_somebody_gave_to_our_workspace(deployed, call):
    registry = add(deployed, "Microsoft.ContainerRegistry/registries", "imagesofall", None)
    deployed.machine_learning.registry = registry

    with pytest.raises(InvalidInput, match=r"(?s)did not make.*registries/imagesofall"):
        call("down", typed=f"{GROUP}\n")
    assert untouched(deployed)


def test_down_deletes_nothing_where_the_group_changes_while_it_asks(deployed, call, monkeypatch):
    def type_slowly(*_, **__):
        add(deployed, "Microsoft.Web/sites", f"shop{SUFFIX}", TAGS)
        return GROUP

    monkeypatch.setattr("pipelines.cli.azure.typer.prompt", type_slowly)
    with pytest.raises(InvalidInput, match="has changed since it was listed"):
        call("down")
    assert untouched(deployed)


def test_down_does_not_touch_what_is_locked(deployed, call):
    lock = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Authorization"
    deployed.resources.locks = [f"{lock}/locks/keep"]

    with pytest.raises(InvalidInput, match=r"az lock delete --ids .*/locks/keep"):
        call("down", typed=f"{GROUP}\n")
    assert untouched(deployed)


def test_a_deletion_that_azure_refuses_says_what_is_left(deployed, call):
    deployed.faults.add("DELETE", "/resourcegroups/", faults.FORBIDDEN)

    with pytest.raises(BikecastError, match=r"(?s)AuthorizationFailed.*What is left: az resource"):
        call("down", typed=f"{GROUP}\n")


def test_down_purges_a_vault_of_ours_that_an_earlier_deletion_left(subscription, call):
    subscription.availability.delete_vault(f"vault{SUFFIX}", TAGS)

    assert call("down", "--name", SUFFIX, typed=f"{GROUP}\n").exit_code == 0
    assert subscription.availability.purged == [f"vault{SUFFIX}"]


def test_down_without_a_name_finds_the_vault_that_an_earlier_deletion_left(subscription, call):
    subscription.availability.delete_vault(f"vault{SUFFIX}", TAGS)
    subscription.availability.delete_vault("vaultother", TAGS)

    assert call("down", typed=f"{GROUP}\n").exit_code == 0
    assert subscription.availability.purged == [f"vault{SUFFIX}"]


def test_down_with_vaults_of_several_installations_asks_which(subscription, call):
    for suffix in ("one", "two"):
        subscription.availability.delete_vault(f"vault{suffix}", {"bikecast": suffix})

    with pytest.raises(InvalidInput, match="one, two"):
        call("down")


def test_without_any_installation_no_name_is_made_up(subscription, call):
    assert "no group with our tag" in call("down").output
    with pytest.raises(InvalidInput, match="no group of this subscription"):
        call("status")


def test_down_leaves_a_deleted_vault_of_somebody_else(subscription, call):
    subscription.availability.delete_vault(f"vault{SUFFIX}", {"owner": "else"})

    assert "nothing to delete" in call("down", "--name", SUFFIX).output
    assert untouched(subscription)


def test_other_lines_of_the_settings_stay(tmp_path):
    file = tmp_path / ".env"
    file.write_text("# mine\nBIKECAST_BUDGET=60\nexport SYNAPSE_SQL_POOL=old\n")
    file.chmod(0o644)
    write_env(file, {"SYNAPSE_SQL_POOL": "new"})

    assert file.read_text() == "# mine\nBIKECAST_BUDGET=60\nSYNAPSE_SQL_POOL=new\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
