"""What the demo waits for in the books, and the hint it gives to a sweep that would come by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F

from billing.models import BillingPeriod, Invoice, InvoiceState, PeriodState, Settlement, SettlementState
from forecourt.celery import app
from forecourt.demo.plan import instant
from metering.models import EventQueue, NodeCursor, RollupCursor

if TYPE_CHECKING:
    from datetime import datetime

    from forecourt.demo.plan import Plan


def everything_is_rolled_up(plan: Plan) -> bool:
    """Say whether every node reported past the month, and every batch and event is in usage hours."""
    reported = NodeCursor.objects.filter(metered_to_at__gte=instant(plan.month_to_ms)).count()
    rolled = RollupCursor.objects.filter(rolled_seq=F("node__cursor__last_seq"), rolled_seq__gt=0).count()
    return reported == rolled == len(plan.nodes) and not EventQueue.objects.exists()


def due_periods_are_closed(now: datetime) -> bool:
    """Say whether periods that have ended are closed."""
    return not BillingPeriod.objects.filter(state=PeriodState.OPEN, to_at__lte=now).exists()


def invoices_to_pay() -> list[str]:
    """Return Stripe's ids of the invoices that wait for their customer."""
    return list(
        Settlement.objects.filter(state=SettlementState.WAIT, invoice__state=InvoiceState.ISSUED)
        .exclude(stripe_invoice_id="")
        .values_list("stripe_invoice_id", flat=True)
    )


def unpaid_invoices() -> int:
    """Return how many issued invoices are not paid yet, without those too small to be collected."""
    waiting = Invoice.objects.filter(state=InvoiceState.ISSUED)
    return waiting.exclude(settlement__state=SettlementState.BELOW_MINIMUM).count()


def sweep(task: str) -> None:
    """Hint a sweep to look now rather than at its next interval."""
    app.send_task(task)
