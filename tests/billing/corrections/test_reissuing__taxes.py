"""Issued again with the taxes of now: by the profiles and rates in force, waiting where none is known."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.corrections.reissuing import TaxNotKnown, reissue_invoice
from billing.corrections.voiding import void_invoice
from billing.evidence import differences
from billing.models import Invoice, InvoiceParties, InvoiceTax, TaxQuestion
from billing.tax.service import ask, open_questions
from billing.tax_rules.deciding import Method
from tests.billing.adjusting.test_restatements import wrong
from tests.billing.collected import gateway_of
from tests.billing.corrections.corrected import BY, books
from tests.billing.tax.taxed import VAT_IDS, charges_tax, issued, own_rate, stands, two_leases
from tests.billing.world import APRIL
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db

SOON = APRIL + timedelta(days=3)


def reissue(invoice: Invoice) -> Invoice:
    return reissue_invoice(invoice_id=invoice.pk, by=BY, now=SOON)


def voided(cast: Cast) -> Invoice:
    """An invoice of 100.66 that was issued by what held then, and voided."""
    return void_invoice(invoice_id=issued(two_leases(cast)).pk, reason="No tax on it", by=BY, now=SOON)


first = kept(voided)


def test_a_forgotten_tax_is_on_the_invoice_that_takes_its_place(cast: Cast, first: Invoice) -> None:
    charges_tax(cast.provider)
    stands(cast.provider, "DE", vat_id=VAT_IDS["DE"])
    stands(cast.tenant, "DE")
    again = reissue(first)
    assert (first.tax, first.total) == (Decimal(0), Decimal("100.66"))
    assert (again.subtotal, again.tax, again.total) == (first.subtotal, Decimal("19.13"), Decimal("119.79"))
    assert sum(line.taxed.tax for line in again.lines.select_related("taxed")) == again.tax
    assert differences(json.loads(again.evidence.document)) == []
    assert books(cast.tenant) == {"tenant_receivable": Decimal("119.79")}
    assert books(cast.provider)["tax_payable"] == Decimal("-19.13")
    assert wrong() == []


def test_a_vat_id_that_came_later_reverses_the_charge(cast: Cast) -> None:
    charges_tax(cast.provider)
    stands(cast.provider, "DE", vat_id=VAT_IDS["DE"])
    stands(cast.tenant, "FR")
    first = voided(cast)
    assert first.tax == Decimal("20.13")
    stands(cast.tenant, "FR", vat_id=VAT_IDS["FR"], name="Sample SARL")
    again = reissue(first)
    [rate] = InvoiceTax.objects.filter(invoice=again)
    assert (rate.category, again.tax, again.total) == ("AE", Decimal(0), Decimal("100.66"))
    names = [InvoiceParties.objects.get(invoice=each).buyer.legal_name for each in (first, again)]
    assert names == ["Sample", "Sample SARL"]
    assert wrong() == []


def test_where_no_rate_is_known_nothing_is_issued_until_there_is_one(cast: Cast, first: Invoice) -> None:
    charges_tax(cast.provider)
    stands(cast.provider, "US")
    stands(cast.tenant, "US")
    for _ in range(2):
        with pytest.raises(TaxNotKnown) as refused:
            reissue(first)
    assert refused.value.extra == {"waiting_for": {"kind": "tax_rate", "country": "US", "on": "2026-03-05"}}
    assert Invoice.objects.get() == first
    own_rate(cast.provider, "US", "8.875", date(2026, 1, 1))
    again = reissue(first)
    assert (again.number, again.tax) == ("INV-0002", Decimal("8.93"))
    assert wrong() == []


def test_a_question_to_the_tax_service_is_kept_and_its_answer_found(cast: Cast, double: StripeDouble) -> None:
    first = voided(cast)
    charges_tax(cast.provider, Method.STRIPE, stripe_tax_code="txcd_10010001")
    stands(cast.provider, "DE")
    stands(cast.tenant, "DE")
    for _ in range(2):
        with pytest.raises(TaxNotKnown) as refused:
            reissue(first)
    waiting = {"kind": "tax_service", "state": "waiting", "error": ""}
    asked = str(TaxQuestion.objects.get().pk)
    assert refused.value.extra == {"waiting_for": {**waiting, "question": asked}}
    [question_id] = open_questions(now=SOON, limit=10)
    assert ask(question_id=question_id, gateway=gateway_of(double), now=SOON)
    again = reissue(first)
    assert (again.reissues, again.tax) == (first, Decimal("19.13"))
    assert wrong() == []
