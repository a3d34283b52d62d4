"""The tenant's page of its statement of account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.billing.pages.reading import rows_of, text_of
from tests.billing.statements.stated import close_march, make_month, pay

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

APRIL = "?month=2026-04"


def test_it_shows_what_was_invoiced_and_paid(cast: Cast, client: Client) -> None:
    pay(close_march(make_month(parties=(cast.provider, cast.tenant))), "751.40")
    client.force_login(cast.alice)
    text = text_of(client.get(f"/t/statement/{APRIL}"))
    assert "Opening balance $0.00 Invoiced $1,751.40 Paid and credited" in text
    assert "Closing balance $1,000.00 to be paid" in text
    assert "Invoice INV-0001 issued" in text
    assert "Payment of invoice INV-0001" in text
    rows = rows_of(client.get(f"/t/statement.csv{APRIL}"))
    assert [(row["what"], row["amount"], row["balance"]) for row in rows] == [
        ("opening", "", "0.00"),
        ("Invoice INV-0001 issued", "1751.40", "1751.40"),
        ("Payment of invoice INV-0001", "-751.40", "1000.00"),
        ("closing", "", "1000.00"),
    ]
    assert "Nothing moved in these days." in text_of(client.get("/t/statement/?month=2026-03"))


def test_it_names_what_is_to_be_paid_now_and_leads_from_each_line_to_its_invoice(cast: Cast, client: Client) -> None:
    invoice = close_march(make_month(parties=(cast.provider, cast.tenant)))
    pay(invoice, "751.40")
    client.force_login(cast.alice)
    page = client.get(f"/t/statement/{APRIL}")
    assert f"To be paid Invoice Due Left to pay {invoice.number}" in text_of(page)
    assert "Overdue $1,000.00 Movements" in text_of(page), "it was due in spring 2026"
    assert page.content.decode().count(f'href="/t/invoices/{invoice.number}/"') == 3
    assert "Closing balance $1,000.00" in text_of(page)
    pay(invoice, "1000.00")
    assert "No invoice is left to pay." in text_of(client.get(f"/t/statement/{APRIL}"))


def test_accounts_with_several_providers_are_chosen(cast: Cast, client: Client) -> None:
    close_march(make_month(parties=(cast.provider, cast.tenant)))
    close_march(make_month(parties=(cast.outsider, cast.tenant)))
    client.force_login(cast.alice)
    text = text_of(client.get(f"/t/statement/{APRIL}&provider=provider&currency=USD"))
    assert f"{cast.outsider.name} · USD" in text
    assert client.get(f"/t/statement/{APRIL}&provider=nobody&currency=USD").status_code == 404
    assert client.get("/t/statement/?from=never").status_code == 404


def test_without_an_account_it_says_so_and_has_no_file(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    assert "Nothing was booked yet" in text_of(client.get("/t/statement/"))
    assert client.get("/t/statement.csv").status_code == 404
