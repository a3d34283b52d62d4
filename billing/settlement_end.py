"""The end of a collection: what our books have as paid or void is closed at Stripe too, and what Stripe cannot take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.asking import release
from billing.models import InvoiceState, SettlementState
from billing.settlement_steps import Next, Work, pushed
from billing.stripe_results import WITHDRAWN, apply_stripe_invoice

if TYPE_CHECKING:
    from billing.stripe_amounts import AmountNotRepresentable
    from billing.stripe_answers import StripeInvoice
    from billing.stripe_intents import Result


def close(work: Work) -> Next:
    """Close at Stripe what our books have as paid by hand, or void, so that nobody pays it there as well."""
    seen = pushed(work)
    if seen is not None and seen.status == "draft":
        work.gateway.delete_draft(seen.id)
    elif seen is not None and seen.status in ("open", "uncollectible"):
        seen = _closed(work, seen.id)
    if seen is not None:
        apply_stripe_invoice(invoice_id=work.invoice.pk, seen=seen, now=work.now)
    release(carrier_id=work.invoice.pk, now=work.now)
    if work.invoice.state == InvoiceState.VOID:
        return Next(SettlementState.BY_HAND, work.now, last_error="The invoice is void: nothing is collected.")
    return Next(SettlementState.PAID, work.now)


def withdraw(work: Work, why: AmountNotRepresentable) -> Next:
    """Take back from Stripe what it has no integer for by now, since a part was credited or came by bank.

    It is paid by bank transfer from then on; Stripe's page would take more than is left. What was paid there meanwhile
    is found by the next look.
    """
    seen = pushed(work)
    status = "" if seen is None else seen.status
    if seen is not None and status == "draft":
        work.gateway.delete_draft(seen.id)
    elif seen is not None and status in ("open", "uncollectible"):
        status = _voided(work, seen.id)
    if status == "paid":
        return Next(SettlementState.WAIT, work.now)
    release(carrier_id=work.invoice.pk, now=work.now)
    changes = {"stripe_invoice_id": "", "hosted_url": "", "revision": work.settlement.revision + 1}
    return Next(SettlementState.BY_HAND, work.now, last_error=f"Stripe cannot take {why}.", changes=changes)


def _voided(work: Work, stripe_invoice_id: str) -> str:
    """Void an open invoice at Stripe; how it ended there, paid where somebody was faster."""

    def look_up() -> Result | None:
        status = work.gateway.get_invoice(stripe_invoice_id).status
        return {"status": status} if status in ("paid", "void") else None

    def call(key: str) -> Result:
        return {"status": work.gateway.void(stripe_invoice_id, key).status}

    key = f"inv:{work.invoice.pk}:withdraw:{work.settlement.revision}"
    return str(work.call(WITHDRAWN, key, look_up=look_up, call=call)["status"])


def _closed(work: Work, stripe_invoice_id: str) -> StripeInvoice:
    gateway, void = work.gateway, work.invoice.state == InvoiceState.VOID

    def look_up() -> Result | None:
        status = gateway.get_invoice(stripe_invoice_id).status
        return {"status": status} if status in ("paid", "void") else None

    def call(key: str) -> Result:
        act = gateway.void if void else gateway.mark_paid_out_of_band
        return {"status": act(stripe_invoice_id, key).status}

    key = f"inv:{work.invoice.pk}:{'void' if void else 'oob'}"
    work.call("close", key, look_up=look_up, call=call)
    return gateway.get_invoice(stripe_invoice_id)
