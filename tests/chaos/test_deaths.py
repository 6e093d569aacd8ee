"""Each stage dies at some of its commit points and is repeated; docs/reliability.md has more."""

import os

import pytest

from tests.chaos.deaths import WAYS, Ground, can_inject, chosen, make_world, tried, warm
from tests.chaos.stages import STAGES, WHOLE

pytestmark = pytest.mark.slow

KILLS = 8


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    if reason := can_inject():
        pytest.skip(f"processes cannot be traced here: {reason}")
    warm()
    return make_world(tmp_path_factory.mktemp("chaos"))


@pytest.fixture(scope="module", params=STAGES)
def ground(request, made, tmp_path_factory):
    return Ground.prepared(request.param, tmp_path_factory.mktemp("ground"), made)


def test_a_death_at_a_commit_point_leaves_the_old_or_the_new_and_repeating_it_mends(ground):
    points = chosen(ground.points, 2 if ground.name == WHOLE else KILLS)
    outcomes = [tried(ground, "kill -9", point, number) for number, point in enumerate(points)]
    assert [outcome for outcome in outcomes if outcome.wrong] == []
    # How often an engine flushes is not always the same, so a last point may not come.
    assert sum(outcome.struck for outcome in outcomes) > len(points) / 2


@pytest.mark.parametrize("way", WAYS[1:])
def test_the_same_after_a_full_disk_a_stop_and_two_at_once(ground, way):
    if way == "full disk" and os.getuid() != 0:
        pytest.skip("no right to mount a small file system")
    point = chosen(ground.points, 3)[1]
    assert tried(ground, way, point, 2).wrong == ""
