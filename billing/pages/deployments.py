"""A provider's deployments: whose usage its endpoints' is, from when to when; begun, changed and ended here."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.csv_files import csv_answer
from billing.pages.deployment_forms import BeginForm, BindForm, EndForm, UnbindForm, read_what
from billing.queries.deployment_list import STATES, ServedModel, bindings_of, deployments_found, free_models
from billing.queries.known_parties import known_parties
from clusters.deploying import bind_model, end_deployment, unbind_model
from clusters.making import make_deployment
from clusters.models import Binding, Deployment
from portal.figures import moment
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, address, first_row, pagination, read_page
from portal.parts import Action, Choice, Empty, Pill
from portal.shell import Crumb
from tenants.acting import person_acting
from tenants.limits.reader import within_own
from tenants.models import Organization
from tenants.problems import Problem
from tenants.roles import MANAGE_LEASES, READ_FLEET, NotAllowed, allows
from tenants.scoping import provider_page
from tenants.telling import told

TEXT_CHARS_MAX: Final = 200
HEAD: Final = ("name", "slug", "tenant", "from_at", "to_at", "cluster", "node", "endpoint", "model", "bound_from_at",
               "bound_to_at")  # fmt: skip


@require_safe
@provider_page(READ_FLEET)
def provider_deployments(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List a provider's deployments, narrowed by a text, a cluster and a state."""
    now, kept = datetime.now(UTC), _kept(request)
    found = deployments_found(organization, now, **kept)
    page, count = read_page(request.GET.get("page", "")), found.count()
    asked = {"q": kept["text"], "cluster": kept["cluster"], "state": kept["state"]}
    with within_own(organization.pk, "a provider's deployments, with their tenants and what they have of its engines"):
        rows = list(found[first_row(page) : first_row(page) + ROWS_PER_PAGE])
    manages = _manages(request)
    new_url = address(reverse("provider-deployment-new"), {"cluster": kept["cluster"]}) if manages else ""
    context = {
        "search": kept["text"],
        "cluster": kept["cluster"],
        "state": kept["state"],
        "choices": [
            Choice(words, address(request.path, asked, state=state), kept["state"] == state)
            for state, words in (("", _("All")), *((one, state_words(one)) for one in STATES))
        ],
        "rows": [_row(one, now) for one in rows],
        "pagination": pagination(request.path, asked, page, count),
        "csv_url": address(reverse("provider-deployments-csv"), asked),
        "new_url": new_url,
        "empty": _nothing(new_url, filtered=any(asked.values())),
        "crumbs": (Crumb(_("Fleet"), reverse("provider-fleet")), Crumb(_("Deployments"))),
    }
    return render(request, "billing/deployments.html", context)


@require_safe
@provider_page(READ_FLEET)
def provider_deployments_csv(request: HttpRequest, organization: Organization) -> Any:
    """Send the deployments that the page lists, a row for each model of an endpoint that one has or had."""
    found = deployments_found(organization, datetime.now(UTC), **_kept(request))
    rows = (
        (one.name, one.slug, one.tenant.slug, one.from_at.isoformat(), _iso(one.to_at), *told)
        for one in found
        for told in ([_told(each) for each in bindings_of(one)] or [("", "", "", "", "", "")])
    )
    return csv_answer(f"deployments-{organization.slug}.csv", HEAD, rows)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(MANAGE_LEASES)
