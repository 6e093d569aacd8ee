"""The table of calls in docs/azure.md is what Microsoft's clients do; runs after its folder."""

import pytest

from bikecast.core.errors import InvalidInput
from pipelines.smoke.calls import CERTAINTIES, call_table, kind_of
from tests.azure.calls import PARTLY_RUN, SEEN

TESTS = "azure/"


def shown(kinds):
    return "\n".join(f"{kind.method} {kind.address} {kind.api_version}" for kind in sorted(kinds))


def test_every_call_that_a_client_made_is_in_the_table():
    table = {row.kind for row in call_table()}
    unknown = {kind for kind, tests in SEEN.items() if any(t.startswith(TESTS) for t in tests)}

    assert not unknown - table, f"not in docs/azure.md:\n{shown(unknown - table)}"


def test_every_call_of_the_table_is_made_in_the_test_that_it_names(request):
    whole = {test for tests in SEEN.values() for test in tests} - PARTLY_RUN
    rows = [row for row in call_table() if row.test in whole]
    if request.session.testsfailed:
        pytest.skip("tests have failed, so their calls may be missing")
    if not rows:
        pytest.skip("no test that the table names was run as a whole")
    unseen = {row.kind for row in rows if row.test not in SEEN.get(row.kind, ())}

    assert not unseen, f"in docs/azure.md, but the test does not make it:\n{shown(unseen)}"


def test_the_table_names_each_call_once_with_a_test_that_is_there(request):
    rows = call_table()

    assert len({row.kind for row in rows}) == len(rows)
    assert {row.sure for row in rows} <= {*CERTAINTIES}
    folder = request.config.rootpath / "tests"
    assert [row.test for row in rows if not (folder / f"{row.test}.py").is_file()] == []


@pytest.mark.parametrize(
    ("method", "host", "path", "query", "address"),
    [
        (
            "GET",
            "management.azure.com",
            "/subscriptions/1/resourceGroups/g/providers/Microsoft.MachineLearningServices"
            "/workspaces/w/models/m/versions/3",
            {},
            "management.azure.com{ws}/models/{name}/versions/{name}",
        ),
        (
            "POST",
            "management.azure.com",
            "//subscriptions/1/resourcegroups/g/providers/Microsoft.Synapse/workspaces/w"
            "/sqlPools/p/pause",
            {},
            "management.azure.com{workspace}/sqlPools/{name}/pause",
        ),
        (
            "PATCH",
            "lake.dfs.core.windows.net",
            "/files/data/a.csv",
            {"action": "append", "position": "0"},
            "{account}.dfs.core.windows.net/{container}/{path}?action=append",
        ),
        (
            "GET",
            "ws.dev.azuresynapse.net",
            "/livyApi/versions/2019-11-01-preview/sparkPools/p/batches/7",
            {},
            "{synapse}.dev.azuresynapse.net/livyApi/versions/2019-11-01-preview/sparkPools/{name}"
            "/batches/{name}",
        ),
    ],
)
def test_names_are_taken_out_of_an_address(method, host, path, query, address):
    assert kind_of(method, host, path, query, {}).address == address


def test_a_wrong_line_of_the_table_is_told(tmp_path):
    document = tmp_path / "azure.md"
    document.write_text("## Calls\n| a |\n|---|\n| x | GET | `/` | v | maybe | t |\n")

    with pytest.raises(InvalidInput, match="one of recorded, documented, observed, guess"):
        call_table(document)
