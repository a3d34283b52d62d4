"""A simulated server's agent: its clock when the sample's time is over."""

from __future__ import annotations

import time

from forecourt.demo.node import LiveClock
from metering.agent.clock import STEP_S_MIN


def test_the_live_clock_goes_on_where_the_worlds_ended() -> None:
    clock = LiveClock()
    # The world's monotonic time is its wall clock: a batch of either shows the same difference between the two.
    assert abs(clock.now().timestamp() - clock.monotonic_s()) < STEP_S_MIN
    before_s = clock.monotonic_s()
    time.sleep(0.001)
    assert clock.monotonic_s() > before_s
