"""The table of calls in docs/azure.md is what Microsoft's clients do.

That a client makes no other call, the fixture `cloud` checks in each test.
"""

import json
import subprocess
import sys

import pytest

from bikecast.core.errors import InvalidInput
from pipelines.settings import PROJECT
from pipelines.smoke.calls import CERTAINTIES, CallKind, call_table, kind_of
from tests.azure.calls import shown


@pytest.mark.slow  # the tests of the mark `calls` once more, in a process of their own
def test_every_call_of_the_table_is_made_in_the_test_that_it_names(tmp_path):
    file = tmp_path / "calls.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.azure.calls", str(file)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = {(test, CallKind(*kind)) for test, *kind in json.loads(file.read_text())}
    unseen = {row.kind for row in call_table() if (row.test, row.kind) not in made}

    assert not unseen, f"no test of the mark `calls` in the named file makes:\n{shown(unseen)}"


def test_the_table_names_each_call_once_with_a_certainty():
    rows = call_table()

    assert len({row.kind for row in rows}) == len(rows)
    assert {row.sure for row in rows} <= {*CERTAINTIES}


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
