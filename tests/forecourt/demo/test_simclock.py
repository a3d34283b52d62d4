"""The world's clock waits for everyone, wakes each at their instant, and survives a killed participant."""

from __future__ import annotations

import threading
import time

from forecourt.demo.simclock import LockStepClock

TICKS = 40


def clock(*names: str, end_ms: int = 1_000_000) -> LockStepClock:
    return LockStepClock(now_ms=0, end_ms=end_ms, participants=frozenset(names), on_advance=lambda _now_ms: None)


def live(one: LockStepClock, who: str, step_ms: int, seen: list[int]) -> None:
    for tick in range(1, TICKS + 1):
        until_ms = tick * step_ms
        while (now_ms := one.sleep(who, until_ms, 0.5)) < until_ms:
            pass
        seen.append(now_ms)


def test_each_wakes_exactly_at_its_ticks() -> None:
    one = clock("a", "b", end_ms=TICKS * 10)
    seen: dict[str, list[int]] = {"a": [], "b": []}
    slow = threading.Thread(target=live, args=(one, "b", 7, seen["b"]))
    slow.start()
    live(one, "a", 7, seen["a"])
    slow.join(10)
    assert seen["a"] == seen["b"] == [tick * 7 for tick in range(1, TICKS + 1)]


def test_the_world_stands_still_while_one_is_at_work() -> None:
    one = clock("a", "b")
    assert one.sleep("a", 10, 0.05) == 0
    assert one.now_ms == 0


def test_a_killed_sleeper_comes_back_under_its_name() -> None:
    one = clock("a", "b")
    assert one.sleep("a", 10, 0.01) == 0
    waiting = threading.Thread(target=one.sleep, args=("b", 20, 5))
    waiting.start()
    deadline = time.monotonic() + 5
    while one.now_ms < 10 and time.monotonic() < deadline:
        one.sleep("a", 10, 0.01)
    assert one.now_ms == 10
    assert one.sleep("a", 20, 5) == 20
    waiting.join(5)
    assert not waiting.is_alive()


def test_the_clock_stops_at_its_end() -> None:
    one = clock("a", end_ms=100)
    assert one.sleep("a", 90, 1) == 90
    assert one.sleep("a", 500, 0.05) == 100
