"""Simulated cards: an energy register that only rises and is the integral of the power shown."""

from __future__ import annotations

from forecourt.demo.cards import HOUR_MS, Card, make_cards
from forecourt.demo.quantiles import AT_PERCENT, POWER_WATTS, draw

START_MS = 1_790_000_000_000


def card(busy_percent: int = 80) -> Card:
    return make_cards(
        node="n", count=2, model="m", memory_mib=81_559, busy_percent=busy_percent, seed=1, started_ms=START_MS
    )[0]


def test_energy_is_the_sum_of_power_over_time() -> None:
    one = card()
    total = sum(one.power_mw(at_ms) // 1000 for at_ms in range(START_MS, START_MS + 7_200_000, 1000)) * 1000
    assert one.energy_mj(START_MS + 7_200_000) == total


def test_energy_never_falls_in_whatever_order_it_is_asked() -> None:
    one, other = card(), card()
    instants = [START_MS + step * 1_700_000 for step in range(200)]
    forward = [one.energy_mj(at_ms) for at_ms in instants]
    backward = [other.energy_mj(at_ms) for at_ms in reversed(instants)]
    assert forward == sorted(forward) == list(reversed(backward))
    assert one.energy_mj(START_MS) == 0


def test_an_idle_card_shows_no_work_and_a_busy_one_does() -> None:
    hours = range(START_MS, START_MS + 200 * HOUR_MS, HOUR_MS)
    idle = sum(card(0).utilisation_percent(at_ms) for at_ms in hours)
    busy = sum(card(95).utilisation_percent(at_ms) for at_ms in hours)
    assert idle < busy
    assert all(0 <= card().utilisation_percent(at_ms) <= 100 for at_ms in hours)


def test_cards_of_a_node_differ_and_repeat() -> None:
    first, second = make_cards(node="n", count=2, model="m", memory_mib=1, busy_percent=1, seed=1, started_ms=0)
    again, _ = make_cards(node="n", count=2, model="m", memory_mib=1, busy_percent=1, seed=1, started_ms=0)
    assert first.uuid != second.uuid
    assert first == again


def test_quantiles_are_met_at_their_percentages() -> None:
    assert [draw(POWER_WATTS, percent) for percent in AT_PERCENT] == list(POWER_WATTS)