def provider_deployment_new(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Begin a deployment of a tenant."""
    now = datetime.now(UTC)
    form = BeginForm(
        request.POST if request.method == "POST" else None,
        tenants=list(known_parties(organization, "provider")),
        offered=free_models(organization, now),
        initial={"from_at": f"{now:%Y-%m-%dT%H:%M}"},
    )
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        make = partial(
            make_deployment,
            provider=organization,
            tenant=form.tenants[given["tenant"]],
            slug=given["slug"],
            name=given["name"],
            from_at=given["from_at"],
            bound=form.bound(),
            actor=person_acting(request).name,
            now=now,
        )
        made = _done(form, make, {"bindings": "models"})
        if made is not None:
            messages.success(request, _("%(name)s begins. A contract prices it.") % {"name": made.name})
            return redirect("provider-deployment", deployment_id=made.pk)
    here = (_crumb(), Crumb(_("Begin a deployment")))
    context = {"form": form, "crumbs": (Crumb(_("Fleet"), reverse("provider-fleet")), *here)}
    return render(request, "billing/deployment_new.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@provider_page(READ_FLEET)
def provider_deployment(request: HttpRequest, organization: Organization, *, deployment_id: UUID) -> HttpResponse:
    """Show one deployment; a POST ends it, or gives it a model, or takes one away."""
    now = datetime.now(UTC)
    posted = request.method == "POST"
    if posted and not _manages(request):
        raise NotAllowed(MANAGE_LEASES)
    one = _found(organization, deployment_id, now)
    act = request.POST.get("do", "") if posted else ""
    free = free_models(organization, now) if _manages(request) else []
    at: dict[str, Any] = {"initial": {"to_at": f"{now:%Y-%m-%dT%H:%M}", "from_at": f"{now:%Y-%m-%dT%H:%M}"}}
    sent: dict[str, Any] = {act: request.POST}
    end = EndForm(sent.get("end"), prefix="end", auto_id="end-%s", **at)
    bind = BindForm(sent.get("bind"), offered=free, prefix="bind", auto_id="bind-%s", **at)
    unbind = UnbindForm(sent.get("unbind"), bound=_bound(one, now), prefix="unbind", auto_id="unbind-%s", **at)
    by = {"provider": organization, "deployment_id": one.pk, "actor": person_acting(request).name, "now": now}
    if any(_acted(form, by) for form in (end, bind, unbind)):
        messages.success(request, _("Done. What was metered since then moves within a minute or so."))
        return redirect("provider-deployment", deployment_id=one.pk)
    refused = posted
    row = _row(one, now)
    context = {
        "row": row,
        "bindings": [_binding_row(each, now) for each in bindings_of(one)],
        "manages": _manages(request) and (one.to_at is None or one.to_at > now),
        "end": end,
        "bind": bind if free else None,
        "unbind": unbind if _bound(one, now) else None,
        "crumbs": (Crumb(_("Fleet"), reverse("provider-fleet")), _crumb(), Crumb(one.name)),
    }
    return render(request, "billing/deployment.html", context, status=422 if refused else 200)


def state_words(state: str) -> str:
    """Return a state of a deployment in words."""
    return {"running": _("running"), "coming": _("coming"), "ended": _("ended")}[state]


def state_of(one: Deployment | Binding, now: datetime) -> str:
    """Return whether a span runs, is to come, or is over."""
    if one.to_at is not None and one.to_at <= now:
        return "ended"
    return "coming" if one.from_at > now else "running"


def _acted(form: forms.Form, by: dict[str, Any]) -> bool:
    """Do what a form that was sent says; False where it was not sent, or was refused."""
    if not form.is_bound or not form.is_valid():
        return False
    given = dict(form.cleaned_data)
    act: Callable[..., object] = end_deployment
    if "model" in given:
        given["endpoint_id"], given["model"] = read_what(given["model"])
        act = bind_model if "from_at" in given else unbind_model
    return _done(form, partial(act, **by, **given), {"endpoint": "model"}) is not None


def _done(form: forms.Form, act: Callable[[], Any], fields: dict[str, str]) -> Any:
    """Return what an act made; None where it was refused, which the form then says at the field."""
    try:
        return act()
    except Problem as refused:
        named = str(refused.extra.get("field", "")).partition(".")[0]
        named = fields.get(named, named)
        form.add_error(named if named in form.fields else None, told(refused.said))
    return None


def _found(organization: Organization, deployment_id: UUID, now: datetime) -> Deployment:
    found = deployments_found(organization, now).filter(pk=deployment_id).first()
    if found is None:
        raise Http404
    return found


def _bound(one: Deployment, now: datetime) -> list[ServedModel]:
    """What a deployment has now or later."""
    return [
        ServedModel(each.endpoint_id, each.model, node.name, node.cluster.name, each.endpoint.url)
        for each in bindings_of(one)
        for node in [each.endpoint.node]
        if each.to_at is None or each.to_at > now
    ]


def _manages(request: HttpRequest) -> bool:
    return allows(person_acting(request).role, MANAGE_LEASES)


def _kept(request: HttpRequest) -> dict[str, str]:
    given = request.GET.get
    state = given("state", "")
    return {
        "text": given("q", "").strip().replace("\0", "")[:TEXT_CHARS_MAX],
        "cluster": given("cluster", "").replace("\0", "")[:TEXT_CHARS_MAX],
        "state": state if state in STATES else "",
    }


def _crumb() -> Crumb:
    return Crumb(_("Deployments"), reverse("provider-deployments"))


def _row(one: Deployment, now: datetime) -> dict[str, object]:
    models = sorted({each.model for each in bindings_of(one) if each.to_at is None or each.to_at > now})
    return {
        "url": reverse("provider-deployment", args=[one.pk]),
        "name": one.name,
        "slug": one.slug,
        "tenant": one.tenant.name,
        "models": models,
        **_span(one, now),
    }


def _binding_row(one: Binding, now: datetime) -> dict[str, object]:
    node = one.endpoint.node
    return {
        "model": one.model,
        "url": one.endpoint.url,
        "node": node.name,
        "node_url": reverse("provider-node", args=[node.cluster.slug, node.name]),
        **_span(one, now),
    }


def _span(one: Deployment | Binding, now: datetime) -> dict[str, object]:
    locale = active_locale()
    state = state_of(one, now)
    tone: Any = {"running": "good", "coming": "info", "ended": ""}[state]
    return {
        "from_at": moment(one.from_at, UTC, locale=locale),
        "to_at": moment(one.to_at, UTC, locale=locale) if one.to_at else _("no end set"),
        "pill": Pill(state_words(state), tone, small=True),
    }


def _nothing(new_url: str, *, filtered: bool) -> Empty:
    if filtered:
        return Empty(_("No deployment found"), _("None fits what you look for. Look for another, or for all."))
    words = _("A deployment says whose usage an endpoint's is. Without one, what is metered is nobody's bill.")
    begin = Action(_("Begin a deployment"), new_url, "plus", primary=True) if new_url else None
    return Empty(_("No deployments yet"), words, begin, icon="chip")


def _told(one: Binding) -> tuple[str, ...]:
    node = one.endpoint.node
    times = (one.from_at.isoformat(), _iso(one.to_at))
    return (node.cluster.slug, node.name, one.endpoint.url, one.model, *times)


def _iso(at: datetime | None) -> str:
    return at.isoformat() if at is not None else ""
