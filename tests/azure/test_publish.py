"""Notebooks published into the Synapse workspace and read back."""

import json

import pytest

from bikecast.core.errors import BikecastError
from pipelines.bike_rentals import BIKE_RENTALS
from pipelines.environments import place_of
from pipelines.notebooks.publishing import publish_notebook, synapse_cells
from pipelines.settings import load_settings
from resources.workspace.synapse_notebooks import find


@pytest.fixture
def settings(user):
    return load_settings()


@pytest.mark.calls
def test_a_published_notebook_reads_back_as_it_was_sent_and_replaces_the_one_before(settings, user):
    assert find(place_of(settings.azure), "bikecast explore bike_rentals") is None
    for _ in range(2):
        published = publish_notebook(settings, BIKE_RENTALS)

    assert (published.name, published.folder) == ("bikecast explore bike_rentals", "bikecast")
    assert find(place_of(settings.azure), published.name) == published
    [sent, _] = user.calls("PUT", "/notebooks/")
    properties = json.loads(sent.body)["properties"]
    assert properties["bigDataPool"]["referenceName"] == "sparkpool"
    assert properties["cells"][0]["cell_type"] == "markdown"
    sources = ["".join(cell["source"]) for cell in properties["cells"]]
    assert any(source.startswith("%%sql\nSELECT `season`") for source in sources)
    assert any("abfss://files@bikelake.dfs.core.windows.net" in source for source in sources)


def test_cells_that_need_this_machine_are_left_out_and_the_code_compiles(settings):
    cells = synapse_cells(settings, BIKE_RENTALS)

    assert not any("pipelines" in cell.source for cell in cells)
    assert cells[-1].source == "mssparkutils.session.stop()"
    for cell in cells:
        if not cell.is_text and not cell.source.startswith("%%sql"):
            compile(cell.source.removeprefix("%%pyspark\n"), "cell", "exec")


def test_a_refusal_names_the_role_and_a_notebook_that_does_not_stay_is_told(settings, user):
    user.synapse.drops = True
    with pytest.raises(BikecastError, match="does not show it as it was sent"):
        publish_notebook(settings, BIKE_RENTALS)
    user.synapse.refuses = True
    with pytest.raises(BikecastError, match='"Synapse Administrator"'):
        publish_notebook(settings, BIKE_RENTALS)
