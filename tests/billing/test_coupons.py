"""Coupons are redeemed once a contract, in time, and no more often than there are."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from billing.bases import read_basis, window_of
from billing.basis import rate
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.coupons import (
    TRIES_MAX,
    TRIES_WITHIN,
    CouponOver,
    CouponUsed,
    TooManyCouponTries,
    UnknownCoupon,
    end_coupon,
    offer_coupon,
    offered_coupons,
    redeem_code,
    redeem_coupon,
)
from billing.holding import WrongTerms
from billing.models import Coupon, CouponEnd, CouponTry, Term
from billing.rating.discount import CouponWording, DiscountWording
from tests.billing.test_agreeing import priced
from tests.billing.world import APRIL, MARCH, MODEL, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db
HALF = DiscountWording(percent=Decimal(50), coupon=CouponWording(code="HALF", periods_most=2))
MAY = APRIL + timedelta(days=30)


def offer(world: World, **more: object) -> Coupon:
    said: dict[str, object] = {"provider": world.provider, "wording": HALF, "title": "Half", "now": MARCH, **more}
    return offer_coupon(**said)  # type: ignore[arg-type]  # arguments by name


world = kept(make_world)


def test_a_redeemed_coupon_holds_in_as_many_periods_as_it_says() -> None:
    world = make_world(tokens={(MODEL, "output"): "4"})
    term = priced(world)
    offer(world)
    redeem_coupon(contract=world.contract, code="HALF", now=MARCH)
    billed = []
    for start, end in ((MARCH, APRIL), (APRIL, MAY), (MAY, MAY + timedelta(days=31))):
        term.use({"output": 1_000_000}, at=start)
        ensure_periods(contract=world.contract, now=start)
        billed.append(int(rate(read_basis(window_of(world.period(start)))).exact_total))
        close_period(period_id=world.period(start).id, now=end + timedelta(days=3))
    assert billed == [2, 2, 4]


def test_a_contract_redeems_a_coupon_once_and_only_its_providers() -> None:
    world, other = make_world(tokens={(MODEL, "output"): "4"}), make_world()
    offer(world)
    redeem_coupon(contract=world.contract, code="HALF", now=MARCH)
    with pytest.raises(CouponUsed):
        redeem_coupon(contract=world.contract, code="HALF", now=MARCH)
    with pytest.raises(UnknownCoupon):
        redeem_coupon(contract=other.contract, code="HALF", now=MARCH)


def test_a_coupon_is_over_when_its_time_is_or_all_are_taken(world: World) -> None:
    second = make_world(parties=(world.provider, world.tenant))
    offer(world, redemptions_most=1)
    redeem_coupon(contract=world.contract, code="HALF", now=MARCH)
    with pytest.raises(CouponOver, match="redeemed 1 times"):
        redeem_coupon(contract=second.contract, code="HALF", now=MARCH)
    late = DiscountWording(percent=Decimal(50), coupon=CouponWording(code="LATE"))
    offer(world, wording=late, redeem_by=MARCH)
    with pytest.raises(CouponOver, match="until"):
        redeem_coupon(contract=world.contract, code="LATE", now=MARCH)


@pytest.mark.parametrize(
    "more",
    [
        {"wording": DiscountWording(percent=Decimal(50))},
        {"wording": DiscountWording(percent=Decimal(500), coupon=CouponWording(code="A"))},
        {"wording": DiscountWording(percent=Decimal(50), terms=("S-1",), coupon=CouponWording(code="A"))},
        {"redemptions_most": 0},
    ],
)
def test_an_offer_that_makes_no_sense_is_refused(more: dict[str, object]) -> None:
    with pytest.raises(WrongTerms):
        offer(make_world(), **more)


def test_a_code_is_offered_once(world: World) -> None:
    offer(world)
    with pytest.raises(WrongTerms, match="offered already"):
        offer(world)


def test_a_coupon_that_was_ended_is_over_and_what_was_redeemed_stays(world: World) -> None:
    second = make_world(parties=(world.provider, world.tenant))
    coupon = offer(world)
    term = redeem_coupon(contract=world.contract, code="HALF", now=MARCH)
    for at in (MARCH, APRIL):
        end_coupon(coupon=coupon, now=at)
    assert CouponEnd.objects.get().at == MARCH
    with pytest.raises(CouponOver, match="no longer offered"):
        redeem_coupon(contract=second.contract, code="HALF", now=MARCH)
    assert Term.objects.get(pk=term.pk).to_at is None
    assert offered_coupons(world.provider).get().ended_at == MARCH


def test_a_provider_lists_its_own_coupons_with_how_often_they_were_redeemed(world: World) -> None:
    other = make_world()
    offer(world)
    offer(other)
    redeem_coupon(contract=world.contract, code="HALF", now=MARCH)
    assert [(each.code, each.redeemed, each.ended_at) for each in offered_coupons(world.provider)] == [
        ("HALF", 1, None)
    ]
    assert [each.redeemed for each in offered_coupons(other.provider)] == [0]
    assert not offered_coupons(world.tenant).exists()


def test_codes_cannot_be_guessed_without_end_and_the_bound_is_the_contracts_own() -> None:
    world, other = make_world(), make_world()
    offer(world)
    for number in range(TRIES_MAX):
        with pytest.raises(UnknownCoupon):
            redeem_code(contract=world.contract, code=f"GUESS-{number}", now=MARCH)
    with pytest.raises(TooManyCouponTries, match="10 codes an hour"):
        redeem_code(contract=world.contract, code="HALF", now=MARCH + TRIES_WITHIN - timedelta(seconds=1))
    assert CouponTry.objects.filter(contract=world.contract).count() == TRIES_MAX
    with pytest.raises(UnknownCoupon):
        redeem_code(contract=other.contract, code="HALF", now=MARCH)
    redeem_code(contract=world.contract, code="HALF", now=MARCH + TRIES_WITHIN)
    assert CouponTry.objects.filter(contract=world.contract).count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_last_coupon_goes_to_one_of_all_who_want_it_at_once() -> None:
    first = make_world()
    worlds = [first, *(make_world(parties=(first.provider, first.tenant)) for _ in range(3))]
    offer(first, redemptions_most=1)
    ready, seen = threading.Barrier(len(worlds)), []

    def redeem(world: World) -> None:
        try:
            ready.wait(30)
            redeem_code(contract=world.contract, code="HALF", now=MARCH)
            seen.append("redeemed")
        except CouponOver:
            seen.append("over")
        finally:
            connection.close()

    threads = [threading.Thread(target=redeem, args=(world,)) for world in worlds]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(seen) == ["over", "over", "over", "redeemed"]
    assert offered_coupons(first.provider).get().redeemed == 1
