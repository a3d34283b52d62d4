"""Files of the tenant's lists: a row for each row of the page, of the tenant alone."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.disputes import open_dispute
from billing.corrections.weighing import Scope
from billing.models import CreditReason
from billing.pages.tenant_files import CONTRACT_HEAD, CREDIT_NOTE_HEAD, LEASE_HEAD, QUESTION_HEAD
from tests.billing.pages.made import Month, make_march
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.world import APRIL
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from billing.models import Invoice
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
LATER = APRIL + timedelta(days=2)


month = kept(make_march)


@kept
def corrected(month: Month) -> Invoice:
    """A closed month with a lease, one question about it and one credit note."""
    found = month.invoice
    open_dispute(invoice=found, position=None, text="Why so much?", by="alice@example.com", now=LATER)
    issue_credit_note(
        invoice_id=found.pk,
        scope=Scope(amount=Decimal("10.00")),
        reason=CreditReason.GOODWILL,
        note="A sample.",
        by="petra@example.com",
        now=LATER,
    )
    return found


@pytest.fixture
def invoice(cast: Cast, client: Client, corrected: Invoice) -> Invoice:
    client.force_login(cast.alice)
    return corrected


def test_leases_are_written_with_what_they_held_and_cost(client: Client, invoice: Invoice) -> None:
    (row,) = rows_of(client.get("/t/leases.csv"))
    assert tuple(row) == LEASE_HEAD
    assert (row["contract"], row["slices"], row["state"]) == (invoice.contract.number, "2", "ended")
    assert (row["gpu_hours_held"], row["price_per_gpu_hour"]) == ("1056.000000", "2.35")
    assert Decimal(row["charged_exact"]) == Decimal("2481.60")
    page = client.get("/t/leases/?view=list").content.decode()
    assert row["lease"] in page
    assert 'href="/t/leases.csv"' in page


def test_questions_and_credit_notes_are_written(client: Client, invoice: Invoice) -> None:
    (question,) = rows_of(client.get("/t/disputes.csv"))
    assert tuple(question) == QUESTION_HEAD
    assert (question["invoice"], question["state"], question["resolved_at_utc"]) == (invoice.number, "open", "")
    assert question["opened_at_utc"] == LATER.isoformat()
    (note,) = rows_of(client.get("/t/credit-notes.csv"))
    assert tuple(note) == CREDIT_NOTE_HEAD
    assert (note["invoice"], note["total"], note["currency"]) == (invoice.number, "10.00", "USD")
    for name in ("disputes", "credit-notes"):
        assert f'href="/t/{name}.csv"' in client.get(f"/t/{name}/").content.decode()


def test_contracts_are_written(client: Client, invoice: Invoice) -> None:
    (row,) = rows_of(client.get("/t/contracts.csv"))
    assert tuple(row) == CONTRACT_HEAD
    assert (row["contract"], row["time_zone"], row["currency"]) == (invoice.contract.number, "UTC", "USD")
    assert 'href="/t/contracts.csv"' in client.get("/t/contracts/").content.decode()


@pytest.mark.parametrize("name", ["leases", "disputes", "credit-notes", "contracts"])
def test_another_tenant_has_an_empty_file(cast: Cast, client: Client, invoice: Invoice, name: str) -> None:
    client.force_login(cast.charlie)
    assert rows_of(client.get(f"/t/{name}.csv")) == []


def test_the_list_of_invoices_can_be_limited_to_the_disputed(client: Client, invoice: Invoice) -> None:
    page = client.get("/t/invoices/?state=disputed")
    assert str(invoice.number) in text_of(page)
    assert [row["number"] for row in rows_of(client.get("/t/invoices.csv?state=disputed"))] == [invoice.number]
    invoice.disputes.update(state="withdrawn", resolved_at=LATER)
    assert "Nothing matches" in text_of(client.get("/t/invoices/?state=disputed"))
