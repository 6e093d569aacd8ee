"""What the power switch of every SQL pool keeps to; one parameter an adapter."""

import pytest

from bikecast.core.jobs import JobState
from resources.sql_pool.embedded import AlwaysOnline
from tests.azure.cloud.sql_pool import SWITCH_SECONDS
from tests.azure.workspace import power


@pytest.fixture(params=["embedded", "synapse"])
def switch(request):
    """The power switch, and how a test lets time pass."""
    if request.param == "embedded":
        return AlwaysOnline(), lambda: None
    cloud = request.getfixturevalue("cloud")
    return power(), lambda: cloud.clock.advance(SWITCH_SECONDS)


def online(switch, holder: str) -> None:
    power, wait = switch
    if power.acquire(holder).state is not JobState.COMPLETED:
        wait()
    assert power.acquire(holder).state is JobState.COMPLETED


def test_the_pool_is_online_once_a_lease_is_granted(switch):
    power, _ = switch
    online(switch, "run-1")

    assert power.status().state is JobState.COMPLETED
    assert power.status().progress["status"] == "Online"


def test_a_lease_can_be_taken_again_and_given_back_twice(switch):
    power, _ = switch
    online(switch, "run-1")
    online(switch, "run-1")
    power.release("run-1")

    assert not power.release("run-1")
    assert dict(power.leases()) == {}


def test_a_lease_that_nobody_took_can_be_given_back(switch):
    power, _ = switch

    assert not power.release("nobody")
    assert not power.settle()


def test_the_pool_stays_online_while_anybody_has_a_lease(switch):
    power, _ = switch
    online(switch, "run-1")
    online(switch, "run-2")

    assert not power.release("run-1")
    assert power.status().state is JobState.COMPLETED


def test_a_pool_that_was_given_back_is_there_for_the_next(switch):
    power, wait = switch
    online(switch, "run-1")
    power.release("run-1")
    wait()

    online(switch, "run-2")
