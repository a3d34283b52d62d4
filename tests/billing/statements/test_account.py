"""A tenant's statement of account: opening, what moved it, closing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.banking.deciding import match_new
from billing.corrections.refunds import Order, mark_sent, request_refund
from billing.ledger import Entry, balance
from billing.models import AccountKind, BalanceKind, RefundMethod
from billing.payments import PaymentMethod
from billing.statements.account import Account, account_of, parties_of
from billing.tenant_balances import locked_balance, move_balance
from tenants.ids import new_id
from tests.billing.banking.statements import Movement, take
from tests.billing.banking.statements import make_account as make_bank_account
from tests.billing.statements.stated import close_march, make_month, pay
from tests.billing.statements.test_stating import correct
from tests.billing.world import APRIL, MARCH, World
from tests.factories import make_organization
from tests.kept import kept

if TYPE_CHECKING:
    from datetime import datetime

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MAY = APRIL + 30 * DAY
TOTAL = Decimal("1751.40")


def make_account() -> World:
    """Invoiced on 1 April, partly paid on the 5th, credited on the 10th, paid on the 20th."""
    world = make_month()
    invoice = close_march(world)
    pay(invoice, "1000.00", at=APRIL + 4 * DAY)
    correct(world, "51.40", at=APRIL + 9 * DAY)
    pay(invoice, "700.00", method=PaymentMethod.BANK_TRANSFER, at=APRIL + 19 * DAY)
    return world


def account(world: World, from_at: datetime = MARCH, to_at: datetime = MAY) -> Account:
    (party,) = parties_of(world.tenant)
    return account_of(world.tenant, party, from_at=from_at, to_at=to_at)


world = kept(make_account)


def test_it_runs_from_opening_to_closing(world: World) -> None:
    found = account(world)
    assert [(line.cause, line.amount, line.balance) for line in found.lines] == [
        ("invoice", TOTAL, TOTAL),
        ("payment", Decimal(-1000), Decimal("751.40")),
        ("credit_note", Decimal("-51.40"), Decimal(700)),
        ("payment", Decimal(-700), Decimal(0)),
    ]
    assert found.opening == found.closing == 0
    assert (found.charged, found.settled) == (TOTAL, -TOTAL)
    assert [bool(line.reference) for line in found.lines] == [False, True, False, True]


def test_a_transfer_is_known_by_what_its_sender_wrote() -> None:
    world = make_month()
    invoice = close_march(world)
    make_bank_account(world.provider)
    take(world.provider, Movement("1800.00", f"{invoice.number}, with thanks", "E-1", day=APRIL.date()))
    match_new(now=APRIL + DAY, limit=5)
    found = account(world)
    assert [(line.cause, line.reference) for line in found.lines] == [
        ("invoice", ""),
        ("payment", "INV-0001, with thanks"),
        ("balance", "INV-0001, with thanks"),
    ]
    assert found.closing == TOTAL - 1800


def test_what_is_paid_out_of_a_balance_is_no_invoice(world: World) -> None:
    kept_at = locked_balance(tenant_id=world.tenant.pk, issuer_id=world.provider.pk, currency="USD")
    back = Entry(world.provider.pk, AccountKind.PROVIDER_PAYABLE, "USD", Decimal(60))
    move_balance(
        account=kept_at,
        kind=BalanceKind.CREDIT_NOTE,
        amount=Decimal(60),
        key="kept",
        cause_id=new_id(),
        memo="Kept",
        at=APRIL + 21 * DAY,
        against=(back,),
    )
    order = Order(Decimal(20), RefundMethod.BANK_TRANSFER, "asked for")
    refund = request_refund(account_id=kept_at.pk, order=order, by="p", now=APRIL + 22 * DAY)
    mark_sent(refund_id=refund.pk, reference="SEPA 7", by="p", now=APRIL + 23 * DAY)
    found = account(world)
    assert (found.charged, found.settled, found.closing) == (TOTAL, -TOTAL - 40, Decimal(-40))
    assert [(line.amount, line.reference) for line in found.lines[-2:]] == [(Decimal(-60), ""), (Decimal(20), "SEPA 7")]


@pytest.mark.parametrize(
    ("from_day", "to_day", "opening", "closing"),
    [
        (0, 4, "0", "1751.40"),
        (4, 9, "1751.40", "751.40"),
        (5, 9, "751.40", "751.40"),
        (9, 19, "751.40", "700"),
        (19, 20, "700", "0"),
        (20, 30, "0", "0"),
    ],
)
def test_any_span_begins_where_the_one_before_ends(
    world: World, from_day: int, to_day: int, opening: str, closing: str
) -> None:
    found = account(world, APRIL + from_day * DAY, APRIL + to_day * DAY)
    assert (found.opening, found.closing) == (Decimal(opening), Decimal(closing))
    assert found.opening + found.charged + found.settled == found.closing


def test_its_closing_is_the_balance_of_the_ledger(world: World) -> None:
    (party,) = parties_of(world.tenant)
    booked = balance(organization_id=world.tenant.id, kind=AccountKind.TENANT_RECEIVABLE, currency="USD")
    assert account(world).closing == party.balance == booked


def test_every_provider_has_an_account_of_its_own(world: World) -> None:
    other = make_month(parties=(make_organization("another", is_provider=True), world.tenant))
    close_march(other)
    parties = parties_of(world.tenant)
    assert [(one.provider_id, one.balance) for one in parties] == [
        (other.provider.id, TOTAL),
        (world.provider.id, Decimal(0)),
    ]
    found = account_of(world.tenant, parties[0], from_at=MARCH, to_at=MAY)
    assert [line.amount for line in found.lines] == [TOTAL]
    assert parties_of(make_organization("nobody")) == []
