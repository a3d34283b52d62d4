"""Pages of webhooks out, the same for tenants and providers: endpoints, one endpoint, its deliveries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.figures import moment
from portal.locales import active_locale
from portal.parts import Empty, Pill
from portal.punctuation import joined
from portal.shell import Crumb
from tenants.hook_models import DeliveryState, WebhookDelivery, WebhookEndpoint
from tenants.hooks import endpoints
from tenants.hooks.api import networks
from tenants.hooks.delivery_api import deliveries_found, deliveries_of
from tenants.hooks.endpoints import Actor
from tenants.hooks.outbound import WrongAddress
from tenants.listing.csv_files import csv_answer
from tenants.models import User
from tenants.problems import Problem
from tenants.roles import MANAGE_HOOKS
from tenants.scoping import provider_page, tenant_page
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from tenants.models import Organization

SHOWN: Final = 50
CSV_CHUNK_ROWS: Final = 500
CSV_HEAD: Final = ("at_utc", "message_id", "kind", "state", "tries", "last_status", "last_error")
UTC_ZONE: Final = ZoneInfo("UTC")


class EndpointForm(forms.Form):
    """An address, and kinds of events."""

    url = forms.CharField(label=gettext_lazy("Address (https)"), max_length=500)
    kinds = forms.CharField(
        label=gettext_lazy("Kinds of events"),
        required=False,
        max_length=2_000,
        help_text=gettext_lazy("Joined by commas, such as invoice.*, payout.paid. Empty: all."),
    )

    def wanted(self) -> dict[str, Any]:
        """Return what was typed as the use cases take it."""
        kinds = [each.strip() for each in self.cleaned_data["kinds"].split(",") if each.strip()]
        return {"url": self.cleaned_data["url"], "kinds": kinds}


def _endpoints_page(request: HttpRequest, actor: Actor, side: str) -> HttpResponse:
    """List endpoints; a POST adds one, and shows its secret once."""
    form = EndpointForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            made = endpoints.add_endpoint(actor=actor, networks=networks(), now=_now(), **form.wanted())
        except Problem as refused:
            form.add_error("url" if isinstance(refused, WrongAddress) else None, told(refused.said))
        else:
            return _endpoint_answer(request, made, side, secret=made.secret, status=201)
    kept = WebhookEndpoint.objects.filter(organization=actor.organization, removed_at__isnull=True).order_by("pk")
    context = {
        "form": form,
        "rows": [
            {
                "url": each.url,
                "kinds": _kinds(each),
                "pill": _endpoint_pill(each),
                "page": reverse(f"{side}-webhook", args=[each.pk]),
            }
            for each in kept
        ],
        "empty": Empty(_("No endpoints yet"), _("Add the address of a program that is to be told what happens.")),
    }
    return render(request, "tenants/webhooks.html", context, status=422 if form.is_bound else 200)


def _endpoint_page(request: HttpRequest, actor: Actor, side: str, *, endpoint_id: UUID) -> HttpResponse:
    """Show an endpoint with its latest deliveries."""
    found = WebhookEndpoint.objects.filter(
        pk=endpoint_id, organization=actor.organization, removed_at__isnull=True
    ).first()
    if found is None:
        raise Http404
    return _endpoint_answer(request, found, side)


def _deliveries_csv(request: HttpRequest, actor: Actor, side: str, *, endpoint_id: UUID) -> HttpResponseBase:  # noqa: ARG001  as every page of these
    """Write every delivery of an endpoint, the latest first, as the page shows the latest."""
    if not WebhookEndpoint.objects.filter(
        pk=endpoint_id, organization=actor.organization, removed_at__isnull=True
    ).exists():
        raise Http404
    found = deliveries_found(actor, endpoint_id=endpoint_id).order_by("-event_id", "-pk")
    rows = (_csv_row(one) for one in found.iterator(chunk_size=CSV_CHUNK_ROWS))
    return csv_answer(f"deliveries-{endpoint_id}.csv", CSV_HEAD, rows)


def _csv_row(delivery: WebhookDelivery) -> tuple[object, ...]:
    tries = sorted(delivery.tries.all(), key=lambda one: one.pk)
    last = tries[-1] if tries else None
    status, error = (last.status, last.error) if last else (None, "")
    at = delivery.event.at.astimezone(UTC).isoformat()
    return (at, f"msg_{delivery.event_id.hex}", delivery.event.kind, delivery.state, len(tries), status, error)


def _act(request: HttpRequest, actor: Actor, side: str, *, endpoint_id: UUID) -> HttpResponse:
    """Do what a button of an endpoint's page says."""
    action = request.POST.get("do", "")
    given: dict[str, Any] = {"actor": actor, "endpoint_id": endpoint_id, "now": _now()}
    try:
        if action == "secret":
            turned = endpoints.turn_secret(**given)
            return _endpoint_answer(request, turned, side, secret=turned.secret)
        said = _done(action, given)
    except ObjectDoesNotExist as error:
        raise Http404 from error
    except Problem as refused:
        messages.error(request, told(refused.said))
    else:
        messages.success(request, said)
    return redirect(f"{side}-webhooks") if action == "remove" else redirect(f"{side}-webhook", endpoint_id)


