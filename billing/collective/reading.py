"""Collective invoices as their parties see them: with parts, and what each has left by now."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db.models import Q

from billing.dues import read_dues, with_dues
from billing.models import Collective, CollectivePart, Contract, Invoice, SettlementState, TogetherRule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization


ASKING = (SettlementState.COLLECT, SettlementState.WAIT, SettlementState.ACTION)
"""States in which Stripe's page of an invoice asks for it, and for what it carries."""


@dataclass(frozen=True, slots=True)
class FoundPart:
    """A part: `amount` is what it had left as the collective invoice was made, `left` what it has left now."""

    invoice: Invoice
    amount: Decimal
    left: Decimal


@dataclass(frozen=True, slots=True)
class Found:
    """A collective invoice with its parts, in their order."""

    collective: Collective
    parts: tuple[FoundPart, ...]

    @property
    def left(self) -> Decimal:
        """What is still to be paid of it."""
        return sum((max(part.left, Decimal(0)) for part in self.parts), Decimal(0))

    @property
    def payment_url(self) -> str:
        """The page that takes the payment of all parts; empty where there is none, or nothing is left."""
        if not self.left:
            return ""
        settlements = (getattr(part.invoice, "settlement", None) for part in self.parts)
        asking = (one.hosted_url for one in settlements if one is not None and one.state in ASKING)
        return next((url for url in asking if url), "")


@dataclass(frozen=True, slots=True)
class TenantRule:
    """A tenant of a provider, and whether it is asked for all its invoices together."""

    slug: str
    name: str
    is_on: bool


def collectives_of(organization: Organization) -> QuerySet[Collective]:
    """Return the collective invoices that an organization owes or issued."""
    return Collective.objects.for_org(organization).select_related("issuer", "tenant")


def named(search: str) -> Q:
    """Choose rows of tenants whose name or slug holds a text, whatever its case; all of them by ""."""
    return Q(tenant__name__icontains=search) | Q(tenant__slug__icontains=search) if search else Q()


def with_parts(collectives: Sequence[Collective]) -> list[Found]:
    """Return collective invoices with their parts; two queries, whatever their number."""
    parts = CollectivePart.objects.filter(collective__in=collectives).order_by("position")
    amounts = list(parts.values_list("collective_id", "invoice_id", "amount"))
    chosen = Invoice.objects.filter(pk__in=[one[1] for one in amounts])
    invoices = with_dues(chosen.select_related("contract", "settlement"))
    by_id = {invoice.pk: invoice for invoice in invoices}
    found: dict[UUID, list[FoundPart]] = {one.pk: [] for one in collectives}
    for collective_id, invoice_id, amount in amounts:
        invoice = by_id[invoice_id]
        found[collective_id].append(FoundPart(invoice, amount, read_dues(invoice).left))
    return [Found(one, tuple(found[one.pk])) for one in collectives]


def rules_of(provider: Organization, *, search: str = "") -> list[TenantRule]:
    """Return every tenant of a provider whose name or slug holds `search`, with what was said of it, by name; two
    queries.
    """
    said = dict(TogetherRule.objects.filter(provider=provider).values_list("tenant_id", "is_on"))
    tenants = Contract.objects.filter(named(search), provider=provider).order_by("tenant__name", "tenant__slug")
    rows = tenants.values_list("tenant_id", "tenant__slug", "tenant__name").distinct()
    return [TenantRule(slug, name, said.get(tenant_id, False)) for tenant_id, slug, name in rows]
