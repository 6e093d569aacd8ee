"""deploy/azure is what Azure takes, as far as names and types tell it without Azure."""

import copy
import importlib.util
import json
import re

import pytest

from tests.arm.check import faults
from tests.arm.types import SCHEMAS, TEMPLATES, read_template, read_types, reduced_types

CHECKER = SCHEMAS / "check_template.py"
NAMES = ("main", "links")


def broken(name, change):
    """A template with one fault."""
    template = copy.deepcopy(read_template(name))
    change(template)
    return template


def resource(template, kind):
    return next(each for each in template["resources"] if each["type"].endswith(kind))


def misspell_a_property(template):
    properties = resource(template, "/storageAccounts")["properties"]
    properties["isHnsEnable"] = properties.pop("isHnsEnabled")


def misspell_a_nested_property(template):
    resource(template, "/bigDataPools")["properties"]["autoPause"]["delayMinutes"] = 15


def use_a_wrong_word(template):
    resource(template, "/bigDataPools")["properties"]["nodeSize"] = "Tiny"


def use_a_text_for_a_truth_value(template):
    resource(template, "/storageAccounts")["properties"]["isHnsEnabled"] = "true"


def leave_out_a_needed_field(template):
    del resource(template, "/vaults")["properties"]["tenantId"]


def use_a_parameter_that_is_not_there(template):
    resource(template, "/sqlPools")["sku"]["name"] = "[parameters('size')]"


def leave_a_variable_without_use(template):
    template["variables"]["more"] = "x"


def depend_on_another_name(template):
    resource(template, "/bigDataPools")["dependsOn"] = [
        "[resourceId('Microsoft.Synapse/workspaces', variables('lake'))]"
    ]


def refer_to_a_type_that_is_not_made(template):
    resource(template, "/workspaces")["properties"]["defaultDataLakeStorage"]["resourceId"] = (
        "[resourceId('Microsoft.Storage/accounts', variables('lake'))]"
    )


def show_the_password(template):
    template["parameters"]["sqlPassword"]["type"] = "string"


def name_all_links_alike(template):
    resource(template, "/linkedServices")["name"] = "[concat(parameters('machineLearning'), '/a')]"


def wait_for_no_loop(template):
    resource(template, "/computes")["dependsOn"] = ["link"]


FAULTS = [
    ("main", misspell_a_property, "isHnsEnable"),
    ("main", misspell_a_nested_property, "delayMinutes"),
    ("main", use_a_wrong_word, "Tiny"),
    ("main", use_a_text_for_a_truth_value, "isHnsEnabled"),
    ("main", leave_out_a_needed_field, "tenantId"),
    ("main", use_a_parameter_that_is_not_there, "size"),
    ("main", leave_a_variable_without_use, "more"),
    ("main", depend_on_another_name, "dependsOn"),
    ("main", refer_to_a_type_that_is_not_made, "Storage/accounts"),
    ("main", show_the_password, "sqlPassword"),
    ("links", name_all_links_alike, "name"),
    ("links", wait_for_no_loop, "link"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_template_has_no_fault_that_the_table_of_types_shows(name):
    assert faults(read_template(name), read_types()) == []


@pytest.mark.parametrize(
    ("name", "change", "word"), FAULTS, ids=lambda v: getattr(v, "__name__", "")
)
def test_a_fault_is_found_without_the_schemas(name, change, word):
    found = faults(broken(name, change), read_types())

    assert any(word in each for each in found), found


@pytest.fixture(scope="module")
def checker():
    """The checker in ../shared, which has the whole schemas."""
    if not CHECKER.exists():
        pytest.skip(f"needs the schemas: {CHECKER} is not there")
    spec = importlib.util.spec_from_file_location("check_template", CHECKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    schemas = module.load_schemas()
    module.load_schemas = lambda: schemas  # read once
    return module


def violations(checker, template):
    check = checker.Check()
    check.template(template)
    return [each for each in check.found if each["level"] == "violation"]


@pytest.mark.parametrize("name", NAMES)
def test_a_template_has_no_violation_of_the_schemas(checker, name):
    assert violations(checker, read_template(name)) == []


@pytest.mark.parametrize(
    ("name", "change", "word"), FAULTS, ids=lambda v: getattr(v, "__name__", "")
)
def test_a_fault_is_a_violation_of_the_schemas(checker, name, change, word):
    if change is use_a_text_for_a_truth_value:
        pytest.skip("the checker takes the text 'true' with a note")
    found = json.dumps(violations(checker, broken(name, change)))

    assert word.lower() in found.lower()


def test_the_table_of_types_is_that_of_the_schemas():
    if not SCHEMAS.exists():
        pytest.skip(f"needs the schemas: {SCHEMAS} is not there")

    assert reduced_types() == read_types(), "python -m pytest tests/arm/renew_types.py"


def test_the_sizes_are_those_of_the_lab_and_pools_pause_by_themselves():
    main = read_template("main")
    pool = resource(main, "/bigDataPools")["properties"]

    assert main["parameters"]["sqlPoolSize"]["defaultValue"] == "DW100c"
    assert (pool["sparkVersion"], pool["nodeSize"]) == ("3.5", "Small")
    assert pool["autoScale"]["minNodeCount"] == 3
    assert pool["autoPause"] == {"enabled": True, "delayInMinutes": 15}


def test_nobody_logs_in_to_sql_by_a_password():
    workspace = next(
        each
        for each in read_template("main")["resources"]
        if each["type"] == "Microsoft.Synapse/workspaces"
    )

    assert workspace["properties"]["azureADOnlyAuthentication"] is True


def test_all_that_can_be_tagged_has_our_tag():
    for each in read_template("main")["resources"]:
        assert ("tags" in each) == ("location" in each), each["type"]


def test_links_loop_over_all_workspaces_and_pools():
    counts = [each["copy"]["count"] for each in read_template("links")["resources"]]

    assert counts == ["[length(parameters('workspaces'))]", "[length(parameters('pools'))]"]


@pytest.mark.parametrize("name", NAMES)
def test_a_template_names_no_subscription(name):
    text = (TEMPLATES / f"{name}.json").read_text("utf-8")

    assert re.findall(r"/subscriptions/\w+", text) == []
