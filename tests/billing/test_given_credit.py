"""What a provider gave of credit: every grant with what is left, and nobody else's."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.charging import ensure_periods
from billing.credits import grant_credit
from billing.given_credit import GivenGrant, GrantState, credit_terms, given_grants
from billing.rating.credit import Grant
from tests.billing.test_credits import prepaid_world
from tests.billing.world import MARCH
from tests.factories import make_organization

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
WELCOME = Grant(name="welcome", amount=Decimal(100), from_at=MARCH, expires_at=MARCH + 9 * DAY)


def test_every_grant_is_listed_with_what_is_left_of_it() -> None:
    world, shared, term = prepaid_world(None, welcome=WELCOME)
    later = Grant(name="later", amount=Decimal(50), from_at=MARCH + 5 * DAY, priority=1, bought=True)
    grant_credit(term=term, grant=later, recorded_by="petra@example.com", now=MARCH)
    shared.use({"output": 30_000}, at=MARCH + timedelta(hours=3))
    ensure_periods(contract=world.contract, now=MARCH)
    found = given_grants(world.provider, MARCH + DAY)
    assert found[0] == GivenGrant(
        contract=world.contract.number,
        tenant=world.tenant.name,
        term=term.ref,
        name="welcome",
        currency="USD",
        amount=Decimal("100.00"),
        left=Decimal("70.00"),
        from_at=MARCH,
        expires_at=MARCH + 9 * DAY,
        priority=0,
        bought=False,
        state=GrantState.OPEN,
    )
    assert [(one.name, one.left, one.state, one.bought) for one in found[1:]] == [
        ("later", Decimal(50), GrantState.AHEAD, True)
    ]
    assert given_grants(make_organization("other", is_provider=True), MARCH + DAY) == []


@pytest.mark.parametrize(
    ("days", "tokens", "state"),
    [(1, 0, GrantState.OPEN), (1, 100_000, GrantState.USED_UP), (9, 0, GrantState.EXPIRED)],
)
def test_a_grant_stands_where_its_time_and_its_use_put_it(days: int, tokens: int, state: GrantState) -> None:
    world, shared, _term = prepaid_world(None, welcome=WELCOME)
    if tokens:
        shared.use({"output": tokens}, at=MARCH + timedelta(hours=3))
    ensure_periods(contract=world.contract, now=MARCH)
    [one] = given_grants(world.provider, MARCH + days * DAY)
    assert one.state is state


def test_grants_can_be_made_under_credit_terms_alone() -> None:
    world, _shared, term = prepaid_world(None, welcome=WELCOME)
    assert credit_terms(world.provider) == [term]
    assert credit_terms(world.tenant) == []
