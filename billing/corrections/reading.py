"""Credit notes, balances, refunds and questions of an organization, and what may be done with them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db.models import F, Prefetch, Q, Sum
from django.db.models.functions import Coalesce

from billing.models import (
    BalanceAccount,
    BalanceMovement,
    CreditNote,
    CreditNoteLine,
    Dispute,
    DisputeMessage,
    DisputeState,
    Invoice,
    InvoiceState,
    Refund,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

ROWS_MAX: Final = 500
PAGE_ROWS: Final = 100
OPEN_FIRST: Final = (F("resolved_at").desc(nulls_first=True), "-opened_at", "-pk")


def credit_notes_of(
    organization: Organization, *, after: tuple[datetime, UUID] | None = None, limit: int = ROWS_MAX
) -> list[CreditNote]:
    """Return the credit notes an organization issued or got, the latest first, from a place on; one more than asked."""
    found = CreditNote.objects.for_org(organization).select_related("invoice", "issuer", "tenant")
    if after is not None:
        found = found.filter(Q(issued_at__lt=after[0]) | Q(issued_at=after[0], pk__lt=after[1]))
    return list(found.order_by("-issued_at", "-pk")[: limit + 1])


def find_credit_note(organization: Organization, **which: object) -> CreditNote | None:
    """Return one credit note of an organization with its lines, or None."""
    lines = CreditNoteLine.objects.select_related("line").order_by("position")
    found = CreditNote.objects.for_org(organization).select_related("invoice", "issuer", "tenant")
    return found.filter(**which).prefetch_related(Prefetch("lines", queryset=lines)).first()


def issued_invoice(organization: Organization, **which: object) -> Invoice | None:
    """Return an invoice that an organization issued, not a draft, or None."""
    found = Invoice.objects.filter(issuer=organization).exclude(state=InvoiceState.DRAFT)
    return found.select_related("tenant", "issuer", "contract", "period").filter(**which).first()


def owed_invoice(organization: Organization, **which: object) -> Invoice | None:
    """Return an invoice that an organization was issued, or None."""
    found = Invoice.objects.filter(tenant=organization).exclude(state=InvoiceState.DRAFT)
    return found.select_related("tenant", "issuer", "contract", "period").filter(**which).first()


def balances_of(organization: Organization) -> QuerySet[BalanceAccount]:
    """Return the balances of an organization, as tenant and as issuer, each with what it stands at as `stands`."""
    found = BalanceAccount.objects.filter(Q(tenant=organization) | Q(issuer=organization))
    return (
        found.select_related("tenant", "issuer")
        .annotate(stands=Coalesce(Sum("movements__amount"), Decimal(0)))
        .order_by("tenant__name", "issuer__name", "currency")
    )


def stands_at(account: BalanceAccount) -> Decimal:
    """Return what `balances_of` annotated a balance with."""
    amount: Decimal = getattr(account, "stands")  # noqa: B009  an annotation, which the type does not know
    return amount


def movements_of(account: BalanceAccount) -> list[BalanceMovement]:
    """Return the latest movements of a balance."""
    return list(account.movements.order_by("-at", "-pk")[:ROWS_MAX])


def refunds_of(organization: Organization) -> QuerySet[Refund]:
    """Return the refunds that an organization gave or gets, the latest first."""
    found = Refund.objects.filter(Q(account__tenant=organization) | Q(account__issuer=organization))
    return found.select_related("account__tenant", "account__issuer", "payment__invoice").order_by(
        "-requested_at", "-pk"
    )


def disputes_of(organization: Organization) -> QuerySet[Dispute]:
    """Return the questions that an organization asked or was asked with what was said, open ones first."""
    messages = DisputeMessage.objects.order_by("at", "pk")
    found = Dispute.objects.for_org(organization).select_related("invoice", "line", "tenant", "issuer", "credit_note")
    return found.prefetch_related(Prefetch("messages", queryset=messages)).order_by(
        F("resolved_at").desc(nulls_first=True), "-opened_at", "-pk"
    )


def dispute_actions(dispute: Dispute, organization: Organization) -> list[str]:
    """Return what an organization may do with a question now."""
    if dispute.state != DisputeState.OPEN:
        return []
    own = ["grant", "uphold"] if dispute.issuer_id == organization.pk else []
    return ["answer", *own, *(["withdraw"] if dispute.tenant_id == organization.pk else [])]
