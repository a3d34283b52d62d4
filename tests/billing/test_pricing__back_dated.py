"""A price version that begins in the past is taken only where nothing that was counted or charged costs otherwise."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.charging import charge_period, ensure_periods
from billing.models import PriceVersion
from billing.pricing import PriceTooLate, VersionExists, publish_price_version
from tests.billing.agreements.agreed import DAY, NOON, PRICES
from tests.billing.world import APRIL, H100, HOUR, MARCH, MODEL, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db


@kept
def world() -> World:
    return make_world(tokens=PRICES, gpus={H100: "2"})


def publish(world: World, *, output: str = "1.10", card: str = "2", days_later: int = 1) -> PriceVersion:
    assert world.book is not None
    return publish_price_version(
        book=world.book,
        effective_at=MARCH + days_later * DAY,
        token_prices={(MODEL, "input"): Decimal("0.28"), (MODEL, "output"): Decimal(output)},
        gpu_prices={H100: Decimal(card)},
        now=APRIL,
    )


@pytest.mark.parametrize("output", ["1.11", "1.09"])
def test_tokens_that_are_counted_keep_their_price(world: World, output: str) -> None:
    world.share(rolled_to_at=APRIL).use({"output": 1_000_000}, at=NOON)
    with pytest.raises(PriceTooLate) as caught:
        publish(world, output=output)
    assert caught.value.extra["field"] == "effective_at"
    assert "1.10" in str(caught.value.detail)
    assert PriceVersion.objects.filter(book=world.book).count() == 1
    assert publish(world, output=output, days_later=20).number == 2


def test_the_same_prices_may_begin_in_the_past(world: World) -> None:
    world.share(rolled_to_at=APRIL).use({"output": 1_000_000}, at=NOON)
    assert publish(world).number == 2
    with pytest.raises(VersionExists):
        publish(world)


def test_cards_that_are_charged_keep_their_price(world: World) -> None:
    world.lease(1, from_at=NOON, price=None, rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    charge_period(period_id=world.period().id, up_to=NOON + HOUR, now=NOON + HOUR)
    with pytest.raises(PriceTooLate, match="per GPU-hour"):
        publish(world, card="3")
    assert PriceVersion.objects.filter(book=world.book).count() == 1
