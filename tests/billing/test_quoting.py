"""Quotes hold nothing, and a reservation holds its slices once, for the whole of its span."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from billing.holding import SliceTaken, WrongTerms
from billing.lease_steps import InThePast, NoPriceInForce, NotOpen
from billing.leasing import record_steps
from billing.models import LeaseStep, Quote, Term
from billing.money import to_charge
from billing.queries.lease_list import lease_rows
from billing.quoting import AT_ONCE, NotEnoughFree, QuoteExpired, reserve_quote
from billing.rating.lease_wording import LeaseWording
from billing.term_versions import broken_links
from billing.terms import gpu_hour_price
from clusters.capacity import Wish, WrongWish
from clusters.models import Accelerator, Allocation, Slice, SliceKind
from tests.billing.let import DAY, END, NOW, START, fresh, make_floor, quoted, reserved, steps, wish
from tests.billing.test_holding import race
from tests.billing.world import APRIL, H100, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db


@kept
def world() -> World:
    return make_floor()


quote = kept(quoted)


def test_a_quote_is_the_price_in_force_and_holds_nothing(quote: Quote) -> None:
    assert quote.price_per_gpu_hour == Decimal("2.35")
    assert quote.amount == Decimal(2 * 14 * 24) * Decimal("2.35")
    assert quote.expires_at == NOW + 7 * DAY
    assert quote.wording["price_per_gpu_hour"] == "2.35"
    assert not Allocation.objects.exists()


def test_a_quote_never_outlives_the_start(world: World) -> None:
    assert quoted(world, wish(1, NOW + DAY, END)).expires_at == NOW + DAY


@pytest.mark.parametrize("ago_s", [0, 59, 900])
def test_a_lease_begins_at_once(world: World, ago_s: int) -> None:
    at = NOW + timedelta(seconds=30, microseconds=5)
    begins = at.replace(microsecond=0)
    quote = quoted(world, wish(1, begins - timedelta(seconds=ago_s), END), now=at)
    assert (quote.from_at, quote.expires_at) == (begins, at + AT_ONCE)
    assert quote.amount == to_charge(Fraction("2.35") * int((END - begins).total_seconds()) / 3_600)
    lease = reserve_quote(quote_id=quote.id, by="alice", now=at)
    (row,) = lease_rows(world.tenant, at)
    assert (lease.from_at, row.state) == (begins, "running")
    assert record_steps(term_id=lease.id, now=at) == [LeaseStep.STARTED]
    assert steps(lease) == ["reserved", "started"]


def test_a_start_that_passed_longer_ago_is_refused_with_now(world: World) -> None:
    with pytest.raises(InThePast) as refused:
        quoted(world, wish(1, NOW - AT_ONCE - timedelta(seconds=1), END))
    assert refused.value.extra == {"field": "from", "example": f"from={NOW.isoformat()}"}


def test_reserved_after_its_start_a_lease_is_what_is_left_of_it(world: World) -> None:
    quote = quoted(world, wish(2, NOW + timedelta(seconds=1), NOW + DAY))
    at = NOW + timedelta(minutes=14)
    lease = reserve_quote(quote_id=quote.id, by="alice", now=at)
    held = Allocation.objects.filter(term_allocation__term=lease)
    assert set(held.values_list("from_at", "to_at")) == {(at, NOW + DAY)} == {(lease.from_at, lease.to_at)}
    assert gpu_hour_price(fresh(lease), at) == Decimal("2.35")
    assert broken_links(world.contract) == []


def test_no_price_outlives_the_end_of_its_lease(world: World) -> None:
    quote = quoted(world, wish(1, NOW, NOW + timedelta(minutes=5)))
    assert quote.expires_at == quote.to_at
    with pytest.raises(QuoteExpired):
        reserve_quote(quote_id=quote.id, by="alice", now=quote.to_at)
    assert (
        reserve_quote(quote_id=quote.id, by="alice", now=quote.to_at - timedelta(microseconds=1)).to_at == quote.to_at
    )


def test_reserving_holds_the_slices_for_the_whole_span_once(world: World, quote: Quote) -> None:
    lease = reserve_quote(quote_id=quote.id, by="alice", now=NOW)
    assert reserve_quote(quote_id=quote.id, by="alice", now=NOW + 30 * DAY) == lease
    held = Allocation.objects.filter(term_allocation__term=lease)
    assert set(held.values_list("from_at", "to_at", "tenant_id")) == {(START, END, world.tenant.id)}
    assert held.count() == Allocation.objects.count() == 2
    assert gpu_hour_price(fresh(lease), START) == Decimal("2.35")
    assert steps(lease) == ["reserved"]
    assert broken_links(world.contract) == []


def part(card: Accelerator, label: str, kind: SliceKind, share_permille: int, profile: str = "") -> None:
    Slice.objects.create(
        accelerator=card, label=label, kind=kind, share_permille=share_permille, profile=profile, created_at=NOW
    )


def test_a_lease_of_parts_of_cards_is_titled_by_the_parts(world: World) -> None:
    card = world.make_slices(1)[0].accelerator
    for place in range(3):
        part(card, f"MIG-{place}", SliceKind.MIG, 143, "1g.10gb")
        part(card, f"part-{place}", SliceKind.FRACTION, 250)
    assert reserved(world).title == f"2 × {H100}"
    assert reserved(world, wish(2, kind=SliceKind.MIG, profile="1g.10gb")).title == f"2 × {H100} MIG 1g.10gb"
    quote = quoted(world, wish(2, kind=SliceKind.FRACTION))
    assert (quote.share_permille, quote.amount) == (250, Decimal("2.35") * 14 * 24 / 2)
    assert reserve_quote(quote_id=quote.id, by="alice", now=NOW).title == f"2 × ¼ × {H100}"


def test_a_quote_of_fractions_of_several_sizes_names_none(world: World) -> None:
    card = world.make_slices(1)[0].accelerator
    for share in (125, 500):
        part(card, f"part-{share}", SliceKind.FRACTION, share)
    quote = quoted(world, wish(2, kind=SliceKind.FRACTION))
    assert quote.share_permille is None
    assert reserve_quote(quote_id=quote.id, by="alice", now=NOW).title == f"⅛ × {H100} + ½ × {H100}"


def test_an_expired_quote_is_not_reserved(quote: Quote) -> None:
    with pytest.raises(QuoteExpired, match=quote.number):
        reserve_quote(quote_id=quote.id, by="alice", now=NOW + 8 * DAY)


def test_what_is_not_free_is_refused_with_the_first_instant_at_which_it_is(world: World) -> None:
    reserved(world, wish(3))
    with pytest.raises(NotEnoughFree) as refused:
        quoted(world, wish(2))
    assert refused.value.extra["earliest_start"] == END.isoformat()
    with pytest.raises(NotEnoughFree) as never:
        quoted(world, wish(5))
    assert never.value.extra["earliest_start"] is None


def test_of_two_quotes_for_the_last_slices_one_becomes_a_lease(world: World) -> None:
    first, second = quoted(world, wish(3)), quoted(world, wish(3))
    reserve_quote(quote_id=first.id, by="alice", now=NOW)
    with pytest.raises(NotEnoughFree):
        reserve_quote(quote_id=second.id, by="bob", now=NOW)
    assert Quote.objects.get(pk=second.pk).term_id is None
    assert Term.objects.count() == 1


def test_a_reservation_takes_the_node_with_the_least_room_that_is_enough(world: World) -> None:
    small = {held.id for held in world.make_slices(2)}
    lease = reserved(world)
    assert set(Slice.objects.filter(allocations__term_allocation__term=lease).values_list("id", flat=True)) == small


@pytest.mark.parametrize(
    ("wished", "problem"),
    [
        (wish(0), WrongWish),
        (wish(1, START, None), WrongTerms),
        (wish(1, START, START), WrongWish),
        (wish(1, NOW - DAY, END), InThePast),
        (wish(1, START, END, profile="1g.10gb"), WrongWish),
    ],
)
def test_a_wish_that_cannot_be_is_refused(world: World, wished: Wish, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        quoted(world, wished)


def test_a_wording_that_contradicts_itself_is_refused_with_its_field(world: World) -> None:
    with pytest.raises(WrongTerms) as refused:
        quoted(world, wording=LeaseWording(price_per_gpu_hour=Decimal(1), renew_days=7))
    assert refused.value.extra["field"] == "renew_days"


def test_without_a_price_or_outside_the_contract_nothing_is_quoted(world: World) -> None:
    world.make_slices(1, model="another model")
    with pytest.raises(NoPriceInForce):
        quoted(world, Wish("another model", 1, START, END))
    type(world.contract).objects.filter(pk=world.contract.pk).update(to_at=END - DAY)
    world.contract.refresh_from_db()
    with pytest.raises(NotOpen):
        quoted(world)


@pytest.mark.django_db(transaction=True)
def test_of_concurrent_reservations_as_many_succeed_as_there_is_room() -> None:
    world = make_world(gpus={H100: "2.35"})
    world.make_slices(4)
    quotes = [quoted(world) for _ in range(4)]

    def reserve(quote: Quote) -> Any:
        def act() -> None:
            try:
                reserve_quote(quote_id=quote.id, by="alice", now=NOW)
            except NotEnoughFree as refused:
                raise SliceTaken("late") from refused

        return act

    assert race(*(reserve(quote) for quote in quotes)) == ["SliceTaken"] * 2 + ["held"] * 2
    assert Allocation.objects.values("slice").distinct().count() == Allocation.objects.count() == 4
    # The same quote reserved twice at once is one lease.
    other = make_world(parties=(world.provider, world.tenant), gpus={H100: "2.35"})
    once = quoted(other, wish(1, APRIL, APRIL + DAY))
    race(reserve(once), reserve(once))
    assert Term.objects.filter(contract=other.contract).count() == 1
