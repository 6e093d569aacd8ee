"""The SQL pool is resumed only if paused, and paused only if we resumed it and nobody is left."""

import json
import logging
from threading import Thread

import pytest

from bikecast.core.errors import BikecastError
from bikecast.core.jobs import JobState
from resources.sql_pool.synapse_power import PAUSING_SECONDS
from tests.azure.cloud.sql_pool import SWITCH_SECONDS
from tests.azure.workspace import ACCOUNT, CONTAINER, power

FILE = "jobs/sql_pool/pool.json"


@pytest.fixture
def switch(cloud):
    return power()


def recorded(cloud) -> dict:
    return json.loads(cloud.storage.read(ACCOUNT, CONTAINER, FILE))


def record(cloud, **values) -> None:
    """Leave a lease file as a process that died would."""
    leases = {"holders": {}, "resumed": False, "pausing": 0.0} | values
    cloud.storage.write(ACCOUNT, CONTAINER, FILE, json.dumps(leases).encode())


def test_a_paused_pool_is_resumed_for_the_first_lease(switch, cloud):
    assert switch.status().state is JobState.NOT_FOUND
    assert switch.acquire("run-1").state is JobState.RUNNING
    cloud.clock.advance(SWITCH_SECONDS)

    assert switch.acquire("run-1").state is JobState.COMPLETED
    assert len(cloud.calls("POST", "/resume")) == 1


@pytest.mark.calls
def test_the_last_lease_pauses_a_pool_that_we_resumed(switch, cloud):
    switch.acquire("run-1")
    switch.acquire("run-2")
    cloud.clock.advance(SWITCH_SECONDS)

    assert not switch.release("run-1")
    assert switch.release("run-2")
    cloud.clock.advance(SWITCH_SECONDS)
    assert switch.status().state is JobState.NOT_FOUND
    assert recorded(cloud) == {"holders": {}, "resumed": False, "pausing": 0.0}


def test_a_pool_that_was_online_stays_online(switch, cloud):
    cloud.sql_pools.status = "Online"
    switch.acquire("run-1")

    assert not switch.release("run-1")
    assert cloud.calls("POST", "/pause") == []


def test_an_unknown_status_means_waiting(switch, cloud, caplog):
    cloud.sql_pools.status = "Hovering"

    with caplog.at_level(logging.WARNING):
        assert switch.status().state is JobState.RUNNING
    assert "Hovering" in caplog.text


def test_a_pool_that_cannot_be_paused_yet_is_paused_later(switch, cloud):
    switch.acquire("run-1")

    with pytest.raises(BikecastError, match="cannot pause the SQL pool pool"):
        switch.release("run-1")
    assert switch.leases() == {}
    cloud.clock.advance(SWITCH_SECONDS)
    assert switch.settle()
    assert not switch.settle()


@pytest.mark.calls
def test_leases_taken_at_the_same_moment_are_all_kept(switch, cloud):
    threads = [Thread(target=switch.acquire, args=(f"run-{n}",)) for n in range(4)]
    cloud.sql_pools.status = "Online"
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(switch.leases()) == {"run-0", "run-1", "run-2", "run-3"}


def test_a_lease_is_not_granted_while_somebody_pauses_the_pool(switch, cloud):
    cloud.sql_pools.status = "Online"
    record(cloud, resumed=True, pausing=cloud.clock.now())

    assert switch.acquire("run-1").state is JobState.RUNNING
    assert set(switch.leases()) == {"run-1"}
    assert not switch.settle()


def test_the_pause_of_a_process_that_died_is_made_up_for(switch, cloud):
    cloud.sql_pools.status = "Online"
    record(cloud, resumed=True, pausing=cloud.clock.now() - PAUSING_SECONDS - 1)

    assert switch.settle()
    assert len(cloud.calls("POST", "/pause")) == 1


def test_a_worker_that_died_before_it_resumed_the_pool_costs_nothing(switch, cloud):
    record(cloud, holders={"run-1": cloud.clock.now()}, resumed=True)

    assert not switch.release("run-1")
    assert cloud.calls("POST", "/pause") == []
    assert recorded(cloud)["resumed"] is False
