"""What may be known of free capacity, under which contracts, and at what price."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.queries.capacity import capacity_answer, offered_models, open_contracts, price_in_force
from tests.billing.let import DAY, END, NOW, START, make_floor, reserved, wish
from tests.billing.world import H100, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db


@kept
def world() -> World:
    return make_floor()


def test_an_answer_has_what_is_free_its_nodes_and_its_price(world: World) -> None:
    world.make_slices(2)
    answer = capacity_answer(wish(5), [world.contract], NOW)
    assert (answer.free, answer.enough, answer.nodes, answer.earliest_start) == (6, True, 2, START)
    assert (answer.price_per_gpu_hour, answer.currency) == (Decimal("2.35"), "USD")
    few = capacity_answer(wish(7), [world.contract], NOW)
    assert (few.enough, few.nodes, few.earliest_start) == (False, 0, None)


def test_with_several_contracts_no_price_is_named(world: World) -> None:
    other = make_world(parties=(world.provider, world.tenant))
    answer = capacity_answer(wish(1), [world.contract, other.contract], NOW)
    assert (answer.free, answer.price_per_gpu_hour, answer.currency) == (4, None, "")


def test_what_is_taken_is_free_again_at_its_end(world: World) -> None:
    reserved(world, wish(4))
    answer = capacity_answer(wish(1, START + DAY, START + 2 * DAY), [world.contract], NOW)
    assert (answer.free, answer.earliest_start) == (0, END)


def test_open_contracts_are_active_and_run(world: World) -> None:
    assert open_contracts(world.tenant, NOW) == open_contracts(world.provider, NOW) == [world.contract]
    type(world.contract).objects.filter(pk=world.contract.pk).update(to_at=NOW + timedelta(days=1))
    assert open_contracts(world.tenant, NOW + DAY) == []


def test_what_is_offered_is_what_the_providers_have(world: World) -> None:
    assert offered_models([world.contract]) == [(H100, "whole", "")]
    assert offered_models([]) == []


def test_a_price_that_is_not_there_is_none(world: World) -> None:
    assert price_in_force(None, H100, NOW) is None
    assert price_in_force(world.contract.price_book_id, "another model", NOW) is None
