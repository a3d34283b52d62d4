"""Prepaid credit: what is left follows from rows, use stops in time, and nothing is drawn twice."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from billing.agreeing import add_adjustment, add_token_price
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.credits import GrantExists, grant_credit
from billing.holding import WrongTerms
from billing.models import CreditMovement, Term
from billing.rating.credit import CreditWording, Grant, HardStop
from billing.rating.token_price_wording import TokenPriceWording
from billing.standing import ContractStanding, standing_of
from metering.models import Witness
from tenants.hook_models import WebhookEndpoint, WebhookEvent
from tenants.hooks.signing import new_secret
from tests import factories
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, Shared, World, make_world

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_django import DjangoAssertNumQueries

STOP = HardStop(
    check_every_s=30,
    counted_within_s=30,
    spend_amount_per_hour_most=Decimal(3_600),
    stop_at_amount=Decimal(20),
    overdrawn_amount_most=Decimal(40),
)


def prepaid_world(stop: HardStop | None = STOP, **grants: Grant) -> tuple[World, Shared, Term]:
    """A contract at 1.00 per 1,000 tokens, with a credit term."""
    world = make_world(tokens={(MODEL, "output"): "1000"})
    endpoint = factories.make_endpoint(world.make_node(rolled_to_at=APRIL), MODEL)
    deployment = factories.make_deployment(world.provider, world.tenant, endpoint, MODEL)
    term = add_token_price(
        contract=world.contract,
        deployments=[deployment],
        wording=TokenPriceWording(witness="gateway"),
        from_at=MARCH,
        to_at=None,
        now=MARCH,
    )
    credit = add_adjustment(
        contract=world.contract,
        wording=CreditWording(grants=tuple(grants.values()), hard_stop=stop),
        from_at=MARCH,
        to_at=None,
        now=MARCH,
        title="Prepaid",
    )
    ensure_periods(contract=world.contract, now=MARCH)
    return world, Shared(term, Witness.GATEWAY, deployment, endpoint, world.tenant), credit


def grant(name: str, amount: int, **more: object) -> Grant:
    fields: dict[str, object] = {"name": name, "amount": Decimal(amount), "from_at": MARCH, **more}
    return Grant(**fields)  # type: ignore[arg-type]  # fields by name


def left(standing: ContractStanding) -> dict[str, int]:
    return {each.grant.name: int(each.left_amount) for each in standing.grants}


@pytest.mark.django_db
def test_what_expires_is_told_to_both_parties_and_what_is_drawn_is_not() -> None:
    world, term, _credit = prepaid_world(soon=grant("soon", 30, expires_at=APRIL), late=grant("late", 50))
    parties = (world.provider, world.tenant)
    for party in parties:
        WebhookEndpoint.objects.create(
            organization=party, url="https://hooks.example/", kinds=["credit.*"], secret=new_secret(), created_at=MARCH
        )
    term.use({"output": 25_000}, at=MARCH)
    close_period(period_id=world.period().id, now=APRIL + HOUR)
    moved = CreditMovement.objects.get(kind="expired")
    for party in parties:
        event = WebhookEvent.objects.get(organization=party)
        assert (event.kind, event.at) == ("credit.expired", APRIL + HOUR)
        assert event.body == {
            "id": str(moved.pk),
            "contract_id": str(world.contract.pk),
            "contract": world.contract.number,
            "grant": "soon",
            "currency": "USD",
            "amount": "5.00",
            "expired_at": "2026-04-01T00:00:00Z",
        }


@pytest.mark.django_db
def test_grants_are_drawn_as_periods_close_and_expire_by_rows() -> None:
    soon = grant("soon", 30, expires_at=APRIL)
    world, term, credit = prepaid_world(soon=soon, late=grant("late", 50))
    grant_credit(term=credit, grant=grant("bought", 5, priority=1, bought=True), recorded_by="provider", now=MARCH)
    term.use({"output": 25_000}, at=MARCH)
    closed = close_period(period_id=world.period().id, now=APRIL)
    assert closed.invoice is not None
    assert closed.invoice.total == 0
    rows = CreditMovement.objects.order_by("grant", "kind").values_list("grant", "kind", "amount")
    assert [(name, kind, int(amount)) for name, kind, amount in rows] == [("soon", "drawn", 25), ("soon", "expired", 5)]
    term.use({"output": 52_000}, at=APRIL)
    ensure_periods(contract=world.contract, now=APRIL)
    assert left(standing_of(world.contract, APRIL + HOUR)) == {"soon": 0, "late": 0, "bought": 3}


@pytest.mark.django_db
def test_a_period_that_waits_and_the_one_that_runs_draw_one_after_the_other() -> None:
    world, term, _ = prepaid_world(only=grant("only", 100))
    term.use({"output": 30_000}, at=MARCH)
    term.use({"output": 50_000}, at=APRIL)
    ensure_periods(contract=world.contract, now=APRIL)
    standing = standing_of(world.contract, APRIL + HOUR)
    assert left(standing) == {"only": 20}
    assert (standing.allowed, int(standing.unpaid_amount)) == (False, 0)
    close_period(period_id=world.period().id, now=APRIL + HOUR)
    assert left(standing_of(world.contract, APRIL + HOUR)) == {"only": 20}


@pytest.mark.django_db
def test_asking_takes_as_many_queries_for_much_use_as_for_little(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    world, term, credit = prepaid_world(only=grant("only", 10**9))
    term.use({"output": 1_000}, at=MARCH)
    with django_assert_num_queries(14):
        standing_of(world.contract, MARCH + HOUR)
    for hours in range(1, 60):
        term.use({"output": 1_000, "input": 0}, at=MARCH + hours * HOUR)
    for number in range(5):
        grant_credit(term=credit, grant=grant(f"more-{number}", 1), recorded_by="provider", now=MARCH)
    with django_assert_num_queries(14):
        standing_of(world.contract, MARCH + 60 * HOUR)


@pytest.mark.django_db
def test_the_same_grant_again_changes_nothing_and_another_of_its_name_is_refused() -> None:
    world, term, credit = prepaid_world(agreed=grant("agreed", 10))
    for _ in range(2):
        grant_credit(term=credit, grant=grant("more", 10), recorded_by="provider", now=MARCH)
    assert left(standing_of(world.contract, MARCH)) == {"agreed": 10, "more": 10}
    for name in ("more", "agreed"):
        with pytest.raises(GrantExists):
            grant_credit(term=credit, grant=grant(name, 11), recorded_by="provider", now=MARCH)
    with pytest.raises(WrongTerms, match="expires"):
        grant_credit(term=credit, grant=grant("over", 1, expires_at=MARCH), recorded_by="provider", now=MARCH)
    with pytest.raises(WrongTerms, match="holds no credit"):
        grant_credit(term=term.term, grant=grant("more", 10), recorded_by="provider", now=MARCH)


@pytest.mark.django_db
def test_without_a_stop_and_without_a_period_use_goes_on() -> None:
    world, term, _ = prepaid_world(stop=None, only=grant("only", 1))
    term.use({"output": 5_000}, at=MARCH)
    standing = standing_of(world.contract, MARCH + HOUR)
    assert (standing.allowed, int(standing.left_amount), standing.stop) == (True, -4, None)
    assert standing_of(make_world().contract, MARCH).allowed


@pytest.mark.django_db
@pytest.mark.parametrize("phase_s", [0, 13, 29])
def test_a_burst_overdraws_no_more_than_the_contract_says(phase_s: int) -> None:
    """A gateway uses at the highest spend and asks every 30 s; what it used is in usage hours 30 s later."""
    world, term, _ = prepaid_world(only=grant("only", 100))
    spend_per_s = Fraction(STOP.spend_amount_per_hour_most) / 3_600
    counted = 0
    second = phase_s
    while True:
        until = int(max(0, second - STOP.counted_within_s) * spend_per_s)
        if until > counted:
            term.use({"output": (until - counted) * 1_000}, at=_hour(counted))
            counted = until
        if not standing_of(world.contract, MARCH + timedelta(days=20)).allowed:
            break
        second += STOP.check_every_s
    overdrawn = second * spend_per_s - 100
    assert 0 < overdrawn <= STOP.overdrawn_amount_most


@pytest.mark.django_db(transaction=True)
def test_workers_that_ask_and_close_at_once_come_to_the_sum_of_the_rows() -> None:
    world, term, _ = prepaid_world(only=grant("only", 100))
    term.use({"output": 70_000}, at=MARCH)
    period, ready, seen = world.period().id, threading.Barrier(4), []

    def work(number: int) -> None:
        try:
            ready.wait(30)
            if number % 2:
                close_period(period_id=period, now=APRIL)
            seen.append(left(standing_of(world.contract, APRIL)))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(seen) == 4
    assert left(standing_of(world.contract, APRIL)) == {"only": 30}
    assert [int(row.amount) for row in CreditMovement.objects.all()] == [70]


def _hour(number: int) -> datetime:
    return MARCH + number * HOUR
