"""Worked cases of money: what an invoice comes to in every kind of currency, and what may be given back of one."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.corrections.amounts import MoreThanLeft, Wanted
from billing.corrections.credit_notes import issue_credit_note
from billing.corrections.weighing import Scope
from billing.dues import dues_of
from billing.ledger import balance
from billing.models import AccountKind, CreditReason
from billing.money import round_to_minor
from billing.stripe_amounts import AmountNotRepresentable, minor_units
from tests.billing.issued import Line, make_issued

Given = dict[str, Any]
Gives = dict[str, Any]
NOW = datetime(2026, 4, 20, tzinfo=UTC)


def currency_forms(given: Given) -> Gives:
    """Lines rounded once to their currency's minor unit, and the whole number that Stripe takes for each."""
    lines = []
    for line in given["lines"]:
        billed = round_to_minor(Decimal(line["exact"]), line["currency"])
        try:
            stripe: int | str = minor_units(billed, line["currency"])
        except AmountNotRepresentable:
            stripe = "not in steps that Stripe takes"
        lines.append({"currency": line["currency"], "billed": str(billed), "stripe": stripe})
    return {"lines": lines}


def refunds(given: Given) -> Gives:
    """Amounts given back of lines of an issued invoice, one after the other."""
    invoice = make_issued([Line(amount) for amount in given["lines"]])
    outcomes = []
    for wish in given["refunds"]:
        scope = Scope(lines=(Wanted(wish["line"], amount=Decimal(wish["amount"])),))
        try:
            made = issue_credit_note(
                invoice_id=invoice.pk, scope=scope, reason=CreditReason.GOODWILL, note="sample", by="sample", now=NOW
            )
        except MoreThanLeft as refused:
            outcomes.append({"refused": refused.detail})
        else:
            outcomes.append({"credited": str(round_to_minor(made.total, made.currency))})
    stands = balance(organization_id=invoice.tenant_id, kind=AccountKind.TENANT_RECEIVABLE, currency="USD")
    return {
        "outcomes": outcomes,
        "left_to_pay": str(round_to_minor(dues_of(invoice).left, "USD")),
        "receivable": str(round_to_minor(stands, "USD")),
    }
