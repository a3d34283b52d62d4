"""Hours of use that are unlike their own past, said where the use itself is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.models import SpendAlert, SpendAlertKind
from billing.pages.periods import with_query
from billing.queries.usage import Side
from portal.figures import clock, compact, day, number
from portal.parts import Action, Notice
from tenants.limits.written_once import written_once

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

SHOWN_MAX: Final = 3
"""Above a chart of many days the latest; a day shows each of its own."""


def unlike_notices(
    organization: Organization,
    span: tuple[datetime, datetime],
    zone: str,
    locale: str,
    *,
    model: str = "",
    is_day: bool = False,
) -> tuple[Notice, ...]:
    """Return what was told of hours in `span`, the latest first, with what is usual: the figures of `/api/v1/alerts`.

    A page of many days leads to the day; the page of the day leads to the list of what was told.
    """
    shown = _told(organization.pk, *span, model or None, None if is_day else SHOWN_MAX)
    return tuple(_notice(alert, zone, locale, is_day=is_day) for alert in shown)


@written_once
def _told(
    organization: UUID, since: datetime, until: datetime, model: str | None, most: int | None
) -> QuerySet[SpendAlert]:
    told = SpendAlert.objects.filter(organization=organization, side=Side.TENANT, kind=SpendAlertKind.ANOMALY)
    found = told.filter(from_at__gte=since, from_at__lt=until).order_by("-from_at", "subject")
    return (found if model is None else found.filter(subject=model))[:most]


def _notice(alert: SpendAlert, zone: str, locale: str, *, is_day: bool) -> Notice:
    local = ZoneInfo(zone)
    date = alert.from_at.astimezone(local).date()
    said = {
        "model": alert.subject,
        "day": day(date, "MMMd", locale),
        "hour": clock(alert.from_at, local, locale=locale),
        "used": compact(alert.used, locale=locale, digits=2),
        "usual": compact(alert.amount, locale=locale, digits=2),
        "times": number(alert.used / alert.amount, digits=1) if alert.amount else "",
    }
    if is_day:
        link = Action(_("What was told"), f"{reverse('tenant-budgets')}#alerts")
    else:
        link = Action(_("Look at the day"), with_query(reverse("tenant-usage-day", args=[date]), {"tz": zone}))
    strong = _("Use unlike before on %(day)s, %(hour)s: %(model)s.") % said
    if not alert.amount:
        text = _("%(used)s tokens in the hour, in which none are usual.") % said
    else:
        text = _("%(used)s tokens in the hour, in which %(usual)s are usual: %(times)s times as many.") % said
    return Notice(strong, text, link=link)
