"""Adapters of one machine know no Dagster; the UI shows their type and settings all the same."""

import dagster as dg
from dagster._core.remote_representation.external_data import RepositorySnap

from pipelines.dagster_resources import dagster_resources
from resources.lake.local import LocalLake


def test_the_ui_shows_an_adapter_by_its_class_and_its_settings():
    resources = dagster_resources({"lake": LocalLake(root="/somewhere")})
    repository = dg.Definitions(resources=resources).get_repository_def()

    (lake,) = RepositorySnap.from_def(repository).resources

    assert lake.resource_type == "resources.lake.local.LocalLake"
    assert lake.configured_values == {"root": '"/somewhere"'}


def test_an_asset_gets_the_adapter_itself():
    seen = []

    @dg.asset
    def reader(lake: dg.ResourceParam[object]) -> None:
        seen.append(lake)

    dg.materialize([reader], resources=dagster_resources({"lake": LocalLake(root="/somewhere")}))

    assert seen == [LocalLake(root="/somewhere")]


def test_what_is_no_adapter_stays_as_it_is():
    other = object()

    assert dagster_resources({"other": other}) == {"other": other}
