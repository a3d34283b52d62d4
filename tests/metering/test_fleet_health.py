"""What is not well in a fleet: at the borders of each rule, of one's own cards alone, and nothing of what is well."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from clusters.models import Accelerator, AcceleratorHealth
from metering.card_models import AcceleratorEvent, AcceleratorHour
from metering.fleet_health import (
    BELOW_USUAL,
    BUSY_HOURS_LEAST,
    PROGRAM_XIDS,
    THROTTLED_FROM,
    CardTrouble,
    Slowed,
    Work,
    fell_below_usual,
    slowed_nodes,
    troubled_cards,
)
from metering.models import Meter, Quality, UsageHour, Witness
from tests import factories
from tests.examples import examples
from tests.kept import kept
from tests.metering.fleet import NOON

if TYPE_CHECKING:
    from clusters.models import Node
    from tenants.models import Organization
    from tests.factories import Cast

HOUR = timedelta(hours=1)
DAY = 24 * HOUR


def make_node(provider: Organization, name: str = "node-1") -> Node:
    return factories.make_node(factories.make_cluster(provider, f"c-{name}"), name)


def event(card: Accelerator, kind: str, code: int = 0, *, back: timedelta = HOUR, times: int = 1) -> None:
    at = NOON - back
    AcceleratorEvent.objects.create(
        accelerator=card,
        kind=kind,
        code=code,
        hour_at=at.replace(minute=0),
        first_at=at,
        last_at=at,
        occurrences=times,
        detail="",
    )


def gauges(card: Accelerator, at: datetime, *, used: int = 0, throttled: int = 0, samples: int = 100) -> None:
    AcceleratorHour.objects.create(
        accelerator=card,
        hour_at=at,
        utilisation_percent_sum=used * samples,
        utilisation_samples=samples,
        clock_samples=samples,
        throttled_samples=throttled,
        last_read_at=at,
    )


def found(provider: Organization) -> tuple[CardTrouble, ...]:
    return troubled_cards(provider=provider, now=NOON)


@kept
def card(cast: Cast) -> Accelerator:
    return factories.make_accelerator(make_node(cast.provider), 3)


def test_a_card_that_is_well_is_not_listed(cast: Cast, card: Accelerator) -> None:
    gauges(card, NOON - HOUR, used=99)
    AcceleratorHealth.objects.create(accelerator=card, seen_at=NOON, ecc_corrected=9, ecc_uncorrected=0)
    assert found(cast.provider) == ()


@pytest.mark.parametrize("code", sorted(PROGRAM_XIDS))
def test_what_a_program_does_to_itself_is_no_fault_of_the_card(cast: Cast, card: Accelerator, code: int) -> None:
    event(card, "xid", code)
    assert found(cast.provider) == ()


def test_another_card_in_the_slot_is_no_error(cast: Cast, card: Accelerator) -> None:
    event(card, "replaced")
    assert found(cast.provider) == ()


def test_errors_of_the_driver_are_counted_by_kind(cast: Cast, card: Accelerator) -> None:
    event(card, "xid", 79, times=2)
    event(card, "xid", 79, back=3 * HOUR, times=3)
    event(card, "ecc_double_bit", back=2 * HOUR)
    [one] = found(cast.provider)
    assert (one.card_id, one.position, one.node, one.severe) == (card.id, 3, "node-1", True)
    assert one.events == (("xid", 79, 5, NOON - HOUR), ("ecc_double_bit", 0, 1, NOON - 2 * HOUR))


@pytest.mark.parametrize(("back", "shown"), [(7 * DAY, True), (7 * DAY + HOUR, False)])
def test_errors_are_history_after_a_week(cast: Cast, card: Accelerator, back: timedelta, shown: bool) -> None:
    event(card, "xid", 48, back=back)
    assert bool(found(cast.provider)) is shown


@pytest.mark.parametrize(
    ("told", "severe"),
    [
        ({"ecc_uncorrected": 1}, True),
        ({"row_remap_failed": True}, True),
        ({"row_remap_pending": True}, False),
    ],
)
def test_memory_that_fails_is_severe_and_one_that_waits_is_not(
    cast: Cast, card: Accelerator, told: dict[str, Any], severe: bool
) -> None:
    AcceleratorHealth.objects.create(accelerator=card, seen_at=NOON, **told)
    [one] = found(cast.provider)
    assert one.severe is severe
    assert (one.ecc_uncorrected, one.remap_failed, one.remap_pending) == (
        told.get("ecc_uncorrected", 0),
        told.get("row_remap_failed", False),
        told.get("row_remap_pending", False),
    )


@pytest.mark.parametrize(("throttled", "shown"), [(9, False), (10, True), (1000, True)])
def test_a_card_is_slowed_from_one_sample_in_a_hundred(
    cast: Cast, card: Accelerator, throttled: int, shown: bool
) -> None:
    gauges(card, NOON - HOUR, throttled=throttled, samples=1000)
    shares = [one.throttled for one in found(cast.provider)]
    assert shares == ([Decimal(throttled) / 1000] if shown else [])
    assert Decimal("0.01") == THROTTLED_FROM


def test_clocks_of_yesterday_are_not_todays(cast: Cast, card: Accelerator) -> None:
    gauges(card, NOON - 25 * HOUR, throttled=100)
    assert found(cast.provider) == ()
    gauges(card, NOON - 24 * HOUR, throttled=100)
    assert [one.severe for one in found(cast.provider)] == [False]


def test_a_retired_card_and_another_providers_are_not_listed(cast: Cast, card: Accelerator) -> None:
    theirs = factories.make_accelerator(make_node(cast.outsider, "theirs"), 0)
    event(card, "xid", 79)
    event(theirs, "xid", 79)
    assert [one.card_id for one in found(cast.provider)] == [card.id]
    assert [one.card_id for one in found(cast.outsider)] == [theirs.id]
    Accelerator.objects.filter(pk=card.pk).update(retired_at=NOON)
    assert found(cast.provider) == ()


def test_errors_stand_before_what_is_only_slow(cast: Cast, card: Accelerator, django_assert_num_queries: Any) -> None:
    hot = factories.make_accelerator(card.node, 0)
    gauges(hot, NOON - HOUR, throttled=100)
    event(card, "xid", 79)
    with django_assert_num_queries(5):
        rows = found(cast.provider)
    assert [one.position for one in rows] == [3, 0]


# Output for the same work.
WORK = st.builds(Work, st.integers(0, 10**12), st.decimals(0, 10_000, places=2))


@settings(max_examples=examples(25))
@given(WORK, WORK)
def test_only_a_clear_fall_of_enough_work_is_told(now: Work, before: Work) -> None:
    fell = fell_below_usual(now, before)
    if min(now.busy_hours, before.busy_hours) < BUSY_HOURS_LEAST:
        assert fell is None
    elif fell is not None:
        usual, current = fell
        assert current < usual * BELOW_USUAL
        assert usual > 0


@settings(max_examples=examples(25))
@given(WORK)
def test_nothing_falls_below_itself(work: Work) -> None:
    assert fell_below_usual(work, work) is None


@pytest.mark.parametrize(
    ("now", "before", "fell"),
    [
        (Work(699, Decimal(10)), Work(1000, Decimal(10)), True),
        (Work(700, Decimal(10)), Work(1000, Decimal(10)), False),
        (Work(0, Decimal(10)), Work(1000, Decimal(10)), True),
        (Work(350, Decimal(5)), Work(1000, Decimal(10)), False),
        (Work(0, Decimal("1.99")), Work(1000, Decimal(10)), False),
        (Work(0, Decimal(10)), Work(1000, Decimal("1.99")), False),
        (Work(0, Decimal(10)), Work(0, Decimal(10)), False),
    ],
)
def test_the_fall_at_its_borders(now: Work, before: Work, fell: bool) -> None:
    assert (fell_below_usual(now, before) is not None) is fell


def test_a_part_is_of_what_was_usual() -> None:
    assert Slowed("n", "c", Decimal(400), Decimal(100)).part == Decimal("0.25")


def counted(node: Node, at: datetime, tokens: int) -> None:
    meter = Meter.objects.filter(node=node, witness=Witness.ENGINE).first() or Meter.objects.create(
        witness=Witness.ENGINE, node=node, quantity="output", model="m"
    )
    UsageHour.objects.create(
        meter=meter,
        witness=Witness.ENGINE,
        quantity="output",
        model="m",
        hour_at=at,
        from_at=at,
        to_at=at + HOUR,
        quality=Quality.ACTUAL,
        rule="counted",
        value=tokens,
        updated_at=at,
    )


def work(card: Accelerator, first: datetime, *, tokens: int, used: int = 100) -> None:
    """Three hours of work."""
    for hour in range(3):
        gauges(card, first + hour * HOUR, used=used)
    counted(card.node, first, tokens)


def test_a_node_that_makes_less_for_the_same_work_is_told(
    cast: Cast, card: Accelerator, django_assert_num_queries: Any
) -> None:
    work(card, NOON - 7 * DAY - 5 * HOUR, tokens=3000)
    work(card, NOON - 5 * HOUR, tokens=1500)
    with django_assert_num_queries(5):
        [one] = slowed_nodes(provider=cast.provider, now=NOON + timedelta(minutes=20))
    assert (one.node, one.usual_per_hour, one.now_per_hour, one.part) == (
        "node-1",
        Decimal(1000),
        Decimal(500),
        Decimal("0.5"),
    )
    assert slowed_nodes(provider=cast.outsider, now=NOON) == ()


def test_less_demand_is_no_fall(cast: Cast, card: Accelerator) -> None:
    work(card, NOON - 7 * DAY - 5 * HOUR, tokens=3000)
    work(card, NOON - 5 * HOUR, tokens=2400, used=80)
    assert slowed_nodes(provider=cast.provider, now=NOON) == ()


def test_a_node_without_a_week_behind_it_is_not_compared(cast: Cast, card: Accelerator) -> None:
    work(card, NOON - 5 * HOUR, tokens=1)
    assert slowed_nodes(provider=cast.provider, now=NOON) == ()


def test_the_hour_that_still_fills_is_left_out(cast: Cast, card: Accelerator) -> None:
    work(card, NOON - 7 * DAY - 5 * HOUR, tokens=3000)
    work(card, NOON - 5 * HOUR, tokens=3000)
    gauges(card, NOON, used=100)
    assert slowed_nodes(provider=cast.provider, now=NOON + timedelta(minutes=59)) == ()


def test_slowed_cards_are_what_all_hours_of_all_cards_come_to(cast: Cast) -> None:
    """The hours are looked up by those few in which anything was slowed; each share is still of the whole day."""
    chosen = random.Random(7)
    node = make_node(cast.provider)
    cards = [factories.make_accelerator(node, position) for position in range(8)]
    for card in cards:
        for back in chosen.sample(range(1, 40), 12):
            samples = chosen.choice((0, 100, 360))
            slowed = chosen.choice((0, 0, 0, 1, 40)) if samples else 0
            gauges(card, NOON - back * HOUR, throttled=slowed, samples=samples)
    of: dict[Any, list[tuple[int, int]]] = {}
    for hour in AcceleratorHour.objects.all():
        if NOON - DAY <= hour.hour_at <= NOON and hour.clock_samples:
            of.setdefault(hour.accelerator_id, []).append((hour.throttled_samples, hour.clock_samples))
    shares = {
        card: Decimal(sum(slowed for slowed, _ in hours)) / sum(samples for _, samples in hours)
        for card, hours in of.items()
    }
    expected = {card: part for card, part in shares.items() if part >= THROTTLED_FROM}
    assert {one.card_id: one.throttled for one in troubled_cards(provider=cast.provider, now=NOON)} == expected
    assert 0 < len(expected) < len(cards)


def test_more_nodes_are_asked_for_together(cast: Cast) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            slowed_nodes(provider=cast.provider, now=NOON)
            troubled_cards(provider=cast.provider, now=NOON)
        return len(captured)

    def fallen(name: str) -> None:
        card = factories.make_accelerator(make_node(cast.provider, name))
        work(card, NOON - 7 * DAY - 5 * HOUR, tokens=3000)
        work(card, NOON - 5 * HOUR, tokens=1500)

    fallen("node-0")
    before = asked()
    for place in range(1, 5):
        fallen(f"node-{place}")
    assert asked() == before
    assert [one.node for one in slowed_nodes(provider=cast.provider, now=NOON)] == [f"node-{n}" for n in range(5)]
