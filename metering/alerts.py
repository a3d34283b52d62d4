"""Writing and reading alerts: one per kind, subject and start; its figures follow what comes in later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from metering.checks import COUNT_LIMIT
from metering.control_models import Alert, AlertKind, AlertState
from tenants.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

RULE_CHARS_MAX: Final = 200
SUBJECT_CHARS_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Misfit:
    """Figures of a stretch that do not fit; `measured` should have stayed within `bound`."""

    kind: AlertKind
    subject: str
    from_at: datetime
    to_at: datetime
    measured: int
    bound: int
    rule: str = ""
    provider_id: UUID | None = None
    tenant_id: UUID | None = None
    deployment_id: UUID | None = None
    node_id: UUID | None = None
    model: str = ""
    quantity: str = ""


def write_alerts(
    *, misfits: Collection[Misfit], kinds: Collection[AlertKind], from_at: datetime, to_at: datetime, now: datetime
) -> int:
    """Store what does not fit, and clear the alerts of these kinds in `[from_at, to_at)` that were not found again.

    Return how many stand open. Sweeping again with the same figures changes nothing but when it was looked at.
    """
    Alert.objects.bulk_create(
        [_row(one, now) for one in misfits],
        update_conflicts=True,
        unique_fields=["kind", "subject", "from_at"],
        update_fields=["to_at", "measured", "bound", "rule", "state", "updated_at"],
    )
    found = {(one.kind.value, one.subject[:SUBJECT_CHARS_MAX], one.from_at) for one in misfits}
    standing = Alert.objects.filter(
        kind__in=list(kinds), state=AlertState.OPEN, from_at__gte=from_at, from_at__lt=to_at
    ).values_list("id", "kind", "subject", "from_at")
    gone = [key for key, *about in standing if tuple(about) not in found]
    Alert.objects.filter(id__in=gone).update(state=AlertState.CLEARED, updated_at=now)
    return len(found)


def alerts_of(organization: Organization) -> QuerySet[Alert]:
    """Return the alerts that an organization is a party of."""
    return Alert.objects.filter(Q(provider=organization) | Q(tenant=organization))


def _row(one: Misfit, now: datetime) -> Alert:
    return Alert(
        id=new_id(),
        kind=one.kind,
        subject=one.subject[:SUBJECT_CHARS_MAX],
        from_at=one.from_at,
        to_at=one.to_at,
        measured=max(-COUNT_LIMIT, min(one.measured, COUNT_LIMIT - 1)),
        bound=min(one.bound, COUNT_LIMIT - 1),
        rule=one.rule[:RULE_CHARS_MAX],
        provider_id=one.provider_id,
        tenant_id=one.tenant_id,
        deployment_id=one.deployment_id,
        node_id=one.node_id,
        model=one.model,
        quantity=one.quantity,
        state=AlertState.OPEN,
        found_at=now,
        updated_at=now,
    )
