"""Grants by name, wherever they were made, and the proof that the ledger says the same of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.closing import close_period
from billing.credit_grants import grants_of, prepaid_against_ledger
from billing.credits import grant_credit
from tests.billing.test_books import broken, forge
from tests.billing.test_credits import grant, prepaid_world
from tests.billing.world import APRIL, MARCH, World
from tests.kept import kept

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db
CHECK = "prepaid credit is grants less what left them"


def drawn_upon() -> World:
    world, term, credit = prepaid_world(
        gift=grant("gift", 10, expires_at=APRIL), paid=grant("paid", 50, bought=True, priority=1)
    )
    grant_credit(term=credit, grant=grant("later", 7, priority=2), recorded_by="provider", now=MARCH)
    term.use({"output": 4_000}, at=MARCH)
    close_period(period_id=world.period().id, now=APRIL)
    return world


drawn = kept(drawn_upon)


def test_grants_are_found_by_name_wherever_they_were_made() -> None:
    _, _, credit = prepaid_world(agreed=grant("agreed", 3))
    grant_credit(term=credit, grant=grant("beside", 4), recorded_by="provider", now=MARCH)
    _, _, other = prepaid_world()
    found = grants_of([credit.pk, other.pk])
    assert {name: int(each.amount) for name, each in found[credit.pk].items()} == {"agreed": 3, "beside": 4}
    assert found[other.pk] == {}


def test_a_sound_ledger_is_looked_at_and_holds() -> None:
    assert prepaid_against_ledger() == (0, [])
    drawn_upon()
    looked_at, wrong = prepaid_against_ledger()
    assert (looked_at, wrong) == (2, [])
    assert CHECK not in broken()


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_creditmovement SET amount = amount + 1",
        "DELETE FROM billing_creditmovement WHERE kind = 'drawn'",
        "DELETE FROM billing_creditmovement WHERE kind = 'expired'",
        "DELETE FROM billing_termfact",
        "UPDATE billing_ledgerentry SET amount = amount - 0.01 WHERE account_id IN "
        "(SELECT id FROM billing_ledgeraccount WHERE kind = 'prepaid_credit')",
        "UPDATE billing_ledgerentry SET amount = amount - 0.01 WHERE account_id IN "
        "(SELECT id FROM billing_ledgeraccount WHERE kind = 'granted_credit')",
    ],
)
def test_a_forged_row_is_found(statement: str) -> None:
    forge(statement)
    assert CHECK in broken()


def test_the_finding_says_whose_balance_and_both_figures(drawn: World) -> None:
    forge("DELETE FROM billing_termfact")
    wrong = prepaid_against_ledger()[1]
    mine = next(each for each in wrong if str(drawn.tenant.pk) in each)
    assert "prepaid_credit: -50.0" in mine
    assert "booked" in mine


def test_queries_do_not_grow_with_terms(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for _ in range(3):
        drawn_upon()
        with django_assert_num_queries(6):
            prepaid_against_ledger()
