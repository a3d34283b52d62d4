"""How a provider deals with corrections, and how it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from billing.models import CorrectionPolicy
from tenants.models import AuditEntry, Organization

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


def policy_of(provider_id: UUID) -> CorrectionPolicy:
    """Return what a provider said, or the defaults; an answer that was never stored is not stored by asking."""
    return CorrectionPolicy.objects.filter(pk=provider_id).first() or CorrectionPolicy(provider_id=provider_id)


@transaction.atomic
def keep_policy(
    *, provider: Organization, disputes_pause_dunning: bool, applies_balances: bool, by: str, now: datetime
) -> CorrectionPolicy:
    """Keep what a provider says from now on; questions that are open keep the policy they were opened under."""
    before = policy_of(provider.pk)
    said = {"disputes_pause_dunning": disputes_pause_dunning, "applies_balances": applies_balances}
    kept, _ = CorrectionPolicy.objects.update_or_create(pk=provider.pk, defaults=said)
    AuditEntry.objects.create(
        organization=provider,
        actor=by,
        action="correction_policy.kept",
        subject=provider.slug,
        before={name: getattr(before, name) for name in said},
        after=said,
        at=now,
    )
    return kept