def _done(action: str, given: dict[str, Any]) -> str:
    if action == "test":
        endpoints.send_test(**given)
        return _("A test is on its way.")
    if action == "off":
        endpoints.turn_off(**given)
        return _("Nothing more is sent there.")
    if action == "on":
        kept = WebhookEndpoint.objects.get(pk=given["endpoint_id"], organization=given["actor"].organization)
        endpoints.change_endpoint(url=kept.url, kinds=kept.kinds, networks=networks(), **given)
        return _("Events are sent there again.")
    if action == "remove":
        endpoints.remove_endpoint(**given)
        return _("The endpoint is removed.")
    raise Http404


def _replay(request: HttpRequest, actor: Actor, side: str, *, delivery_id: UUID) -> HttpResponse:
    """Send one event again."""
    try:
        sent = endpoints.replay(actor=actor, delivery_id=delivery_id, now=_now())
    except ObjectDoesNotExist as error:
        raise Http404 from error
    except Problem as refused:
        messages.error(request, told(refused.said))
        return redirect(f"{side}-webhooks")
    messages.success(request, _("The event is on its way again."))
    return redirect(f"{side}-webhook", sent.endpoint_id)


def _endpoint_answer(
    request: HttpRequest, endpoint: WebhookEndpoint, side: str, *, secret: str = "", status: int = 200
) -> HttpResponse:
    actor = Actor(endpoint.organization, "")
    locale = active_locale()
    context = {
        "endpoint": endpoint,
        "secret": secret,
        "both_until": moment(endpoint.old_secret_until, UTC_ZONE, locale=locale)
        if secret and endpoint.old_secret_until
        else "",
        "kinds": _kinds(endpoint),
        "pill": _endpoint_pill(endpoint),
        "crumbs": [Crumb(_("Webhooks"), reverse(f"{side}-webhooks")), Crumb(endpoint.url)],
        "csv_url": reverse(f"{side}-webhook-deliveries-csv", args=[endpoint.pk]),
        "act_url": reverse(f"{side}-webhook-act", args=[endpoint.pk]),
        "rows": [_row(one, side, locale) for one in deliveries_of(actor, SHOWN, endpoint_id=endpoint.pk)],
        "empty": Empty(_("Nothing was sent yet"), _("Send a test to see that the program answers.")),
    }
    return render(request, "tenants/webhook.html", context, status=status)


def _row(delivery: WebhookDelivery, side: str, locale: str) -> dict[str, Any]:
    tries = sorted(delivery.tries.all(), key=lambda one: one.pk)
    last = tries[-1] if tries else None
    return {
        "kind": delivery.event.kind,
        "at": moment(delivery.event.at, UTC_ZONE, locale=locale),
        "id": f"msg_{delivery.event_id.hex}",
        "pill": _delivery_pill(delivery),
        "tries": len(tries),
        "answer": (f"HTTP {last.status}" if last.status else last.error) if last else "",
        "replay_url": reverse(f"{side}-webhook-replay", args=[delivery.pk]),
    }


def _delivery_pill(delivery: WebhookDelivery) -> Pill:
    if delivery.state == DeliveryState.DELIVERED:
        return Pill(_("Delivered"), "good")
    return Pill(_("Given up"), "bad") if delivery.state == DeliveryState.GIVEN_UP else Pill(_("Waiting"), "warn")


def _endpoint_pill(endpoint: WebhookEndpoint) -> Pill:
    return Pill(_("Turned off"), "warn") if endpoint.disabled_at else Pill(_("On"), "good")


def _kinds(endpoint: WebhookEndpoint) -> str:
    return joined(endpoint.kinds) or _("all events")


def _now() -> datetime:
    return datetime.now(UTC)


def _of(side: str, page: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    def view(request: HttpRequest, organization: Organization, /, **arguments: Any) -> HttpResponseBase:
        assert isinstance(request.user, User)
        return page(request, Actor(organization, request.user.email), side, **arguments)

    return (tenant_page if side == "tenant" else provider_page)(MANAGE_HOOKS)(view)


_listed = require_http_methods(["GET", "HEAD", "POST"])
tenant_webhooks, provider_webhooks = (_listed(_of(side, _endpoints_page)) for side in ("tenant", "provider"))
tenant_webhook, provider_webhook = (require_safe(_of(side, _endpoint_page)) for side in ("tenant", "provider"))
tenant_deliveries_csv, provider_deliveries_csv = (
    require_safe(_of(side, _deliveries_csv)) for side in ("tenant", "provider")
)
tenant_act, provider_act = (require_POST(_of(side, _act)) for side in ("tenant", "provider"))
tenant_replay, provider_replay = (require_POST(_of(side, _replay)) for side in ("tenant", "provider"))
