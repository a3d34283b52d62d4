"""Issuing a void invoice again: the period is billed once more, under a new number that names the void one.

What was billed is what is billed, from the void invoice's own evidence; parties, taxes and the due date are those of
now. So an invoice to the wrong company, or with the wrong tax, is voided and issued again; wrong amounts are credited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max, Sum

from billing.invoicing import prepare_again
from billing.issuing import issue_invoice
from billing.models import Adjustment, BillingPeriod, Contract, Invoice, InvoiceEvidence, InvoiceState, PeriodState
from billing.states import in_state
from billing.tax.deciding import TaxWaits
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class NotReissuable(Problem):
    """The invoice is not void, or has no evidence that says what it billed."""

    status = 409
    code = "invoice_not_reissuable"
    title = "The invoice cannot be issued again"


class TaxNotKnown(Problem):
    """Its taxes cannot be worked out yet; asked again later, it may be issued."""

    status = 409
    code = "invoice_tax_not_known"
    title = "The taxes of the invoice are not known yet"


def reissuable(invoice: Invoice) -> bool:
    """Whether an invoice can be issued again: it is void, and was not before."""
    return not _obstacle(invoice) and not Invoice.objects.filter(reissues=invoice).exists()


def reissue_invoice(*, invoice_id: UUID, by: str, now: datetime, stripe_ready: bool = False) -> Invoice:
    """Issue a void invoice again and return the new one; said again it returns the same.

    A question to a tax service is kept, so that trying again later finds the answer: call it outside a transaction.
    Raises Invoice.DoesNotExist, `NotReissuable`, `TaxNotKnown`.
    """
    with transaction.atomic():
        done = _reissue(invoice_id, by, now, stripe_ready=stripe_ready)
    if isinstance(done, TaxWaits):
        detail = sentence("The taxes cannot be worked out yet: enter the rate, or try again in a minute.")
        raise TaxNotKnown(detail, waiting_for=dict(done.missing))
    return done


def _reissue(invoice_id: UUID, by: str, now: datetime, *, stripe_ready: bool) -> Invoice | TaxWaits:
    found = Invoice.objects.get(pk=invoice_id)
    # In the order of a close: the contract, the period, the invoice.
    Contract.objects.select_for_update(no_key=True).get(pk=found.contract_id)
    period = (
        BillingPeriod.objects.select_for_update(of=("self",))
        .select_related("contract__provider", "contract__tenant")
        .get(pk=found.period_id)
    )
    voided = Invoice.objects.select_for_update().get(pk=invoice_id)
    known = Invoice.objects.filter(reissues=voided).first()
    if known is not None:
        return known
    obstacle = _obstacle(voided)
    if obstacle:
        raise NotReissuable(
            sentence("Invoice %(voided)s: %(obstacle)s", voided=voided, obstacle=obstacle), state=voided.state
        )
    voided.period = period
    try:
        prepared = prepare_again(voided=voided, now=now)
    except TaxWaits as waits:
        return waits
    _relink(voided, prepared.invoice, now)
    made = issue_invoice(prepared, now=now, stripe_ready=stripe_ready)
    AuditEntry.objects.create(
        organization_id=made.issuer_id,
        actor=by,
        action="invoice.reissued",
        subject=f"invoice {made.number}",
        before={"invoice": voided.number},
        after={"invoice": made.number, "total": str(made.total)},
        at=now,
    )
    return made


def _obstacle(invoice: Invoice) -> str:
    """What stands in the way of issuing it again, in words; nothing where there is nothing."""
    if invoice.state != InvoiceState.VOID:
        return sentence("it is %(state)s; only a void invoice is issued again.", state=in_state(invoice.state))
    if not InvoiceEvidence.objects.filter(invoice=invoice).exists():
        return sentence("no evidence says what it billed.")
    return ""


def _relink(voided: Invoice, made: Invoice, now: datetime) -> None:
    """Take what no bill has yet of late usage off the void invoice, and put it to the one that stands for it."""
    lines = dict(made.lines.values_list("position", "pk"))
    about = ("source", "into_id", "original__position", "original_id", "term_kind", "term_ref", "model", "rule")
    rows = (
        Adjustment.objects.filter(invoice=voided, into__state=PeriodState.OPEN)
        .values(*about, "about", "unit")
        .annotate(quantities=Sum("quantity"), amounts=Sum("amount"), withholds=Sum("withheld"))
        .order_by("source")
    )
    moved: list[Adjustment] = []
    for row in rows:
        sums = row.pop("quantities"), row.pop("amounts"), row.pop("withholds")
        position, original = row.pop("original__position"), row.pop("original_id")
        if not any(sums):
            continue
        booked = Adjustment.objects.filter(period=voided.period_id, source=row["source"])
        seq = booked.aggregate(last=Max("seq"))["last"]
        for step, sign, invoice, line in ((1, -1, voided, original), (2, 1, made, lines.get(position))):
            quantity, amount, withheld = (sign * each for each in sums)
            moved.append(
                Adjustment(
                    **row,
                    period_id=voided.period_id,
                    seq=seq + step,
                    invoice=invoice,
                    original_id=line,
                    quantity=quantity,
                    amount=amount,
                    withheld=withheld,
                    found_at=now,
                )
            )
    Adjustment.objects.bulk_create(moved)
