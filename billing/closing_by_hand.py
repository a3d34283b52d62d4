"""Closing a period, and handing its invoice to Stripe, when a person asks and not only as sweeps come by.

Both are what the sweep does at its next look; whichever comes first does it, and the other finds it done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from billing.closing import Closed, CloseState, close_period
from billing.corrections.applying import apply_before_push
from billing.models import BillingPeriod, Invoice, Settlement, SettlementState
from billing.queries.invoice_steps import PUSHING
from billing.settlement import settle
from billing.states import in_state
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from billing.stripe_gateway import StripeGateway

STEPS_MAX: Final = 10
"""As many as a sweep takes at once."""


class NothingToPush(Problem):
    """The invoice is at Stripe already, never goes there, or stopped for a person."""

    status = 409
    code = "invoice_not_to_be_pushed"
    title = "There is nothing to hand to Stripe"


def close_now(*, period_id: UUID, actor: str, now: datetime, stripe_ready: bool) -> Closed:
    """Close a period as the sweep would; who asked is in the audit log where it closed. Raises as `close_period`."""
    closed = close_period(period_id=period_id, now=now, stripe_ready=stripe_ready)
    if closed.state is CloseState.CLOSED:
        period = BillingPeriod.objects.select_related("contract").get(pk=period_id)
        AuditEntry.objects.create(
            organization_id=period.contract.provider_id,
            actor=actor,
            action="period.closed",
            subject=f"contract {period.contract.number}",
            after={
                "period": period.from_at.isoformat(),
                "invoice": closed.invoice.number if closed.invoice is not None else None,
            },
            at=now,
        )
    return closed


def waits_for_push(invoice_id: UUID) -> bool:
    """Whether an invoice is on its way to Stripe and not there yet."""
    return Settlement.objects.filter(pk=invoice_id, state__in=PUSHING).exists()


def push_now(*, invoice_id: UUID, actor: str, gateway: StripeGateway, now: datetime) -> Settlement:
    """Take the steps of an invoice that are due until it is at Stripe, also where it waits to be tried again.

    Who is at it meanwhile does no harm: every call has its stored key. Stripe's refusal or silence stays on the row, as
    after a sweep. Raises `NothingToPush`, Settlement.DoesNotExist.
    """
    settlement = Settlement.objects.get(pk=invoice_id)
    if settlement.state not in PUSHING:
        raise NothingToPush(
            sentence("The settlement is in state %(state)s.", state=in_state(settlement.state)), state=settlement.state
        )
    invoice = Invoice.objects.get(pk=invoice_id)
    Settlement.objects.filter(pk=invoice_id, state__in=PUSHING, next_try_at__gt=now).update(next_try_at=now)
    AuditEntry.objects.create(
        organization_id=invoice.issuer_id,
        actor=actor,
        action="settlement.pushed",
        subject=f"invoice {invoice.number}",
        after={"state": SettlementState(settlement.state).value},
        at=now,
    )
    apply_before_push(invoice_id=invoice_id, now=now)
    for _step in range(STEPS_MAX):
        if not settle(invoice_id=invoice_id, gateway=gateway, now=now):
            break
    return Settlement.objects.get(pk=invoice_id)
