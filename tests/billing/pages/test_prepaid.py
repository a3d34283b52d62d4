"""The tenant's usage page shows what credit and commitments have left, and that use has to stop."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.agreeing import add_adjustment
from billing.pages.prepaid import prepaid
from billing.rating.commitment import CommitmentWording
from tests import factories
from tests.billing.test_credits import STOP, grant, prepaid_world
from tests.billing.world import APRIL, HOUR, MARCH, make_world

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db


def test_grants_commitments_and_a_stop_are_shown() -> None:
    world, term, _ = prepaid_world(
        soon=grant("soon", 30, expires_at=APRIL), late=grant("late", 50), over=grant("over", 5, priority=9)
    )
    add_adjustment(
        contract=world.contract,
        wording=CommitmentWording(amount_per_period=Decimal(200)),
        from_at=MARCH,
        to_at=None,
        now=MARCH,
        title="Spring",
    )
    term.use({"output": 40_000}, at=MARCH)
    shown = prepaid(world.tenant, MARCH + HOUR)
    assert [(line.name, int(line.left)) for line in shown.grants] == [("late", 40), ("over", 5)]
    (table,) = shown.commitments
    assert [int(each) for each in (table.committed, table.used, table.left)] == [200, 40, 160]
    assert (table.title, table.recoupable, shown.stopped) == ("Spring", None, ())
    term.use({"output": 50_000}, at=MARCH + HOUR)
    assert prepaid(world.tenant, MARCH + 2 * HOUR).stopped == (world.contract.number,)


def test_without_any_it_is_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    world = make_world()
    with django_assert_num_queries(1):
        shown = prepaid(world.tenant, MARCH)
    assert (shown.grants, shown.commitments, shown.stopped, shown.stops) == ((), (), (), ())


def test_the_page_says_it_in_words(client: Client) -> None:
    world, term, _ = prepaid_world(only=grant("only", 30, bought=True), later=grant("later", 5, priority=2))
    term.use({"output": 31_000}, at=MARCH)
    client.force_login(factories.make_user("prepaid@example.com", world.tenant))
    page = client.get("/t/usage/").content.decode()
    assert "Prepaid credit" in page
    assert f"Prepaid credit of {world.contract.number} is used up" in page


def test_what_can_be_overdrawn_is_said_where_a_stop_is_agreed(client: Client) -> None:
    world, term, _ = prepaid_world(only=grant("only", 30))
    term.use({"output": 1_000}, at=MARCH)
    (stop,) = prepaid(world.tenant, MARCH + HOUR).stops
    assert (stop.stop_at, stop.overdrawn_most) == (STOP.stop_at_amount, Decimal(40))
    client.force_login(factories.make_user("prepaid@example.com", world.tenant))
    page = " ".join(client.get("/t/credit/").content.decode().split())
    assert f"Use under {world.contract.number} stops when" in page
    assert "It can be overdrawn by $40.00 at most" in page


def test_more_than_the_stated_most_is_explained(client: Client) -> None:
    world, term, _ = prepaid_world(only=grant("only", 30))
    term.use({"output": 71_000}, at=MARCH)
    (stop,) = prepaid(world.tenant, MARCH + HOUR).stops
    assert (stop.overdrawn, stop.overdrawn_most) == (Decimal(41), Decimal(40))
    client.force_login(factories.make_user("prepaid@example.com", world.tenant))
    page = " ".join(client.get("/t/credit/").content.decode().split())
    assert "It is overdrawn by $41.00 now: what was used before the credit was agreed" in page


def test_as_much_as_the_stated_most_needs_no_word(client: Client) -> None:
    world, term, _ = prepaid_world(only=grant("only", 30))
    term.use({"output": 70_000}, at=MARCH)
    client.force_login(factories.make_user("prepaid@example.com", world.tenant))
    assert "It is overdrawn by" not in client.get("/t/credit/").content.decode()
