"""Payouts and standings as they are read: by whom, in which order, and by every currency of the book."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from billing.ledger import Entry, post
from billing.models import AccountKind, Payout, PayoutMethod, PayoutSchedule, PayoutState, PayoutTerms, StripePayee
from billing.statements import payouts
from billing.statements.paying_out import NoPayout
from billing.statements.paying_out import make_payout as pay_out
from billing.statements.payouts import all_standings, find_payout, payouts_of, standings_of, terms_seen
from tenants.ids import new_id
from tests.billing.pages.reading import text_of
from tests.billing.statements.test_api import bearer
from tests.billing.world import APRIL
from tests.factories import make_organization
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
PAYABLE, STRIPE, BALANCE, RECEIVABLE = (
    AccountKind.PROVIDER_PAYABLE,
    AccountKind.STRIPE_CLEARING,
    AccountKind.TENANT_BALANCE,
    AccountKind.TENANT_RECEIVABLE,
)


def book(cast: Cast, held: str, kind: AccountKind, currency: str = "USD") -> None:
    """Money that Stripe holds for the provider, and whose it is: the provider's, or still the tenant's."""
    whose = cast.tenant.id if kind == BALANCE else cast.provider.id
    post(
        key=f"sample:{new_id()}",
        cause="sample",
        cause_id=new_id(),
        memo="Sample",
        at=APRIL,
        entries=[
            Entry(cast.provider.id, STRIPE, currency, Decimal(held)),
            Entry(whose, kind, currency, -Decimal(held)),
        ],
        provider_id=cast.provider.id,
    )


def make_payout(provider: Organization, number: str, **given: object) -> Payout:
    fields: dict[str, object] = {
        "provider": provider,
        "number": number,
        "currency": "USD",
        "amount": Decimal(10),
        "method": PayoutMethod.BANK,
        "created_at": APRIL,
        "created_by": "sam",
        "updated_at": APRIL,
        **given,
    }
    return Payout.objects.create(**fields)


@kept
def first(cast: Cast) -> Payout:
    return make_payout(cast.provider, "PO-0001")


def test_payouts_are_listed_the_latest_first_each_to_whom_it_concerns(cast: Cast, first: Payout) -> None:
    second = make_payout(cast.provider, "PO-0002", created_at=APRIL + timedelta(days=1))
    others = make_payout(cast.outsider, "PO-0001", created_at=APRIL - timedelta(days=1))
    assert payouts_of(cast.provider) == [second, first]
    assert payouts_of(cast.outsider) == [others]
    assert payouts_of(cast.tenant) == []
    assert payouts_of(cast.operator) == [second, first, others], "the operator makes them all"


def test_payouts_of_one_instant_keep_one_order(cast: Cast) -> None:
    made = [make_payout(cast.provider, f"PO-{place:04d}") for place in range(1, 6)]
    assert payouts_of(cast.provider) == sorted(made, key=lambda one: one.pk, reverse=True)


def test_a_list_has_an_end(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payouts, "PAYOUTS_MAX", 2)
    for place in range(3):
        make_payout(cast.provider, f"PO-{place}", created_at=APRIL + timedelta(days=place))
    assert [one.number for one in payouts_of(cast.provider)] == ["PO-2", "PO-1"]


def test_one_payout_is_found_by_its_provider_and_the_operator(cast: Cast, first: Payout) -> None:
    made = first
    assert find_payout(cast.provider, made.pk) == find_payout(cast.operator, made.pk) == made
    for other in (cast.outsider, cast.tenant):
        assert find_payout(other, made.pk) is None
    assert find_payout(cast.provider, new_id()) is None


def test_terms_that_were_never_set_are_the_usual_ones_and_are_not_stored(cast: Cast) -> None:
    seen = terms_seen(cast.provider)
    assert (seen.method, seen.schedule, seen.hold_days) == (PayoutMethod.BANK, PayoutSchedule.WITH_STATEMENT, 7)
    assert seen.minimum_amount == seen.reserve_amount == 0
    assert seen.held_reason == ""
    assert not PayoutTerms.objects.exists()
    PayoutTerms.objects.create(provider=cast.provider, hold_days=3)
    assert terms_seen(cast.provider).hold_days == 3


def test_a_provider_stands_in_every_currency_of_its_book_and_in_no_other(cast: Cast) -> None:
    for currency in ("USD", "JPY", "EUR"):
        book(cast, "100", PAYABLE, currency)
    found = standings_of(cast.provider, APRIL)
    assert [(one.found.currency, one.found.amount) for one in found] == [
        ("EUR", Decimal("100.00")),
        ("JPY", Decimal(100)),
        ("USD", Decimal("100.00")),
    ]
    assert standings_of(cast.outsider, APRIL) == []


@pytest.mark.parametrize(("held", "currency", "shown"), [("7", "JPY", "7"), ("7.125", "KWD", "7.125")])
def test_what_can_be_paid_is_in_the_minor_unit_of_its_currency(
    cast: Cast, client: Client, held: str, currency: str, shown: str
) -> None:
    book(cast, held, PAYABLE, currency)
    (standing,) = standings_of(cast.provider, APRIL)
    assert str(standing.found.amount) == shown
    (read,) = client.get("/api/v1/balance", headers=bearer(api_key(cast.provider))).json()["as_provider"]
    assert (read["currency"], read["owed"], read["held"], read["amount"]) == (currency, shown, shown, shown)
    assert (read["uncollected"], read["recent"]) == (shown.replace("7.125", "0.000").replace("7", "0"),) * 2


@pytest.mark.parametrize(("method", "sent"), [("stripe", "7.120"), ("bank", "7.125")])
def test_by_transfer_goes_what_stripe_has_an_integer_for_and_the_rest_stays_owed(
    cast: Cast, method: str, sent: str
) -> None:
    book(cast, "7.125", PAYABLE, "KWD")
    PayoutTerms.objects.create(provider=cast.provider, method=method)
    StripePayee.objects.create(
        provider=cast.provider, account_id="acct_1", can_receive=True, created_at=APRIL, seen_at=APRIL
    )
    made = pay_out(provider_id=cast.provider.pk, currency="KWD", by="sam", now=APRIL)
    assert made.amount == Decimal(sent)
    (standing,) = standings_of(cast.provider, APRIL)
    assert standing.found.owed == Decimal("7.125") - Decimal(sent)
    with pytest.raises(NoPayout, match=r"and the least is 0\.010\." if method == "stripe" else "the least is 0.001"):
        pay_out(provider_id=cast.provider.pk, currency="KWD", by="sam", now=APRIL)


def test_what_a_tenant_left_ahead_is_held_and_nobody_is_paid_it(cast: Cast) -> None:
    book(cast, "50.00", BALANCE)
    (standing,) = standings_of(cast.provider, timezone.now())
    assert standing.found.held == Decimal(50)
    assert standing.found.owed == standing.found.amount == 0


def test_the_api_tells_of_the_same_currencies_as_the_page(cast: Cast, client: Client) -> None:
    """In EUR the provider holds what a tenant paid ahead, and is owed nothing: the page has it, and so has the API."""
    book(cast, "50.00", BALANCE, "EUR")
    book(cast, "10.00", PAYABLE)
    read = client.get("/api/v1/balance", headers=bearer(api_key(cast.provider))).json()["as_provider"]
    assert [(one["currency"], one["held"], one["amount"]) for one in read] == [
        ("EUR", "50.00", "0.00"),
        ("USD", "10.00", "10.00"),
    ]
    client.force_login(cast.petra)
    text = text_of(client.get("/p/payouts/"))
    assert "Can be paid out €0.00" in text
    assert "Can be paid out $10.00" in text


def test_every_provider_stands_before_the_operator_but_the_operator_itself(cast: Cast) -> None:
    book(cast, "10.00", PAYABLE)
    other = make_organization("another", is_provider=True)
    post(
        key="of another",
        cause="sample",
        cause_id=new_id(),
        memo="Sample",
        at=APRIL,
        entries=[
            Entry(other.id, PAYABLE, "USD", Decimal(-3)),
            Entry(cast.tenant.id, RECEIVABLE, "USD", Decimal(3)),
        ],
    )
    found = all_standings(APRIL)
    assert [(one.provider, one.found.owed) for one in found] == [(other, Decimal(3)), (cast.provider, Decimal(10))]


@pytest.mark.parametrize("state", [state for state in PayoutState if state != PayoutState.IN_TRANSIT])
def test_whatever_became_of_it_a_payout_stays_in_the_list(cast: Cast, state: PayoutState) -> None:
    make_payout(cast.provider, "PO-0001", state=state, settled_at=APRIL)
    (found,) = payouts_of(cast.provider)
    assert found.state == state
