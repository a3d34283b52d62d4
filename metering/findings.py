"""Reading what the checks of usage hours found, for either party."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q

from metering.finding_models import UsageFinding
from metering.models import UsageHour
from metering.validation import PROFILE_DAYS, PROFILED, RULES, Check

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
    """Return findings of a window, newest first: of a provider's nodes, and of a tenant where they tell of it alone."""
    rows = (
        UsageFinding.objects.filter(hour_at__gte=from_at, hour_at__lt=to_at)
        .filter(Q(node__cluster__provider=organization) | _own(organization))
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


def _own(organization: Organization) -> Q:
    """A tenant's findings. What the rule looked at may hold nothing of another tenant: the hour, for a comparison the
    days before it too, and for a register's sum all that was ever counted.
    """
    hour_at = OuterRef("hour_at")
    hours = UsageHour.objects.filter(meter=OuterRef("meter"))
    others = hours.filter(tenant__isnull=False).exclude(tenant=organization)
    before = others.filter(from_at__gte=hour_at - timedelta(days=PROFILE_DAYS), hour_at__lte=hour_at)
    return (
        Exists(hours.filter(hour_at=hour_at, tenant=organization))
        & ~Exists(others.filter(hour_at=hour_at))
        & ~(Q(rule__in=PROFILED) & Exists(before))
        & ~(Q(rule=Check.SUM) & Exists(others))
    )


def _finding(*row: Any) -> Finding:
    hour_at, node, model, quantity, rule, severity, observed, expected, state, found_at = row
    told = RULES[Check(rule)]
    return Finding(
        hour_at, node, model, quantity, rule, severity, observed, expected, told.looks_for, told.source, state, found_at
    )
