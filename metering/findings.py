"""Reading what the checks of usage hours found, for either party."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q

from metering.finding_models import UsageFinding
from metering.models import UsageHour
from metering.validation import RULES, Check

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding in words and figures; `looks_for` says what `observed` and `expected` are."""

    hour_at: datetime
    node: str
    model: str
    quantity: str
    rule: str
    severity: str
    observed: int
    expected: int
    looks_for: str
    source: str
    state: str
    found_at: datetime


def findings_for(
    *, organization: Organization, from_at: datetime, to_at: datetime, offset: int = 0, limit: int = 500
) -> list[Finding]:
    """Return findings of a window: a provider's nodes, and a tenant's hours that are nobody else's; newest first."""
    hours = UsageHour.objects.filter(meter=OuterRef("meter"), hour_at=OuterRef("hour_at"))
    own = Exists(hours.filter(tenant=organization))
    others = Exists(hours.filter(tenant__isnull=False).exclude(tenant=organization))
    rows = (
        UsageFinding.objects.filter(hour_at__gte=from_at, hour_at__lt=to_at)
        .filter(Q(node__cluster__provider=organization) | (Q(own) & ~Q(others)))
        .order_by("-hour_at", "meter_id", "rule")
        .values_list(
            "hour_at",
            "node__name",
            "meter__model",
            "meter__quantity",
            "rule",
            "severity",
            "observed",
            "expected",
            "state",
            "found_at",
        )
    )
    return [_finding(*row) for row in rows[offset : offset + limit]]


def _finding(*row: Any) -> Finding:
    hour_at, node, model, quantity, rule, severity, observed, expected, state, found_at = row
    told = RULES[Check(rule)]
    return Finding(
        hour_at, node, model, quantity, rule, severity, observed, expected, told.looks_for, told.source, state, found_at
    )
