"""A statement of account in every kind of currency: the page, its file and the API say the same."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.models import AccountKind
from billing.money import round_to_minor
from billing.statements.account import account_of, parties_of
from portal.figures import EN, money
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.statements.test_api import bearer
from tests.billing.statements.test_gathering import book
from tests.billing.world import APRIL, MARCH, make_world
from tests.filled import api_key

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

PAYABLE, RECEIVABLE, BALANCE = (
    AccountKind.PROVIDER_PAYABLE,
    AccountKind.TENANT_RECEIVABLE,
    AccountKind.TENANT_BALANCE,
)
SPAN = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)


def booked(cast: Cast, currency: str, owed: str, paid: str) -> None:
    """Owed in February, owed and paid again in March, and once more when April begins; under a contract of theirs."""
    make_world(parties=(cast.provider, cast.tenant))
    for at in (MARCH - INSTANT, MARCH, APRIL):
        book(cast, (RECEIVABLE, owed), (PAYABLE, f"-{owed}"), currency=currency, at=at)
    book(cast, (PAYABLE, paid), (RECEIVABLE, f"-{paid}"), currency=currency, at=APRIL - INSTANT)


@pytest.mark.parametrize(
    ("currency", "amounts"),
    [
        ("USD", ("1234.50", "0.01", "2468.99")),
        ("JPY", ("1234", "1", "2467")),
        ("KWD", ("1234.567", "0.001", "2469.133")),
        ("EUR", ("5.00", "20.00", "-10.00")),
        ("EUR", ("5.00", "10.00", "0.00")),
    ],
)
def test_page_file_and_api_say_the_same(
    cast: Cast, client: Client, currency: str, amounts: tuple[str, str, str]
) -> None:
    owed, paid, closing = amounts
    booked(cast, currency, owed, paid)
    query = {"provider": "provider", "currency": currency}
    read = client.get("/api/v1/account", {**SPAN, **query}, headers=bearer(api_key(cast.tenant))).json()
    assert (read["opening"], read["closing"]) == (owed, closing)
    after_first = str(2 * Decimal(owed))
    assert [(line["amount"], line["balance"]) for line in read["lines"]] == [
        (owed, after_first),
        (f"-{paid}", closing),
    ]
    client.force_login(cast.alice)
    address = f"?month=2026-03&provider=provider&currency={currency}"
    rows = rows_of(client.get(f"/t/statement.csv{address}"))
    assert [(row["what"], row["amount"], row["balance"]) for row in rows] == [
        ("opening", "", owed),
        ("Sample", owed, after_first),
        ("Sample", f"-{paid}", closing),
        ("closing", "", closing),
    ]
    assert {row["currency"] for row in rows} == {currency}
    text = text_of(client.get(f"/t/statement/{address}"))
    shown = [money(Decimal(amount), currency, locale=EN) for amount in (owed, closing)]
    assert f"Opening balance {shown[0]}".replace("\N{NO-BREAK SPACE}", " ") in text.replace("\N{NO-BREAK SPACE}", " ")
    assert f"Closing balance {shown[1]}".replace("\N{NO-BREAK SPACE}", " ") in text.replace("\N{NO-BREAK SPACE}", " ")
    assert ("to be paid" in text) == (Decimal(closing) > 0)


def test_what_nets_to_nothing_on_the_account_is_no_line(cast: Cast) -> None:
    """Money that a tenant left ahead, put on an invoice: owed less by as much as is left ahead less."""
    book(cast, (RECEIVABLE, "50"), (PAYABLE, "-50"))
    book(cast, (AccountKind.STRIPE_CLEARING, "20"), (BALANCE, "-20"), at=MARCH + DAY)
    book(cast, (BALANCE, "20"), (RECEIVABLE, "-20"), at=MARCH + 2 * DAY)
    (party,) = parties_of(cast.tenant)
    found = account_of(cast.tenant, party, from_at=MARCH, to_at=APRIL)
    assert [(line.at, line.amount, line.balance) for line in found.lines] == [
        (MARCH, Decimal(50), Decimal(50)),
        (MARCH + DAY, Decimal(-20), Decimal(30)),
    ]
    assert found.closing == party.balance == Decimal(30)


def test_each_currency_is_an_account_of_its_own_and_none_is_added_to_another(cast: Cast, client: Client) -> None:
    for currency, amount in (("KWD", "1.125"), ("JPY", "7"), ("USD", "7.25")):
        book(cast, (RECEIVABLE, amount), (PAYABLE, f"-{amount}"), currency=currency)
    found = [(one.currency, str(round_to_minor(one.balance, one.currency))) for one in parties_of(cast.tenant)]
    assert found == [("JPY", "7"), ("KWD", "1.125"), ("USD", "7.25")]
    read = client.get("/api/v1/balance", headers=bearer(api_key(cast.tenant))).json()["as_tenant"]
    assert [(one["currency"], one["balance"]) for one in read] == found
    client.force_login(cast.charlie)
    for address in ("/t/statement/", "/t/statement.csv"):
        assert client.get(f"{address}?provider=provider&currency=USD").status_code == 404
