"""Letters about alerts: what was reached, what is stopped, what to do; each sent once, tried again if it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.budgets.setting import rule_of
from billing.budgets.words import alert_words, limit_words, period_words, scope_words, stop_words
from billing.models import SpendAlertKind, SpendMail
from billing.queries.usage import Side
from billing.unsent import claim_unsent
from portal.locales import active_locale
from tenants.reading_languages import language_of_letter

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import SpendAlert


def claim_letters(*, now: datetime, limit: int) -> list[SpendMail]:
    """Return letters that are due, each put off: whoever else looks meanwhile leaves them alone."""
    rows = SpendMail.objects.select_related("alert__budget", "alert__organization")
    return claim_unsent(rows, now=now, limit=limit)


def send_letter(*, mail: SpendMail, public_url: str) -> None:
    """Send one letter. Raises whatever the server of letters answers."""
    with override(language_of_letter(addresses=[mail.address], organization_id=mail.alert.organization_id)):
        letter = _letter(mail, public_url)
    letter.send(fail_silently=False)


def _letter(mail: SpendMail, public_url: str) -> EmailMessage:
    """Return the letter; sent twice (a worker died in between) it has the same id, and is one letter to its reader."""
    alert = mail.alert
    return EmailMessage(
        subject=_subject(alert),
        body="\n".join([*_body(alert), "", _("More: %(address)s") % {"address": f"{public_url}{_path(alert)}"}, ""]),
        to=[mail.address],
        headers={
            "Message-ID": f"<spend-{mail.id}@{urlsplit(public_url).hostname}>",
            "Auto-Submitted": "auto-generated",
        },
    )


def _subject(alert: SpendAlert) -> str:
    name = alert.budget.name if alert.budget else scope_words(alert.scope, alert.subject, alert.side)
    said = {"name": name, "percent": f"{alert.percent}%"}
    return {
        SpendAlertKind.THRESHOLD: _("Budget “%(name)s”: %(percent)s is used"),
        SpendAlertKind.FORECAST: _("Budget “%(name)s” is on course to be passed"),
        SpendAlertKind.STOPPED: _("Budget “%(name)s” is used up: new use is stopped"),
        SpendAlertKind.ANOMALY: _("%(name)s: use unlike before"),
    }[SpendAlertKind(alert.kind)] % said


def _body(alert: SpendAlert) -> list[str]:
    zone = alert.budget.zone if alert.budget else "UTC"
    said = {
        "organization": alert.organization.name,
        "of": scope_words(alert.scope, alert.subject, alert.side),
        "period": period_words(alert.from_at, alert.to_at, zone, active_locale()),
    }
    lines = [
        _("%(organization)s, %(of)s, %(period)s:") % said,
        _("%(said)s.") % {"said": alert_words(alert, active_locale())},
        "",
    ]
    if alert.budget is None:
        return [*lines, _("Nothing is stopped. It may be right; if not, look which key or program it is.")]
    lines.append(_("The budget: %(limit)s.") % {"limit": limit_words(alert.budget, active_locale())})
    return [*lines, stop_words(rule_of(alert.budget), active_locale())]


def _path(alert: SpendAlert) -> str:
    is_sold = alert.side == Side.PROVIDER
    if alert.budget is None:
        return reverse("provider-alerts" if is_sold else "tenant-budgets")
    return reverse("provider-limit" if is_sold else "tenant-budget", args=[alert.budget.pk])
