"""The operator's page of payouts: paid out, held, paid, failed and back by its buttons alone."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.models import Payout, PayoutTerms
from tenants.models import Membership, Role
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.statements.stated import broken, close_march, make_month, pay
from tests.factories import make_user
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import User
    from tests.billing.world import World
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def world(cast: Cast) -> World:
    made = make_month(parties=(cast.provider, cast.tenant))
    pay(close_march(made))
    return made


@pytest.fixture
def omar(cast: Cast, client: Client) -> User:
    person = make_user("omar@example.com", cast.operator, Role.BILLING)
    client.force_login(person)
    return person


def pay_out(client: Client, world: World) -> Payout:
    client.post(f"/o/payouts/to/{world.provider.id}/", {"currency": "USD"})
    return Payout.objects.latest("created_at")


@pytest.mark.usefixtures("omar")
def test_a_payout_is_made_and_recorded_as_paid(client: Client, world: World) -> None:
    text = text_of(client.get("/o/payouts/"))
    assert f"{world.provider.name} USD $1,663.83 $0.00 $0.00 $1,751.40 $1,663.83" in text
    payout = pay_out(client, world)
    assert "PO-0001 to Provider is on its way." in text_of(client.get("/o/payouts/"))
    client.post(f"/o/payouts/{payout.id}/", {"action": "paid", "text": "SEPA-1"})
    assert "PO-0001 is paid." in text_of(client.get("/o/payouts/"))
    payout.refresh_from_db()
    assert (payout.state, payout.reference) == ("paid", "SEPA-1")
    client.post(f"/o/payouts/{payout.id}/", {"action": "back", "amount": "663.83", "text": "SEPA-R1"})
    assert "PO-0001 came back and is owed again." in text_of(client.get("/o/payouts/"))
    assert payout.reversals.get().amount == Decimal("663.83")
    assert broken() == []


@pytest.mark.usefixtures("omar")
def test_the_file_has_the_payouts_of_the_page(client: Client, world: World) -> None:
    assert rows_of(client.get("/o/payouts.csv")) == []
    payout = pay_out(client, world)
    assert 'href="/o/payouts.csv"' in client.get("/o/payouts/").content.decode()
    [row] = rows_of(client.get("/o/payouts.csv"))
    assert (row["number"], row["provider"], row["currency"]) == (payout.number, world.provider.name, "USD")
    assert (Decimal(row["amount"]), row["state"]) == (Decimal("1663.83"), payout.state)


@pytest.mark.usefixtures("omar")
def test_one_that_failed_can_be_made_again(client: Client, world: World) -> None:
    payout = pay_out(client, world)
    client.post(f"/o/payouts/{payout.id}/", {"action": "failed", "text": "account closed"})
    text = text_of(client.get("/o/payouts/"))
    assert "PO-0001 failed and is owed again." in text
    assert "Failed account closed" in text
    assert pay_out(client, world).number == "PO-0002"


@pytest.mark.usefixtures("omar")
def test_what_cannot_be_is_said_and_changes_nothing(client: Client, world: World) -> None:
    payout = pay_out(client, world)
    pay_out(client, world)
    assert "0.00 USD is available" in text_of(client.get("/o/payouts/"))
    for amount in ("much", "NaN", ""):
        client.post(f"/o/payouts/{payout.id}/", {"action": "back", "amount": amount, "text": "x"})
        assert "is no amount" in text_of(client.get("/o/payouts/"))
    client.post(f"/o/payouts/{payout.id}/", {"action": "paid", "text": ""})
    assert "The reference must have 1 to 200 characters." in text_of(client.get("/o/payouts/"))
    assert Payout.objects.get().state == "in_transit"


@pytest.mark.usefixtures("omar")
def test_payouts_are_held_and_go_on(client: Client, world: World) -> None:
    client.post(f"/o/payouts/hold/{world.provider.id}/", {"reason": "Identity is being checked."})
    text = text_of(client.get("/o/payouts/"))
    assert "Payouts are held." in text
    assert "Identity is being checked." in text
    assert "Pay out now" not in text
    client.post(f"/o/payouts/to/{world.provider.id}/", {"currency": "USD"})
    assert not Payout.objects.exists()
    client.post(f"/o/payouts/hold/{world.provider.id}/", {"reason": ""})
    assert PayoutTerms.objects.get().held_reason == ""
    assert "Pay out now" in text_of(client.get("/o/payouts/"))


def test_who_only_reads_gets_no_buttons(client: Client, world: World, omar: User) -> None:
    Membership.objects.filter(user=omar).update(role=Role.VIEWER)
    assert "Pay out now" not in text_of(client.get("/o/payouts/"))
    assert client.post(f"/o/payouts/to/{world.provider.id}/", {"currency": "USD"}).status_code == 403


@pytest.mark.usefixtures("omar")
def test_what_is_always_held_back_is_set_for_each_provider_once(client: Client, world: World) -> None:
    assert "Provider: card payments for 7 days, and 0 of each currency" in text_of(client.get("/o/payouts/"))
    client.post(f"/o/payouts/hold/{world.provider.id}/", {"hold_days": "14", "amount": "500"})
    text = text_of(client.get("/o/payouts/"))
    assert "It is held back so from now on." in text
    assert text.count("Provider: card payments for 14 days, and 500 of each currency") == 1
    assert "$1,163.83" in text, "1,663.83 less what always stays"
    terms = PayoutTerms.objects.get()
    assert (terms.hold_days, terms.reserve_amount, terms.held_reason) == (14, Decimal(500), "")


@pytest.mark.usefixtures("omar")
@pytest.mark.parametrize(
    ("days", "amount", "words"),
    [
        ("soon", "0", "is no number of days"),
        ("-1", "0", "is no number of days"),
        ("", "0", "is no number of days"),
        ("1234", "0", "is no number of days"),
        ("999", "0", "hold_days"),
        ("7", "all", "is no amount"),
        ("7", "-5", "reserve_amount"),
    ],
)
def test_what_cannot_be_held_back_changes_nothing(
    client: Client, world: World, days: str, amount: str, words: str
) -> None:
    client.post(f"/o/payouts/hold/{world.provider.id}/", {"hold_days": days, "amount": amount})
    assert words in text_of(client.get("/o/payouts/"))
    assert not PayoutTerms.objects.exclude(hold_days=7, reserve_amount=0).exists()
