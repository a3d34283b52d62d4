"""Leases as both of their parties see them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.charging import charge_period, ensure_periods
from billing.models import BillingPeriod
from billing.queries.lease_list import lease_of, lease_rows, quote_of, quotes_of
from billing.queries.lease_places import lease_sums
from billing.queries.leases import lease_detail
from billing.quoting import reserve_quote
from clusters.models import Allocation
from tests import factories
from tests.billing.let import NOW, fresh, make_floor, quoted, wish
from tests.billing.world import HOUR, MARCH, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


world = kept(make_world)


def test_running_ones_come_by_their_end_then_reserved_then_ended(world: World) -> None:
    ended = world.lease(from_at=MARCH, to_at=MARCH + 2 * DAY)
    later = world.lease(from_at=MARCH, to_at=MARCH + 20 * DAY)
    sooner = world.lease(from_at=MARCH, to_at=MARCH + 10 * DAY)
    ahead = world.lease(from_at=MARCH + 8 * DAY, to_at=MARCH + 9 * DAY)
    rows = lease_rows(world.tenant, MARCH + 5 * DAY)
    assert [row.ref for row in rows] == [sooner.ref, later.ref, ahead.ref, ended.ref]
    assert [row.state for row in rows] == ["running", "running", "reserved", "ended"]


@pytest.mark.parametrize(
    ("at", "state", "hours"),
    [(-1, "reserved", 0), (0, "running", 0), (1, "running", 2), (23, "running", 46), (24, "ended", 48),
     (48, "ended", 48)],
)  # fmt: skip
def test_held_time_grows_from_the_start_to_the_end_and_no_further(
    at: int, state: str, hours: int, world: World
) -> None:
    world.lease(2, from_at=MARCH, to_at=MARCH + DAY)
    [row] = lease_rows(world.tenant, MARCH + at * HOUR)
    assert (row.state, row.gpu_ms_held) == (state, hours * 3_600_000)
    assert (row.slices, row.share_permille, row.price_per_gpu_hour) == (2, 2000, Decimal("2.35"))


def test_both_parties_see_a_lease_and_nobody_else_does() -> None:
    world, other = make_world(), make_world()
    lease = world.lease()
    for side in (world.tenant, world.provider):
        assert [row.ref for row in lease_rows(side, MARCH)] == [lease.ref]
        assert lease_of(side, lease.ref) == lease
    assert lease_rows(other.tenant, MARCH) == []
    assert lease_rows(other.provider, MARCH) == []
    assert lease_of(other.tenant, lease.ref) is None


def test_a_side_can_be_chosen_by_who_is_both() -> None:
    both = factories.make_organization("both", is_provider=True)
    third = factories.make_organization("third", is_provider=True)
    taken = make_world(parties=(third, both)).lease()
    given = make_world(parties=(both, third)).lease()
    assert {row.id for row in lease_rows(both, MARCH)} == {taken.pk, given.pk}
    assert [row.id for row in lease_rows(both, MARCH, party="tenant")] == [taken.pk]
    assert [row.id for row in lease_rows(both, MARCH, party="provider")] == [given.pk]


def test_a_window_is_half_open_and_a_lease_without_an_end_reaches_it(world: World) -> None:
    closed = world.lease(from_at=MARCH, to_at=MARCH + DAY)
    endless = world.lease(from_at=MARCH)

    def seen(start: int, end: int) -> set[str]:
        rows = lease_rows(world.tenant, MARCH, from_at=MARCH + start * DAY, to_at=MARCH + end * DAY)
        return {row.ref for row in rows}

    assert seen(0, 1) == {closed.ref, endless.ref}
    assert seen(1, 2) == {endless.ref}
    assert seen(-2, 0) == set()


def test_what_was_booked_for_one_lease_is_not_anothers(world: World) -> None:
    one, two = world.lease(), world.lease(2)
    ensure_periods(contract=world.contract, now=MARCH)
    charge_period(period_id=world.period().pk, up_to=MARCH + DAY, now=MARCH + DAY)
    charged = {row.ref: row.charged for row in lease_rows(world.tenant, MARCH + DAY)}
    assert charged == {one.ref: Decimal("56.40"), two.ref: Decimal("112.80")}


def test_the_number_of_leases_moves_no_number_of_queries(world: World) -> None:
    counted = []
    for _ in range(2):
        world.lease(2)
        with CaptureQueriesContext(connection) as queries:
            lease_rows(world.tenant, MARCH)
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 6


def test_a_reserved_lease_tells_its_steps_and_its_quote_stands_no_more() -> None:
    world = make_floor()
    quote = quoted(world)
    assert quotes_of(world.tenant, NOW) == [quote]
    lease = reserve_quote(quote_id=quote.pk, by="alice", now=NOW)
    [row] = lease_rows(world.tenant, NOW)
    assert (row.ref, row.state, row.currency) == (lease.ref, "reserved", "USD")
    assert [step.step for step in row.steps] == ["reserved"]
    assert row.to_at == fresh(lease).to_at
    assert quotes_of(world.tenant, NOW) == []


def test_a_quote_stands_up_to_its_expiry_for_both_sides() -> None:
    world, other = make_floor(), make_floor()
    quote = quoted(world, wish(1))
    for side in (world.tenant, world.provider):
        assert quotes_of(side, quote.expires_at) == [quote]
        assert quotes_of(side, quote.expires_at + timedelta(microseconds=1)) == []
        assert quote_of(side, quote.pk) == quote
    assert quotes_of(world.tenant, NOW, party="provider") == []
    assert quotes_of(other.tenant, NOW) == []
    assert quote_of(other.provider, quote.pk) is None
    assert quote_of(world.tenant, UUID(int=0)) is None


def test_a_lease_says_what_it_holds_now_and_never_all_that_it_held_in_turn(world: World) -> None:
    """Jobs of one lease hold cards one after another: while it runs they are not added up, and before and after it
    counts what is held first and last."""
    lease = world.lease(3, from_at=MARCH, to_at=MARCH + 9 * DAY)
    held = Allocation.objects.filter(term_allocation__term=lease).order_by("pk")
    for days, allocation in enumerate(held):
        Allocation.objects.filter(pk=allocation.pk).update(
            from_at=MARCH + days * DAY, to_at=MARCH + days * DAY + DAY - HOUR
        )
    for at, state, slices in (
        (MARCH - HOUR, "reserved", 1),
        (MARCH + DAY + HOUR, "running", 1),
        (MARCH + 5 * DAY, "running", 0),
        (MARCH + 9 * DAY, "ended", 1),
    ):
        (row,) = lease_rows(world.tenant, at)
        assert (row.state, row.slices, row.share_permille) == (state, slices, slices * 1000)


def test_an_exchanged_card_is_counted_once_and_list_page_and_sums_say_the_same(world: World) -> None:
    """At the instant of the exchange, and after the end, when the card that came last did not stand alone."""
    end = MARCH + 9 * DAY
    lease = world.lease(3, from_at=MARCH, to_at=end)
    first, second, _ = Allocation.objects.filter(term_allocation__term=lease).order_by("pk")
    Allocation.objects.filter(pk=first.pk).update(to_at=MARCH + DAY)
    Allocation.objects.filter(pk=second.pk).update(from_at=MARCH + DAY)
    for at in (MARCH + HOUR, MARCH + DAY, MARCH + 2 * DAY, end, end + DAY):
        (row,) = lease_rows(world.tenant, at)
        detail = lease_detail(world.provider, lease.ref, at)
        assert detail is not None
        assert (row.slices, row.share_permille, detail.share_permille, len(detail.parts)) == (2, 2000, 2000, 2)
        assert lease_sums(world.tenant, at, party="tenant").held_permille == (2000 if at < end else 0)


def test_a_contracts_periods_are_found_in_an_index_that_knows_their_ids() -> None:
    """Without one the database looks up what is booked for each lease in the index that keeps periods apart."""
    with connection.cursor() as cursor:
        # In a table of few rows any index costs the same.
        cursor.execute("ALTER TABLE billing_billingperiod DROP CONSTRAINT billing_periods_apart")
        cursor.execute("ALTER TABLE billing_billingperiod DROP CONSTRAINT billing_period_once")
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    periods = BillingPeriod.objects.filter(contract=UUID(int=1)).values("pk")
    for found in (periods, periods.filter(to_at=NOW)):
        assert "Index Only Scan using billing_period_by_end" in found.explain()
