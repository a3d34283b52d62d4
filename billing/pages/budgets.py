"""Budgets on the pages of both sides: how each stands, what was told and stopped; set, changed, lifted, retired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.budgets.known import known_use
from billing.budgets.lists import alerts_of, budgets_of
from billing.budgets.setting import change_budget, lift_stop, make_budget, retire_budget, rule_of
from billing.budgets.shapes import BudgetSerializer, SpendAlertSerializer, alert_row, budget_row
from billing.budgets.standing import standing_stops
from billing.budgets.words import limit_words, scope_words
from billing.collecting.notices import readers_of
from billing.pages.budget_figures import budget_chart, budget_kpis, what_it_does
from billing.pages.budget_forms import BudgetForm, LiftForm, initial_of
from billing.pages.budget_lines import alert_lines, budget_lines, stop_notices
from billing.queries.usage import Side
from billing.queries.usage_sheet import billing_zone
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, first_row, pagination, read_page
from portal.parts import Action, Empty
from portal.punctuation import joined
from portal.shell import Crumb
from tenants.listing.csv_files import cells_of, columns_of, csv_answer
from tenants.models import User
from tenants.problems import Problem
from tenants.roles import MANAGE_BUDGETS, READ_BUDGETS, NotAllowed, allows
from tenants.scoping import acting_membership, provider_page, tenant_page
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from billing.models import Budget
    from tenants.models import Organization

READS_AND_POSTS: Final = ["GET", "HEAD", "POST"]


@dataclass(frozen=True, slots=True)
class Place:
    """The addresses of one side's pages."""

    side: Side
    home: str
    one: str
    new: str
    budgets_csv: str
    alerts_csv: str


TENANT: Final = Place(
    Side.TENANT, "tenant-budgets", "tenant-budget", "tenant-budget-new", "tenant-budgets-csv", "tenant-alerts-csv"
)
PROVIDER: Final = Place(
    Side.PROVIDER, "provider-alerts", "provider-limit", "provider-limit-new", "provider-limits-csv",
    "provider-alerts-csv",
)  # fmt: skip


