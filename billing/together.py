"""Whether invoices of a tenant are asked for together, and what that changes for one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from billing.models import Collective, Contract, Invoice, TogetherRule
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID


class NoTenantOfYours(Problem):
    """The provider has no contract with such a tenant."""

    status = 422
    code = "no_tenant_of_yours"
    title = "You have no contract with this tenant"


def is_together(*, provider_id: UUID, tenant_id: UUID) -> bool:
    """Say whether invoices between two parties are asked for together; where nothing was said, they are not."""
    return (provider_id, tenant_id) in together_among([(provider_id, tenant_id)])


def together_among(pairs: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Return the (provider, tenant) whose invoices are asked for together; one query."""
    rules = TogetherRule.objects.filter(
        provider_id__in={provider_id for provider_id, _ in pairs},
        tenant_id__in={tenant_id for _, tenant_id in pairs},
        is_on=True,
    )
    return set(rules.values_list("provider_id", "tenant_id")) & set(pairs)


@transaction.atomic
def set_together(*, provider: Organization, tenant_slug: str, is_on: bool, by: str, now: datetime) -> TogetherRule:
    """Say whether a tenant is asked for all its invoices together, from the next one on. Raises `NoTenantOfYours`.

    What waits to be put together goes out by what was said as it was issued.
    """
    tenant = Organization.objects.filter(slug=tenant_slug).first()
    if tenant is None or not Contract.objects.filter(provider=provider, tenant=tenant).exists():
        raise NoTenantOfYours(
            sentence("tenant: you have no contract with %(tenant_slug)s.", tenant_slug=repr(tenant_slug)),
            field="tenant",
        )
    # The provider's row is what two calls at once wait for.
    Organization.objects.select_for_update(no_key=True).get(pk=provider.pk)
    before = is_together(provider_id=provider.pk, tenant_id=tenant.pk)
    rule, _ = TogetherRule.objects.update_or_create(
        provider=provider, tenant=tenant, defaults={"is_on": is_on, "changed_at": now, "changed_by": by}
    )
    if before != is_on:
        AuditEntry.objects.create(
            organization=provider,
            actor=by,
            action="together.set",
            subject=f"organization {tenant.slug}",
            before={"is_on": before},
            after={"is_on": is_on},
            at=now,
        )
    return rule


def collective_of(invoice_id: UUID) -> Collective | None:
    """Return the collective invoice that an invoice is asked for by, if any."""
    return Collective.objects.filter(parts__invoice=invoice_id).first()


def due_of(invoice: Invoice) -> datetime | None:
    """Return when an invoice is to be paid: as its collective invoice says, else as it says itself."""
    collective = collective_of(invoice.pk)
    return collective.due_at if collective is not None else invoice.due_at
