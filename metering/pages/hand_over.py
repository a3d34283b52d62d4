"""Handing over from the alert that a second party reports: who can, when it can begin, and what became of it."""

from datetime import UTC, datetime
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from metering.alerts import AlertRow
from metering.billing_reporters import HandOverRefused
from metering.handing_over import DeploymentUnknown, alerts_to_hand_over, hand_over_told, instants_ahead
from metering.pages.tabs import Area
from portal.figures import moment
from portal.locales import active_locale
from portal.parts import Choice
from tenants.models import Organization
from tenants.roles import CORRECT_USAGE, allows
from tenants.scoping import acting_membership, provider_page, tenant_page
from tenants.sentences import sentence


@require_POST
@tenant_page(CORRECT_USAGE)
def tenant_hand_over(request: HttpRequest, organization: Organization, *, alert: UUID) -> HttpResponse:
    """Let the reports that an alert tells a tenant of bill from an hour on."""
    return _hand_over(request, organization, alert, "tenant")


@require_POST
@provider_page(CORRECT_USAGE)
def provider_hand_over(request: HttpRequest, organization: Organization, *, alert: UUID) -> HttpResponse:
    """Let the reports that an alert tells a provider of bill from an hour on."""
    return _hand_over(request, organization, alert, "provider")


def hand_over_urls(
    request: HttpRequest, organization: Organization, area: Area, alerts: list[AlertRow]
) -> dict[UUID, str]:
    """Return where the acting person can hand over by alert; nowhere for a role that corrects no usage."""
    membership = acting_membership(request)
    if membership is None or not allows(membership.role, CORRECT_USAGE):
        return {}
    able = alerts_to_hand_over(organization=organization, alert_ids=[alert.id for alert in alerts])
    return {alert_id: reverse(f"{area}-hand-over", args=[alert_id]) for alert_id in able}


def begin_choices(now: datetime, locale: str) -> list[Choice]:
    """Return the instants at which a hand-over can begin, the soonest first; `url` is the instant itself."""
    instants = sorted(set(instants_ahead(now)))
    return [Choice(moment(at, UTC, locale=locale), at.isoformat(), False) for at in instants]


def _hand_over(request: HttpRequest, organization: Organization, alert: UUID, area: Area) -> HttpResponse:
    back = f"{reverse(f'{area}-witnesses')}#alerts"
    try:
        named = hand_over_told(
            organization=organization,
            alert_id=alert,
            from_at=_instant(request.POST.get("from", "")),
            actor=request.user.get_username(),
            now=datetime.now(UTC),
        )
    except DeploymentUnknown as unknown:
        raise Http404 from unknown
    except HandOverRefused:
        messages.error(
            request,
            _(
                "Nothing was handed over: it begins at a full hour of UTC, an hour ahead or more, after every "
                "hand-over that is settled, and only whose reports bill then can hand over."
            ),
        )
        return redirect(back)
    said = {
        "name": named.reporter,
        "deployment": named.deployment,
        "at": moment(named.from_at, UTC, locale=active_locale()),
    }
    messages.success(request, _("The reports of %(name)s bill %(deployment)s from %(at)s on.") % said)
    return redirect(back)


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise HandOverRefused(sentence("%(text)s is no instant with its offset.", text=repr(text[:40])))
