"""The contract that runs, the price in force, and a step recorded once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.lease_steps import NoPriceInForce, NotOpen, agreed_price, record_step, require_open
from billing.models import LeaseEvent, LeaseStep
from tests.billing.let import DAY, END, NOW, START, make_floor, reserved
from tests.billing.world import H100, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db


@kept
def world() -> World:
    return make_floor()


def test_the_price_in_force_is_the_books_and_never_made_up(world: World) -> None:
    assert agreed_price(world.contract, H100, NOW) == Decimal("2.35")
    with pytest.raises(NoPriceInForce, match="another model"):
        agreed_price(world.contract, "another model", NOW)
    with pytest.raises(NoPriceInForce):
        agreed_price(make_world().contract, H100, NOW)
    world.contract.price_book = None
    with pytest.raises(NoPriceInForce):
        agreed_price(world.contract, H100, NOW)


def test_a_contract_runs_over_the_whole_of_a_span_or_not(world: World) -> None:
    require_open(world.contract, START, END)
    with pytest.raises(NotOpen, match=world.contract.number):
        require_open(world.contract, NOW - DAY, END)
    world.contract.to_at = END
    require_open(world.contract, START, END)
    with pytest.raises(NotOpen):
        require_open(world.contract, START, END + DAY)
    world.contract.state = "terminated"
    with pytest.raises(NotOpen, match="terminated"):
        require_open(world.contract, START, END)


def test_a_step_is_recorded_once(world: World) -> None:
    lease = reserved(world)
    made = [record_step(lease, LeaseStep.STARTED, at=START, by="sweep", now=START) for _ in range(2)]
    assert made == [True, False]
    assert LeaseEvent.objects.filter(step=LeaseStep.STARTED).count() == 1
