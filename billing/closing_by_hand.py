"""Closing a period when a person asks and not only as the sweep comes by: whichever comes first does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from billing.closing import Closed, CloseState, close_period
from billing.models import BillingPeriod
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


@transaction.atomic
def close_now(*, period_id: UUID, actor: str, now: datetime, stripe_ready: bool) -> Closed:
    """Close a period as the sweep would; where it closes, who asked is in the audit log with it: neither is kept
    without the other. Raises as `close_period`."""
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
