"""Taking an invoice through the steps of its collection: as the sweep does, and now when a person asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from billing.corrections.applying import apply_before_push
from billing.models import Invoice, Settlement, SettlementState
from billing.queries.invoice_steps import PUSHING
from billing.settlement import retry_settlement, settle
from billing.states import in_state
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from billing.stripe_gateway import StripeGateway

STEPS_MAX: Final = 10
"""Of one invoice at a time; the rest are due at the next look."""


class NothingToPush(Problem):
    """The invoice is at Stripe already, never goes there, or stopped for a person."""

    status = 409
    code = "invoice_not_to_be_pushed"
    title = "There is nothing to hand to Stripe"


def take_steps(*, invoice_id: UUID, gateway: StripeGateway, clock: Callable[[], datetime]) -> None:
    """Let the tenant's balance pay what is not at Stripe yet, then take the steps that are due, as far as they go."""
    apply_before_push(invoice_id=invoice_id, now=clock())
    for _step in range(STEPS_MAX):
        if not settle(invoice_id=invoice_id, gateway=gateway, now=clock()):
            break


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
    take_steps(invoice_id=invoice_id, gateway=gateway, clock=lambda: now)
    return Settlement.objects.get(pk=invoice_id)


def go_on(*, invoice_id: UUID, actor: str, gateway: StripeGateway | None, now: datetime) -> Settlement:
    """Do what can be done about an invoice's collection now, as the page and the API offer it.

    One that stopped, or whose card was declined, is let go on; what is not at Stripe then is handed over at once,
    where there is a gateway to do it. What is charged next is left to the sweep. Raises `NotRetryable` where nothing
    can be done, and Settlement.DoesNotExist.
    """
    if gateway is None or not waits_for_push(invoice_id):
        settlement = retry_settlement(invoice_id=invoice_id, actor=actor, now=now)
        if gateway is None or settlement.state not in PUSHING:
            return settlement
    return push_now(invoice_id=invoice_id, actor=actor, gateway=gateway, now=now)
