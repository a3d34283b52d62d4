"""A party hands the right to bill a deployment on: from an alert of its page, or by its program.

Only whose reports bill by then can; `metering.billing_reporters` holds that rule. Everything is scoped: a deployment or
alert of others is one that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Exists, OuterRef, Q, Subquery

from clusters.models import Deployment
from metering.alerts import alerts_of
from metering.billing_reporters import AHEAD, HandOverRefused, hand_over
from metering.control_models import AlertKind, BillingReporter
from tenants.listing.paging import Page, Paged, page_rows
from tenants.models import Organization
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
MONTH_DAYS_MAX: Final = 31


class DeploymentUnknown(Problem):
    """The organization is a party of no such deployment, or of no such alert about one."""

    status = 404
    code = "deployment_unknown"
    title = "There is no such deployment"


@dataclass(frozen=True, slots=True)
class ReporterRow:
    """Whose reports bill a deployment from an instant on: it was handed over, or they came first."""

    tenant: str
    deployment: str
    reporter: str
    from_at: datetime
    handed_over: bool
    named_at: datetime


def reporters_of(*, organization: Organization, from_at: datetime, to_at: datetime, page: Page) -> Paged[ReporterRow]:
    """Return who bills the organization's deployments at some time in `[from_at, to_at)`, by deployment; one query.

    Raises WrongCursor.
    """
    later = BillingReporter.objects.filter(
        deployment=OuterRef("deployment"), from_at__gt=OuterRef("from_at"), from_at__lte=from_at
    )
    found = BillingReporter.objects.filter(_party(organization, "deployment__"), ~Exists(later), from_at__lt=to_at)
    order = ("deployment__tenant__slug", "deployment__slug", "deployment_id", "from_at")
    paged = page_rows(found.select_related("deployment__tenant", "reporter"), page, order)
    return Paged([_row(one) for one in paged.rows], paged.next_cursor)


def hand_over_deployment(
    *, organization: Organization, tenant: str, deployment: str, to: str, from_at: datetime, actor: str, now: datetime
) -> ReporterRow:
    """Let the reports of `to` bill the deployment `deployment` of the tenant `tenant`, all slugs, from an hour on.

    Raises DeploymentUnknown, HandOverRefused.
    """
    try:
        found = Deployment.objects.get(_party(organization), tenant__slug=tenant, slug=deployment)
    except Deployment.DoesNotExist as unknown:
        raise DeploymentUnknown(
            sentence("You are no party of a deployment with this slug of this tenant.")
        ) from unknown
    return _hand_over(found, to, by=organization, from_at=from_at, actor=actor, now=now)


def hand_over_told(
    *, organization: Organization, alert_id: UUID, from_at: datetime, actor: str, now: datetime
) -> ReporterRow:
    """Let the reports that an alert tells of bill its deployment from an hour on.

    Raises DeploymentUnknown, HandOverRefused.
    """
    alerts = alerts_of(organization).select_related("deployment__tenant")
    alert = alerts.filter(id=alert_id, kind=AlertKind.SECOND_REPORTER).first()
    deployment: Deployment | None = alert.deployment if alert is not None else None
    if alert is None or deployment is None:
        raise DeploymentUnknown(sentence("No alert of yours about a second reporter has this id."))
    return _hand_over(deployment, alert.rule, by=organization, from_at=from_at, actor=actor, now=now)


def alerts_to_hand_over(*, organization: Organization, alert_ids: Collection[UUID]) -> set[UUID]:
    """Return which of these alerts tell of a second reporter that the organization could hand over to; one query."""
    named = BillingReporter.objects.filter(deployment=OuterRef("deployment")).order_by("-from_at")
    rows = (
        alerts_of(organization)
        .filter(id__in=alert_ids, kind=AlertKind.SECOND_REPORTER)
        .annotate(bills=Subquery(named.values("reporter_id")[:1]))
        .filter(bills=organization.id)
        .exclude(rule=organization.slug)
    )
    return set(rows.values_list("id", flat=True))


def instants_ahead(now: datetime) -> tuple[datetime, datetime, datetime]:
    """Return when a hand-over can begin: the next hour that may be named, and the first of a day and month from it."""
    hour = (now + AHEAD).replace(minute=0, second=0, microsecond=0)
    if hour < now + AHEAD:
        hour += HOUR
    day = hour.replace(hour=0)
    day = day if day == hour else day + DAY
    month = day if day.day == 1 else (day.replace(day=1) + MONTH_DAYS_MAX * DAY).replace(day=1)
    return hour, day, month


def _party(organization: Organization, prefix: str = "") -> Q:
    return Q(**{f"{prefix}provider": organization}) | Q(**{f"{prefix}tenant": organization})


def _hand_over(
    deployment: Deployment, to: str, *, by: Organization, from_at: datetime, actor: str, now: datetime
) -> ReporterRow:
    # Whoever is no party is refused in the same words, so that nobody learns which organizations there are.
    parties = Q(id__in=[deployment.provider_id, deployment.tenant_id]) | Q(is_operator=True)
    receiver = Organization.objects.filter(parties, slug=to).first()
    if receiver is None:
        raise HandOverRefused(
            sentence(
                "%(to)s is no party of %(slug)s; expected its tenant or its provider.", to=to, slug=deployment.slug
            )
        )
    from_at = from_at.astimezone(UTC)
    named = hand_over(deployment=deployment, to=receiver, from_at=from_at, by=by, actor=actor, now=now)
    return _row(named)


def _row(named: BillingReporter) -> ReporterRow:
    # Which person of the other party said so stays in that party's own audit log.
    deployment = named.deployment
    return ReporterRow(
        tenant=deployment.tenant.slug,
        deployment=deployment.slug,
        reporter=named.reporter.slug,
        from_at=named.from_at,
        handed_over=named.named_by != "",
        named_at=named.named_at,
    )
