"""Telling tenants that an invoice could not be charged: one notice a try, shown in the portal and sent once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from billing.models import CollectionNotice, Invoice, InvoiceState, NoticeKind
from billing.telling import tell_failed_payment
from billing.unsent import claim_unsent
from tenants.models import Membership, Role

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization

READERS: Final = (Role.OWNER, Role.ADMIN, Role.BILLING)
"""Whose address gets a letter, beside the organization's own."""
REASON_CHARACTERS_MAX = 500
CODE_CHARACTERS_MAX = 64


def write_notice(
    *, invoice: Invoice, kind: NoticeKind, attempt: int, reason: str, now: datetime, decline_code: str = ""
) -> bool:
    """Tell the tenant once of one try; whether this call wrote it. Joins the caller's transaction.

    `reason` is what Stripe said, `decline_code` what the bank did, see `billing.collecting.declines`.

    Programs of both parties are told with it, as `payment.failed`.
    """
    _, is_new = CollectionNotice.objects.get_or_create(
        invoice=invoice,
        kind=kind,
        attempt=attempt,
        defaults={
            "reason": reason[:REASON_CHARACTERS_MAX],
            "decline_code": decline_code[:CODE_CHARACTERS_MAX],
            "created_at": now,
            "due_at": now,
        },
    )
    if is_new:
        tell_failed_payment(invoice, why=str(kind), attempt=attempt, at=now)
    return is_new


def standing_notices(tenant: Organization) -> list[CollectionNotice]:
    """Return the latest notice of each of the tenant's invoices that is still to be paid, the oldest invoice first."""
    found = (
        CollectionNotice.objects.filter(invoice__tenant=tenant, invoice__state=InvoiceState.ISSUED)
        .select_related("invoice__settlement", "invoice__issuer")
        .order_by("invoice__issued_at", "invoice_id", "-created_at")
    )
    latest: dict[UUID, CollectionNotice] = {}
    for notice in found:
        latest.setdefault(notice.invoice_id, notice)
    return list(latest.values())


def readers_of(tenant: Organization) -> list[str]:
    """Return the addresses of those who pay for an organization, its own first."""
    own = [tenant.billing_email.lower()] if tenant.billing_email else []
    people = Membership.objects.filter(organization=tenant, role__in=READERS, user__is_active=True)
    emails = sorted(email.lower() for email in people.values_list("user__email", flat=True))
    return list(dict.fromkeys([*own, *emails]))


def claim_letters(*, now: datetime, limit: int) -> list[CollectionNotice]:
    """Return notices whose letter is due and now this sweep's.

    Of an invoice that was paid or voided since, nobody is told any more.
    """
    rows = CollectionNotice.objects.filter(invoice__state=InvoiceState.ISSUED)
    return claim_unsent(
        rows.select_related("invoice__tenant", "invoice__issuer", "invoice__settlement"), now=now, limit=limit
    )
