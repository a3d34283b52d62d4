from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.weighing import Scope
from billing.documents.focus_reading import focus_rows, invoice_rows, sum_of
from billing.documents.focus_rules import broken_columns
from billing.models import CreditReason, Invoice, InvoiceState
from tests.billing.documents.taxed import taxed_invoice
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.filled import MODEL, fill

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
LATER = ISSUED_AT + timedelta(days=1)


def test_a_closed_period_is_told_by_class_and_day_and_sums_to_its_total(cast: Cast) -> None:
    invoice = fill(cast).invoice
    rows = list(invoice_rows(invoice))
    assert [broken for row in rows if (broken := broken_columns(row))] == []
    assert sum_of(iter(rows), invoice.currency) == invoice.total
    tokens = [row for row in rows if row["x_Model"] == MODEL and row["ChargeCategory"] == "Usage"]
    assert len(tokens) == 40, "twenty days of two classes"
    assert tokens[0]["ChargePeriodStart"] == "2026-03-01T09:00:00Z"
    assert {row["InvoiceId"] for row in rows} == {invoice.number}
    assert {row["BillingPeriodEnd"] for row in rows} == {"2026-04-01T00:00:00Z"}
    held = [row for row in rows if row["ConsumedUnit"] == "GPU-Seconds"]
    assert sum(row["ConsumedQuantity"] for row in held if isinstance(row["ConsumedQuantity"], Decimal)) == (
        2 * 22 * 24 * 3600
    )


def test_taxes_and_credit_notes_are_rows_of_their_own() -> None:
    invoice = taxed_invoice(exempt=False)
    issue_credit_note(
        invoice_id=invoice.pk,
        scope=Scope(amount=Decimal("10.00")),
        reason=CreditReason.SERVICE,
        note="One day.",
        by="petra@example.com",
        now=ISSUED_AT,
    )
    rows = list(focus_rows(invoice.tenant, issued_from=ISSUED_AT, issued_to=LATER))
    assert [broken for row in rows if (broken := broken_columns(row))] == []
    told = [(row["ChargeCategory"], row["ChargeClass"], row["BilledCost"]) for row in rows]
    assert told == [
        ("Usage", None, Decimal(100)),
        ("Tax", None, Decimal(19)),
        ("Credit", "Correction", Decimal(-10)),
        ("Tax", "Correction", Decimal("-1.90")),
    ]
    assert sum_of(iter(rows), "EUR") == Decimal("107.10")


def test_both_parties_get_theirs_of_the_span_and_nobody_else(cast: Cast) -> None:
    invoice = make_issued((Line("100.00"), Line("23.45")), parties=(cast.provider, cast.tenant))
    void = make_issued(parties=(cast.provider, cast.tenant))
    Invoice.objects.filter(pk=void.pk).update(state=InvoiceState.VOID)

    def numbers(organization: object, shift: timedelta = timedelta()) -> set[object]:
        span = {"issued_from": ISSUED_AT + shift, "issued_to": LATER + shift}
        return {row["InvoiceId"] for row in focus_rows(organization, **span)}  # type: ignore[arg-type]  # of a cast

    assert numbers(cast.tenant) == numbers(cast.provider) == {invoice.number}
    assert numbers(cast.outsider) == set()
    assert numbers(cast.tenant, timedelta(days=1)) == set()
