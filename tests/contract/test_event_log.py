"""Dagster's files, read without Dagster, say what Dagster's own instance answers."""

from contextlib import ExitStack

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from pipelines.event_log.dagster_log import DagsterLog
from pipelines.event_log.sqlite_log import open_sqlite_log


@dg.asset
def rentals() -> dg.MaterializeResult:
    value = dg.MetadataValue
    return dg.MaterializeResult(
        data_version=dg.DataVersion("seven"),
        metadata={
            "text": "ä 'quoted'",
            "count": 731,
            "share": 0.1 + 0.2,
            "ok": True,
            "path": value.path("/lake/a b"),
            "url": value.url("https://example.org/?a=1"),
            "words": value.md("*bold*"),
            "when": value.timestamp(1_700_000_000.5),
            "notebook": value.notebook("/a.ipynb"),
            "run": value.dagster_run("another"),
            "object": value.json({"a": [1]}),
            "table": value.table([dg.TableRecord({"a": 1})]),
            "nothing": value.null(),
        },
    )


@dg.asset
def broken() -> None:
    raise dg.Failure("it is broken")


def switch(instance, name, status, location="bikecast"):
    target = LoadableTargetOrigin(module_name="pipelines.definitions")
    place = ManagedGrpcPythonEnvCodeLocationOrigin(target, location)
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(place, "__repository__"), name)
    data = SensorInstigatorData(min_interval=30)
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, status, data))


@pytest.fixture(scope="module")
def dagster_home(tmp_path_factory):
    """A home with runs of all kinds, and switches that people set."""
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    with dg.DagsterInstance.local_temp(str(home)) as here:
        for number in range(3):
            dg.materialize([rentals], instance=here, tags={"number": str(number)})
        here.report_runless_asset_event(
            dg.AssetMaterialization("imported", metadata={"source": "a file"})
        )
        dg.materialize([broken], instance=here, raise_on_error=False)
        status, tags = dg.DagsterRunStatus.STARTED, {"bikecast/process": "1:2.00"}
        here.add_run(dg.DagsterRun("later", "a-run", status=status, tags=tags))
        switch(here, "on", InstigatorStatus.RUNNING)
        switch(here, "off", InstigatorStatus.STOPPED)
        switch(here, "by_code", InstigatorStatus.DECLARED_IN_CODE)
        switch(here, "foreign", InstigatorStatus.RUNNING, location="another")
    return home


@pytest.fixture
def logs(dagster_home):
    """The light reader and Dagster's."""
    with ExitStack() as stack:
        instance = stack.enter_context(dg.DagsterInstance.local_temp(str(dagster_home)))
        yield open_sqlite_log(dagster_home, stack), DagsterLog(instance)


def test_the_last_run_and_those_under_way_are_dagsters(logs):
    light, full = logs

    assert light.last_run() == full.last_run()
    assert light.last_run().status == "STARTED"
    assert light.runs_under_way() == full.runs_under_way()
    assert len(light.runs_under_way()) == 1


@pytest.mark.parametrize("asset", ["rentals", "imported", "broken", "never"])
def test_the_materializations_of_an_asset_are_dagsters(logs, asset):
    light, full = logs

    events = list(light.materializations(asset))

    assert events == list(full.materializations(asset))
    for event in events:
        assert light.run(event.run_id) == full.run(event.run_id)
        before = event.storage_id
        assert list(light.materializations(asset, before=before)) == list(
            full.materializations(asset, before=before)
        )


def test_plain_values_of_metadata_are_read_and_tables_are_left_out(logs):
    (event, *_) = logs[0].materializations("rentals")

    assert event.tags["dagster/data_version"] == "seven"
    names = {"text", "count", "share", "ok", "path", "url", "words", "when", "notebook", "run"}
    assert set(event.metadata) == names


def test_the_switches_that_people_set_are_dagsters(logs):
    light, full = logs

    assert light.switches("bikecast") == full.switches("bikecast")
    assert light.switches("bikecast")["on"] == "RUNNING"
    assert set(light.switches("another")) == {"foreign"}


def test_an_unknown_run_is_none(logs):
    assert [log.run("there is none") for log in logs] == [None, None]


def test_a_home_without_any_run_is_an_empty_log(tmp_path):
    (tmp_path / "dagster.yaml").write_text("", encoding="utf-8")
    with ExitStack() as stack:
        light = open_sqlite_log(tmp_path, stack)

        assert light.last_run() is None
        assert light.runs_under_way() == []
        assert list(light.materializations("rentals")) == []
        assert light.switches("bikecast") == {}
    assert [path.name for path in tmp_path.iterdir()] == ["dagster.yaml"]


@pytest.mark.parametrize(
    "config", ["storage: {postgres: {}}", "event_log_storage: {module: a, class: B}", "- : : :"]
)
def test_dagster_reads_what_its_configuration_keeps_elsewhere(dagster_home, tmp_path, config):
    (tmp_path / "dagster.yaml").write_text(config, encoding="utf-8")
    with ExitStack() as stack:
        assert open_sqlite_log(tmp_path, stack) is None


def test_dagster_reads_files_of_another_form(tmp_path):
    (tmp_path / "dagster.yaml").write_text("", encoding="utf-8")
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "runs.db").write_bytes(b"not a database" * 100)
    with ExitStack() as stack:
        assert open_sqlite_log(tmp_path, stack) is None