@require_safe
@tenant_page(READ_BUDGETS)
def tenant_budgets(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show a tenant's budgets and what they told."""
    return _home(request, organization, TENANT)


@require_safe
@provider_page(READ_BUDGETS)
def provider_alerts(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what a provider was told of what it sells, and at which limits."""
    return _home(request, organization, PROVIDER)


@require_safe
@tenant_page(READ_BUDGETS)
def tenant_budgets_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:  # noqa: ARG001  Django passes it
    """Write the list of budgets."""
    return _budgets_csv(organization, TENANT)


@require_safe
@provider_page(READ_BUDGETS)
def provider_limits_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:  # noqa: ARG001  Django passes it
    """Write the list of limits."""
    return _budgets_csv(organization, PROVIDER)


@require_safe
@tenant_page(READ_BUDGETS)
def tenant_alerts_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:  # noqa: ARG001  Django passes it
    """Write everything that was told."""
    return _alerts_csv(organization, TENANT)


@require_safe
@provider_page(READ_BUDGETS)
def provider_alerts_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:  # noqa: ARG001  Django passes it
    """Write everything that was told."""
    return _alerts_csv(organization, PROVIDER)


@require_http_methods(READS_AND_POSTS)
@tenant_page(MANAGE_BUDGETS)
def tenant_budget_new(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Set a budget."""
    return _new(request, organization, TENANT)


@require_http_methods(READS_AND_POSTS)
@provider_page(MANAGE_BUDGETS)
def provider_limit_new(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Set a limit."""
    return _new(request, organization, PROVIDER)


@require_http_methods(READS_AND_POSTS)
@tenant_page(READ_BUDGETS)
def tenant_budget(request: HttpRequest, organization: Organization, *, budget_id: UUID) -> HttpResponse:
    """Show one budget; a POST changes, lifts or retires it."""
    return _one(request, organization, budget_id, TENANT)


@require_http_methods(READS_AND_POSTS)
@provider_page(READ_BUDGETS)
def provider_limit(request: HttpRequest, organization: Organization, *, budget_id: UUID) -> HttpResponse:
    """Show one limit; a POST changes or retires it."""
    return _one(request, organization, budget_id, PROVIDER)


def may_edit(request: HttpRequest) -> bool:
    """Whether who reads the page may set budgets."""
    membership = acting_membership(request)
    return membership is not None and allows(membership.role, MANAGE_BUDGETS)


def _home(request: HttpRequest, organization: Organization, place: Place) -> HttpResponse:
    now, locale = datetime.now(UTC), active_locale()
    budgets = list(budgets_of(organization, side=place.side))
    stops = standing_stops(budgets, now)
    alerts = alerts_of(organization, side=place.side)
    page = read_page(request.GET.get("page", ""))
    shown = alerts[first_row(page) : first_row(page) + ROWS_PER_PAGE]
    edits = may_edit(request)
    title, sub = _title(place, billing_zone(organization, now, side=place.side))
    context = {
        "title": title,
        "sub": sub,
        "new": Action(_new_words(place), reverse(place.new), icon="plus", primary=True) if edits else None,
        "export": Action(_("Export CSV"), reverse(place.budgets_csv), icon="down", key="e") if budgets else None,
        "notices": stop_notices(stops, place.one, locale),
        "lines": budget_lines(budgets, stops, place.one, now, locale),
        "empty": _empty(place, edits=edits),
        "alerts": alert_lines(shown, place.one, locale),
        "alerts_csv": reverse(place.alerts_csv),
        "no_alerts": Empty(
            _("Nothing was told yet"), _("What reaches a threshold is listed here, once each."), icon="bell"
        ),
        "pagination": pagination(request.path, {}, page, alerts.count()),
        "readers": joined(readers_of(organization)),
    }
    return render(request, "billing/budgets.html", context)


def _title(place: Place, zone: str) -> tuple[str, str]:
    words = {"zone": zone}
    if place.side is Side.PROVIDER:
        return _("Alerts"), _("Limits to what you sell, and use unlike its own past · days are %(zone)s") % words
    return _("Budgets"), _("Limits to your own use, looked at every few minutes · days are %(zone)s") % words


def _new_words(place: Place) -> str:
    return _("New limit") if place.side is Side.PROVIDER else _("New budget")


def _empty(place: Place, *, edits: bool) -> Empty:
    action = Action(_new_words(place), reverse(place.new), icon="plus", primary=True) if edits else None
    if place.side is Side.PROVIDER:
        return Empty(
            _("No limits are set"), _("Set one to be told when a tenant or model sells more than you expect."), action,
            icon="bell",
        )  # fmt: skip
    return Empty(
        _("No budgets are set"),
        _("Set one to be told before the money is gone, and to stop new use if you want that."),
        action,
        icon="flag",
    )


def _budgets_csv(organization: Organization, place: Place) -> HttpResponseBase:
    columns = columns_of(BudgetSerializer)
    rows = (cells_of(budget_row(budget), columns) for budget in budgets_of(organization, side=place.side))
    return csv_answer(f"budgets-{organization.slug}.csv", columns, rows)


def _alerts_csv(organization: Organization, place: Place) -> HttpResponseBase:
    columns = columns_of(SpendAlertSerializer)
    alerts = alerts_of(organization, side=place.side).iterator()
    return csv_answer(f"alerts-{organization.slug}.csv", columns, (cells_of(alert_row(one), columns) for one in alerts))


def _new(request: HttpRequest, organization: Organization, place: Place) -> HttpResponse:
    now = datetime.now(UTC)
    posted = request.POST if request.method == "POST" else None
    form = BudgetForm(posted, organization=organization, side=place.side, rule=None, initial=initial_of("", None))
    if form.is_bound and form.is_valid():
        rule = form.rule(billing_zone(organization, now, side=place.side))
        name, by = form.cleaned_data["name"], _by(request)
        made = _try(
            form,
            lambda: make_budget(organization=organization, side=place.side, name=name, rule=rule, by=by, now=now),
        )
        if made is not None:
            messages.success(request, _("Set. It counts from the beginning of the running period."))
            return redirect(place.one, budget_id=made.pk)
    title, _sub = _title(place, "")
    context = {
        "title": _new_words(place),
        "form": form,
        "back": reverse(place.home),
        "crumbs": (Crumb(title, reverse(place.home)), Crumb(_new_words(place))),
    }
    return render(request, "billing/budget_new.html", context, status=422 if form.is_bound else 200)


def _one(request: HttpRequest, organization: Organization, budget_id: UUID, place: Place) -> HttpResponse:
    now, locale = datetime.now(UTC), active_locale()
    budget = budgets_of(organization, side=place.side).filter(pk=budget_id).first()
    if budget is None:
        raise Http404
    edits, rule = may_edit(request), rule_of(budget)
    if request.method == "POST" and not edits:
        raise NotAllowed(MANAGE_BUDGETS)
    posted = request.POST if request.POST.get("action") == "change" else None
    form = BudgetForm(
        posted, organization=organization, side=place.side, rule=rule, initial=initial_of(budget.name, rule)
    )
    if request.method == "POST":
        answer = _changed(request, organization, place, budget, form)
        if answer is not None:
            return answer
    stops = standing_stops([budget], now)
    title, _sub = _title(place, "")
    known = known_use(organization, budget, now)
    context = {
        "title": budget.name,
        "sub": f"{scope_words(budget.scope, budget.subject, budget.side)} · {limit_words(budget, locale)}",
        "notices": stop_notices(stops, "", locale),
        "kpis": budget_kpis(known, budget, now, locale),
        "does": what_it_does(rule, readers_of(organization), locale),
        "alerts": alert_lines(alerts_of(organization, budget_id=budget.pk)[:ROWS_PER_PAGE], "", locale),
        "form": form if edits else None,
        "lift": LiftForm() if edits and stops else None,
        "crumbs": (Crumb(title, reverse(place.home)), Crumb(budget.name)),
        **budget_chart(known, budget, now, locale),
    }
    return render(request, "billing/budget.html", context, status=422 if form.is_bound else 200)


def _changed(
    request: HttpRequest, organization: Organization, place: Place, budget: Budget, form: BudgetForm
) -> HttpResponse | None:
    """Do what was posted; None where the form says what is wrong."""
    now, by = datetime.now(UTC), _by(request)
    action = request.POST.get("action", "")
    if action == "change":
        if not form.is_valid():
            return None
        rule, name = form.rule(budget.zone), form.cleaned_data["name"]
        done = _try(
            form,
            lambda: change_budget(organization=organization, budget_id=budget.pk, name=name, rule=rule, by=by, now=now),
        )
        if done is None:
            return None
        messages.success(request, _("Changed. It counts for the running period too."))
    elif action == "lift":
        _lift(request, organization, budget, by, now)
    elif action == "retire":
        retire_budget(organization=organization, budget_id=budget.pk, by=by, now=now)
        messages.success(request, _("Retired. What it told stays in the list."))
        return redirect(place.home)
    else:
        raise Http404
    return redirect(place.one, budget_id=budget.pk)


def _lift(request: HttpRequest, organization: Organization, budget: Budget, by: str, now: datetime) -> None:
    reason = request.POST.get("reason", "")
    try:
        lift_stop(organization=organization, budget_id=budget.pk, reason=reason, by=by, now=now)
    except Problem as problem:
        messages.error(request, told(problem.said))
    else:
        messages.success(request, _("Lifted. New use may begin again."))


def _try(form: BudgetForm, act: Callable[[], Budget]) -> Budget | None:
    """Act, or say beside the field why not."""
    try:
        return act()
    except Problem as problem:
        field = str(problem.extra.get("field", ""))
        form.add_error(field if field in form.fields else None, told(problem.said))
        return None


def _by(request: HttpRequest) -> str:
    assert isinstance(request.user, User)
    return request.user.email
