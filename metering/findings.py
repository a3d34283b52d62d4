"""Reading what the checks of usage hours found, for either party."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Exists, OuterRef, Q

from metering.finding_models import UsageFinding
from metering.models import UsageHour
from metering.validation import PROFILE_DAYS, PROFILED, RULES, Check
from tenants.limits.reader import within_own
from tenants.limits.written_once import written_once
from tenants.listing.paging import Page, Paged, page_values

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding in words and figures; `looks_for` says what `observed` and `expected` are."""

    meter_id: UUID
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


@dataclass(frozen=True, slots=True)
class FindingCount:
    """How many findings of one rule, severity and state there are."""

    rule: str
    severity: str
    state: str
    count: int


OWN_FINDINGS: Final = "findings of the reader's own nodes, and of hours that hold the reader's usage and nobody else's"
_ORDER: Final = ("-hour_at", "meter_id", "rule")
_FINDING: Final = (
    "meter_id",
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


def findings_for(
    *,
    organization: Organization,
    from_at: datetime,
    to_at: datetime,
    rule: str = "",
    state: str = "",
    offset: int = 0,
    limit: int = 500,
) -> list[Finding]:
    """Return findings of a window, newest first: of a provider's nodes, and of a tenant where they tell of it alone.

    `rule` and `state` keep only those; "" keeps all.
    """
    rows = _findings(organization.pk, from_at, to_at)
    rows = rows.filter(rule=rule) if rule else rows
    rows = rows.filter(state=state) if state else rows
    found = rows.order_by(*_ORDER).values_list(*_FINDING)
    with within_own(organization.pk, OWN_FINDINGS):
        return [_finding(*row) for row in found[offset : offset + limit]]


def finding_page(*, organization: Organization, from_at: datetime, to_at: datetime, page: Page) -> Paged[Finding]:
    """Return a page of what `findings_for` returns; one query. Raises WrongCursor."""
    with within_own(organization.pk, OWN_FINDINGS):
        paged = page_values(_findings(organization.pk, from_at, to_at), page, _ORDER, _FINDING)
    return Paged([_finding(*row) for row in paged.rows], paged.next_cursor)


def count_findings(*, organization: Organization, from_at: datetime, to_at: datetime) -> list[FindingCount]:
    """Count what `findings_for` lists, by rule, severity and state."""
    with within_own(organization.pk, OWN_FINDINGS):
        return [FindingCount(*row) for row in _counts(organization.pk, from_at, to_at)]


@written_once
def _counts(organization: UUID, from_at: datetime, to_at: datetime) -> QuerySet[UsageFinding, tuple[Any, ...]]:
    rows = _findings(organization, from_at, to_at).values_list("rule", "severity", "state")
    return rows.annotate(Count("id")).order_by("rule", "severity", "state")


def deployments_of(findings: Iterable[Finding]) -> dict[tuple[UUID, datetime], list[str]]:
    """Return the slugs of the deployments that the findings' meters counted for in their hours."""
    places = {(one.meter_id, one.hour_at) for one in findings}
    rows = (
        UsageHour.objects.filter(
            meter_id__in={meter for meter, _ in places},
            hour_at__in={hour_at for _, hour_at in places},
            deployment__isnull=False,
        )
        .values_list("meter_id", "hour_at", "deployment__slug")
        .distinct()
        .order_by("deployment__slug")
    )
    slugs: dict[tuple[UUID, datetime], list[str]] = {}
    for meter_id, hour_at, slug in rows:
        slugs.setdefault((meter_id, hour_at), []).append(slug)
    return slugs


def _findings(organization: UUID, from_at: datetime, to_at: datetime) -> QuerySet[UsageFinding]:
    of_party = Q(node__cluster__provider=organization) | _own(organization)
    return UsageFinding.objects.filter(of_party, hour_at__gte=from_at, hour_at__lt=to_at)


def _own(organization: UUID) -> Q:
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
    meter_id, hour_at, node, model, quantity, rule, severity, observed, expected, state, found_at = row
    told = RULES[Check(rule)]
    return Finding(
        meter_id,
        hour_at,
        node,
        model,
        quantity,
        rule,
        severity,
        observed,
        expected,
        told.looks_for,
        told.source,
        state,
        found_at,
    )
