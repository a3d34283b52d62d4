"""A tenant with several contracts of one provider whose invoices are asked for together."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from billing.collective.gathering import due_groups, gather
from billing.models import Collection, Collective, Invoice, Settlement, SettlementState
from billing.together import set_together
from tests.billing.issued import ISSUED_AT, Line, make_issued

if TYPE_CHECKING:
    from tenants.models import Organization

LATER = ISSUED_AT + timedelta(hours=1)


def waits(
    parties: tuple[Organization, Organization],
    amount: str,
    *,
    minutes: int = 0,
    currency: str = "USD",
    collection: Collection = Collection.SEND_INVOICE,
) -> Invoice:
    """An issued invoice that waits for the others."""
    at = ISSUED_AT + timedelta(minutes=minutes)
    invoice = make_issued([Line(amount)], parties=parties, currency=currency, issued_at=at, collection=collection)
    Settlement.objects.create(invoice=invoice, state=SettlementState.GATHERING, next_try_at=at, updated_at=at)
    return invoice


def asks_together(provider: Organization, tenant: Organization, *, is_on: bool = True) -> None:
    set_together(provider=provider, tenant_slug=tenant.slug, is_on=is_on, by="petra", now=ISSUED_AT)


def gathered(*, stripe: bool = False) -> Collective:
    """What the one group comes to."""
    [group] = due_groups(now=LATER)
    made = gather(group=group, now=LATER, stripe_ready=stripe)
    assert made is not None
    return made


def state_of(invoice: Invoice) -> str:
    return Settlement.objects.get(pk=invoice.pk).state
