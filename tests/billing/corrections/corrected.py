"""Calls that tests of corrections make again and again."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from django.db import connection

from billing.books import check_books
from billing.corrections.amounts import Wanted
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.weighing import Scope
from billing.ledger import balances
from billing.models import AccountKind, CreditNote, CreditReason, Invoice, Payment
from billing.payments import PaymentMethod, record_payment

if TYPE_CHECKING:
    from uuid import UUID

    from tenants.models import Organization

NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)
BY = "petra@provider.example"
_references = count(1)


def pay(invoice: Invoice, amount: str, method: PaymentMethod = PaymentMethod.BANK_TRANSFER) -> Payment:
    return record_payment(
        invoice_id=invoice.pk,
        method=method,
        reference=f"corrected {next(_references)}",
        amount=Decimal(amount),
        currency=invoice.currency,
        received_at=NOW,
        now=NOW,
    )


def credit(
    invoice: Invoice,
    *lines: Wanted,
    amount: str | None = None,
    credit_note_id: UUID | None = None,
    reason: CreditReason = CreditReason.BILLING_ERROR,
) -> CreditNote:
    return issue_credit_note(
        invoice_id=invoice.pk,
        scope=Scope(lines, None if amount is None else Decimal(amount)),
        reason=reason,
        note="Counted twice.",
        by=BY,
        now=NOW,
        credit_note_id=credit_note_id,
    )


def books(organization: Organization) -> dict[str, Decimal]:
    """Return the balances of an organization that are not 0, by account kind."""
    found = balances(organization_id=organization.pk)
    return {str(AccountKind(kind)): amount for (kind, _), amount in found.items() if amount}


def wrong_in_the_books(*names: str) -> dict[str, tuple[str, ...]]:
    """Return what the checks of the books find, after every deferred guard was asked."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    found = {check.name: check.wrong for check in check_books() if check.wrong}
    # Invoices made by hand for these tests have no sublines, charges, sequence or evidence.
    made_by_hand = {
        "lines are their sublines, rounded once",
        "lines are the charges of their period",
        "invoice numbers have no gap",
        "evidence is unchanged and recomputes",
    }
    return {name: wrong for name, wrong in found.items() if name not in made_by_hand or name in names}
