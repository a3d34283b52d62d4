"""What of the metering is told to programs outside: nodes that fell silent, gaps, witnesses that differ.

Swept, so that taking readings in waits for nobody's webhooks. Each thing is told once, to whoever listens by then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from clusters.models import Allocation, Binding
from metering.control_models import Alert, AlertKind, AlertState, Silence
from metering.models import UsageGap
from tenants.hook_models import WebhookEvent
from tenants.hooks.emitting import emit_to, listeners

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

KEPT: Final = timedelta(days=1)
"""What was found longer ago than this is not told any more to whoever begins to listen."""
TOLD_MAX: Final = 500
"""Of each kind by one sweep; the next tells more."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One thing to be told, and whom it concerns."""

    kind: str
    subject_id: UUID
    parties: AbstractSet[UUID]
    body: dict[str, Any] = field(default_factory=dict)


def tell_metering(*, now: datetime, limit: int = TOLD_MAX) -> int:
    """Tell what was found of late to those whom it concerns and who listen; return how many things were told."""
    told = 0
    for kind, find in (("node.lost", _lost), ("meter.gap", _gaps), ("meter.residual", _residuals)):
        listening = listeners(kind)
        if not listening:
            continue
        for one in find(listening, now, limit):
            with transaction.atomic():
                told += bool(emit_to(one.parties, kind=one.kind, subject_id=one.subject_id, at=now, body=one.body))
    return told


def _lost(listening: AbstractSet[UUID], now: datetime, limit: int) -> Iterator[Telling]:
    """Find silences that last: told to the node's provider, and to those whom it serves or who hold a part of it."""
    standing = Q(to_at__isnull=True) | Q(to_at__gt=now)
    serves = Binding.objects.filter(standing, endpoint__node=OuterRef("node"), from_at__lte=now)
    holds = Allocation.objects.filter(standing, slice__accelerator__node=OuterRef("node"), from_at__lte=now)
    concerns = (
        Q(node__cluster__provider__in=listening)
        | Exists(serves.filter(deployment__tenant__in=listening))
        | Exists(holds.filter(tenant__in=listening))
    )
    untold = Silence.objects.filter(concerns, ~_told("node.lost"), to_at__isnull=True, found_at__gt=now - KEPT)
    for silence in untold.select_related("node__cluster").order_by("pk")[:limit]:
        node = silence.node
        served = Binding.objects.filter(standing, endpoint__node=node, from_at__lte=now)
        held = Allocation.objects.filter(standing, slice__accelerator__node=node, from_at__lte=now)
        tenants = {*served.values_list("deployment__tenant_id", flat=True), *held.values_list("tenant_id", flat=True)}
        body = {
            "id": str(silence.pk),
            "node_id": str(node.pk),
            "node": node.name,
            "cluster": node.cluster.slug,
            "silent_since": _instant(silence.from_at),
        }
        yield Telling("node.lost", silence.pk, {node.cluster.provider_id, *tenants}, body)


def _gaps(listening: AbstractSet[UUID], now: datetime, limit: int) -> Iterator[Telling]:
    """Find gaps: told to the node's provider, and to those whose deployments an endpoint without readings served."""
    serving = Binding.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=OuterRef("from_at")),
        endpoint__node=OuterRef("node"),
        endpoint__url=OuterRef("subject_id"),
        from_at__lt=OuterRef("to_at"),
    )
    concerns = Q(node__cluster__provider__in=listening) | Q(
        Exists(serving.filter(deployment__tenant__in=listening)), subject="endpoint"
    )
    # Ids sort by when a gap was found; a late one may be of any time.
    untold = UsageGap.objects.filter(concerns, ~_told("meter.gap"), pk__gte=_first_id(now - KEPT))
    for gap in untold.select_related("node__cluster").order_by("pk")[:limit]:
        served = Binding.objects.filter(
            Q(to_at__isnull=True) | Q(to_at__gt=gap.from_at),
            endpoint__node=gap.node,
            endpoint__url=gap.subject_id,
            from_at__lt=gap.to_at,
        )
        tenants = set(served.values_list("deployment__tenant_id", flat=True)) if gap.subject == "endpoint" else set()
        body = {
            "id": str(gap.pk),
            "node_id": str(gap.node_id),
            "node": gap.node.name,
            "subject": gap.subject,
            "subject_id": gap.subject_id,
            "reason": gap.reason,
            "from": _instant(gap.from_at),
            "to": _instant(gap.to_at),
        }
        yield Telling("meter.gap", gap.pk, {gap.node.cluster.provider_id, *tenants}, body)


def _residuals(listening: AbstractSet[UUID], now: datetime, limit: int) -> Iterator[Telling]:
    """Find witnesses that differ beyond what the contract allows: told to both of its parties."""
    untold = Alert.objects.filter(
        Q(provider__in=listening) | Q(tenant__in=listening),
        ~_told("meter.residual"),
        kind=AlertKind.RESIDUAL,
        state=AlertState.OPEN,
        found_at__gt=now - KEPT,
    )
    for alert in untold.order_by("pk")[:limit]:
        body = {
            "id": str(alert.pk),
            "deployment_id": str(alert.deployment_id) if alert.deployment_id else None,
            "model": alert.model,
            "quantity": alert.quantity,
            "unexplained": str(alert.measured),
            "allowed": str(alert.bound),
            "from": _instant(alert.from_at),
            "to": _instant(alert.to_at),
        }
        parties = {each for each in (alert.provider_id, alert.tenant_id) if each is not None}
        yield Telling("meter.residual", alert.pk, parties, body)


def _told(kind: str) -> Exists:
    return Exists(WebhookEvent.objects.filter(kind=kind, subject_id=OuterRef("pk")))


def _first_id(at: datetime) -> UUID:
    """Return the least identifier that can have been made at an instant (RFC 9562, version 7: milliseconds first)."""
    return UUID(int=(int(at.timestamp() * 1_000) << 80) | (7 << 76) | (2 << 62))


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
