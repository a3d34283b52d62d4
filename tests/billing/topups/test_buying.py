"""Credit bought on Stripe's page: granted once when it is paid, booked as held by Stripe, whoever looks first."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.bookkeeping.causes import origins
from billing.books import check_books
from billing.credit_grants import grants_of
from billing.ledger import balances
from billing.models import AccountKind, Contract, LedgerPosting, TopUp
from billing.topups.buying import (
    FORGOTTEN_AFTER,
    LOOK_EVERY,
    WrongTopUp,
    look_at_session,
    look_at_top_up,
    open_top_up,
    open_top_ups,
    start_top_up,
)
from tenants.hook_models import WebhookEndpoint, WebhookEvent
from tenants.hooks.signing import new_secret
from tenants.ids import new_id
from tests.billing.collected import gateway_of
from tests.billing.topups.prepaid import BACK, prepaid_contract
from tests.billing.world import MARCH, make_world

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
NOW = MARCH + timedelta(days=3)


@pytest.fixture
def contract() -> Contract:
    return prepaid_contract()


def started(contract: Contract, amount: str = "250.00") -> TopUp:
    return start_top_up(contract=contract, amount=Decimal(amount), by="alice@example.com", now=NOW)


def opened(contract: Contract, double: StripeDouble) -> TopUp:
    top_up = started(contract)
    open_top_up(top_up_id=top_up.pk, return_url=BACK, gateway=gateway_of(double), now=NOW)
    top_up.refresh_from_db()
    return top_up


def test_what_is_paid_is_granted_and_booked_once(contract: Contract, double: StripeDouble) -> None:
    top_up = opened(contract, double)
    gateway = gateway_of(double)
    assert not look_at_top_up(top_up_id=top_up.pk, gateway=gateway, now=NOW)
    double.complete_checkout(top_up.session_id)
    session = gateway.get_session(top_up.session_id)
    for _time in range(3):
        assert look_at_session(session=session, gateway=gateway, now=NOW)
    [grant] = grants_of([top_up.term_id])[top_up.term_id].values()
    assert (grant.amount, grant.bought, grant.from_at) == (Decimal("250.00"), True, NOW)
    held = balances(organization_id=contract.provider_id)
    assert held[AccountKind.STRIPE_CLEARING, "EUR"] == Decimal(250)
    assert held[AccountKind.BANK_CLEARING, "EUR"] == 0
    assert balances(organization_id=contract.tenant_id)[AccountKind.PREPAID_CREDIT, "EUR"] == Decimal(-250)
    top_up.refresh_from_db()
    assert (top_up.state, top_up.url) == ("paid", "")
    assert top_up.payment_intent_id
    assert [check.name for check in check_books() if not check.holds] == []


def test_both_parties_are_told_once_of_what_is_bought(contract: Contract, double: StripeDouble) -> None:
    for party in (contract.provider, contract.tenant):
        WebhookEndpoint.objects.create(
            organization=party, url="https://hooks.example/", kinds=["credit.*"], secret=new_secret(), created_at=NOW
        )
    top_up = opened(contract, double)
    double.complete_checkout(top_up.session_id)
    for _time in range(2):
        look_at_top_up(top_up_id=top_up.pk, gateway=gateway_of(double), now=NOW)
    for party in (contract.provider, contract.tenant):
        event = WebhookEvent.objects.get(organization=party)
        assert event.kind == "credit.bought"
        assert event.body == {
            "id": str(top_up.pk),
            "contract_id": str(contract.pk),
            "contract": contract.number,
            "grant": top_up.grant_name,
            "currency": "EUR",
            "amount": "250.00",
            "received_at": "2026-03-04T00:00:00Z",
        }


def test_a_page_is_opened_once(contract: Contract, double: StripeDouble) -> None:
    top_up = opened(contract, double)
    again = open_top_up(top_up_id=top_up.pk, return_url=BACK, gateway=gateway_of(double), now=NOW)
    assert again == top_up.url
    assert again


def test_a_form_sent_twice_is_one_purchase_and_with_another_amount_another(contract: Contract) -> None:
    form = new_id()

    def sent(amount: str) -> TopUp:
        return start_top_up(contract=contract, amount=Decimal(amount), by="alice", now=NOW, top_up_id=form)

    first = sent("250.00")
    assert first.pk == form
    assert sent("250").pk == form
    other = sent("300.00")
    assert other.pk != form
    assert TopUp.objects.count() == 2


def test_the_sweep_looks_until_it_is_over(contract: Contract, double: StripeDouble) -> None:
    top_up = started(contract)
    assert open_top_ups(now=NOW, limit=9) == []
    assert open_top_ups(now=NOW + LOOK_EVERY, limit=9) == [top_up.pk]
    later = NOW + FORGOTTEN_AFTER + timedelta(seconds=1)
    assert look_at_top_up(top_up_id=top_up.pk, gateway=gateway_of(double), now=later)
    assert open_top_ups(now=later + LOOK_EVERY, limit=9) == []
    assert TopUp.objects.get().state == "expired"


def test_another_amount_than_was_asked_for_is_left_to_a_person(contract: Contract, double: StripeDouble) -> None:
    top_up = opened(contract, double)
    double.complete_checkout(top_up.session_id)
    TopUp.objects.update(amount=Decimal(300))
    assert look_at_top_up(top_up_id=top_up.pk, gateway=gateway_of(double), now=NOW)
    assert TopUp.objects.get().state == "differs"
    assert not grants_of([top_up.term_id])[top_up.term_id]


@pytest.mark.parametrize("amount", ["0", "-1", "0.01", "1.234", "1000000.01", "NaN"])
def test_an_amount_that_cannot_be_charged_is_refused(contract: Contract, amount: str) -> None:
    with pytest.raises(WrongTopUp):
        started(contract, amount)
    assert not TopUp.objects.exists()


def test_the_least_that_can_be_charged_is_said_as_money(contract: Contract) -> None:
    with pytest.raises(WrongTopUp, match=r"at least 0\.50 EUR can be charged"):
        started(contract, "0.01")


def test_a_contract_without_credit_takes_none() -> None:
    with pytest.raises(WrongTopUp, match="no such term"):
        started(make_world().contract)


def test_a_top_up_is_found_behind_its_posting(contract: Contract, double: StripeDouble) -> None:
    top_up = opened(contract, double)
    double.complete_checkout(top_up.session_id)
    look_at_top_up(top_up_id=top_up.pk, gateway=gateway_of(double), now=NOW)
    posting = LedgerPosting.objects.get(cause="top_up")
    assert posting.cause_id == top_up.pk
    origin = origins([posting])[posting.pk]
    assert (str(origin.words), origin.name, origin.contract) == ("Top-up", top_up.term.ref, contract.number)


def test_a_posting_without_its_top_up_is_found(contract: Contract, double: StripeDouble) -> None:
    top_up = opened(contract, double)
    double.complete_checkout(top_up.session_id)
    look_at_top_up(top_up_id=top_up.pk, gateway=gateway_of(double), now=NOW)
    TopUp.objects.all().delete()
    assert "every posting has its cause" in {check.name for check in check_books() if not check.holds}


def test_money_of_a_top_up_is_neither_earned_nor_paid_twice(contract: Contract, double: StripeDouble) -> None:
    """Beside the grant's posting the provider's share of the bank is nothing: Stripe has the money."""
    top_up = opened(contract, double)
    double.complete_checkout(top_up.session_id)
    look_at_top_up(top_up_id=top_up.pk, gateway=gateway_of(double), now=NOW)
    entries = LedgerPosting.objects.filter(cause__in=("top_up", "credit_grant")).values_list(
        "entries__account__kind", "entries__amount"
    )
    by_kind: dict[str, Decimal] = {}
    for kind, amount in entries:
        by_kind[kind] = by_kind.get(kind, Decimal(0)) + amount
    assert by_kind == {"stripe_clearing": 250, "bank_clearing": 0, "prepaid_credit": -250}
