"""Hours of use that are unlike their own past, said where the use itself is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.budgets.lists import alerts_of
from billing.models import SpendAlertKind
from billing.pages.periods import with_query
from billing.queries.usage import Side
from portal.figures import clock, compact, day, number
from portal.parts import Action, Notice

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import SpendAlert
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
    found = alerts_of(organization, side=Side.TENANT, kind=SpendAlertKind.ANOMALY)
    found = found.filter(from_at__gte=span[0], from_at__lt=span[1]).order_by("-from_at", "subject")
    found = found.filter(subject=model) if model else found
    shown = found if is_day else found[:SHOWN_MAX]
    return tuple(_notice(alert, zone, locale, is_day=is_day) for alert in shown)


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
