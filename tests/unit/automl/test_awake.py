"""Time awake stands still while the process is stopped."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikecast.embedded.automl.awake import GAP_SECONDS, TICK_SECONDS, AwakeClock


class Machine:
    """Simulated seconds of the clock and of the processor."""

    def __init__(self):
        self.seconds = self.computed = 0.0

    def clock(self):
        return AwakeClock(lambda: self.seconds, lambda: self.computed)


@given(st.lists(st.floats(0, 0.99 * GAP_SECONDS), max_size=20))  # sums are rounded
def test_short_gaps_count(gaps):
    machine = Machine()
    clock = machine.clock()
    start = clock.now()
    for gap in gaps:
        machine.seconds += gap
        clock.now()
    assert clock.now() - start == pytest.approx(sum(gaps))


def test_a_stop_of_ninety_seconds_takes_nothing():
    machine = Machine()
    clock = machine.clock()
    start = clock.now()
    machine.seconds += 90
    assert clock.now() - start == TICK_SECONDS


def test_a_long_call_that_computes_counts():
    machine = Machine()
    clock = machine.clock()
    start = clock.now()
    machine.seconds, machine.computed = 30, 28
    assert clock.now() - start == 28
