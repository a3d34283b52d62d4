"""Values put in the place of what was metered: what waits, what was decided, and the decision of a second person."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from metering.adjustment_models import SubstitutionState
from metering.pages.files import csv_file
from metering.pages.months import ALL, EARLIEST, LATEST, month_choices, read_month
from metering.pages.substitution_words import refusal_words, shown_substitution
from metering.pages.tabs import Area, tabs
from metering.substituting import UsageUnknown, decide_substitution
from metering.substitutions import SubstitutionRow, count_substitutions, standing_now, substitutions_for
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, address, first_row, pagination, read_page
from portal.parts import Empty
from portal.shell import Crumb
from tenants.models import Organization, User
from tenants.problems import Problem
from tenants.roles import CORRECT_USAGE, READ_USAGE, allows
from tenants.scoping import acting_membership, provider_page, tenant_page

WAITING_MAX: Final = 200
CSV_ROWS_MAX: Final = 100_000
DECIDED: Final = (SubstitutionState.APPROVED.value, SubstitutionState.REFUSED.value)
CSV_HEAD: Final = (
    "from_utc",
    "to_utc",
    "node",
    "deployment",
    "model",
    "class",
    "value_before",
    "value",
    "reason",
    "state",
    "proposed_at",
    "decided_at",
)


@require_safe
@tenant_page(READ_USAGE)
def tenant_substitutions(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what was put in the place of a tenant's metered usage."""
    return _page(request, organization, "tenant")


@require_safe
@provider_page(READ_USAGE)
def provider_substitutions(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what a provider's people proposed and decided."""
    return _page(request, organization, "provider")


@require_safe
@tenant_page(READ_USAGE)
def tenant_substitutions_csv(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Give a tenant's substitutions as a file."""
    return _csv(request, organization)


@require_safe
@provider_page(READ_USAGE)
def provider_substitutions_csv(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Give a provider's substitutions as a file."""
    return _csv(request, organization)


@require_POST
@provider_page(CORRECT_USAGE)
def provider_substitution_decide(
    request: HttpRequest, organization: Organization, *, substitution_id: UUID
) -> HttpResponse:
    """Take a second person's decision, and go back to the list with what became of it."""
    decision = request.POST.get("decision", "")
    if decision not in {"approve", "refuse"} or not isinstance(request.user, User):
        raise Http404
    try:
        done = decide_substitution(
            provider=organization,
            by=request.user,
            substitution_id=substitution_id,
            approve=decision == "approve",
            now=datetime.now(UTC),
        )
    except UsageUnknown as unknown:
        raise Http404 from unknown
    except Problem as refused:
        messages.error(request, refusal_words(refused))
    else:
        approved = done.state == SubstitutionState.APPROVED
        messages.success(
            request,
            _("Approved: the value is in the usage now, with both names.")
            if approved
            else _("Declined: the usage stays as it was."),
        )
    return redirect("provider-substitutions")


def _page(request: HttpRequest, organization: Organization, area: Area) -> HttpResponse:
    now = datetime.now(UTC)
    locale = active_locale()
    month = read_month(request.GET.get("month", ""), ALL)
    page = read_page(request.GET.get("page", ""))
    kept = {"month": month.value if month.first else ""}
    counts = count_substitutions(organization=organization, from_at=month.from_at, to_at=month.to_at)
    decided = substitutions_for(
        organization=organization,
        from_at=month.from_at,
        to_at=month.to_at,
        states=DECIDED,
        offset=first_row(page),
        limit=ROWS_PER_PAGE,
    )
    waiting = _waiting(organization) if area == "provider" else []
    stands = standing_now(waiting)
    # A tenant learns what was decided, not which person of its provider did.
    reader = request.user.pk if area == "provider" else None
    membership = acting_membership(request)
    context: dict[str, Any] = {
        "area": area,
        "sub": _("A value that one person puts in the place of what was metered, and a second person approves."),
        "tabs": tabs(area, "substitutions"),
        "waiting": [shown_substitution(one, reader, locale, stands=stands[one.id]) for one in waiting],
        "corrects": area == "provider" and membership is not None and allows(membership.role, CORRECT_USAGE),
        "months": month_choices(month, now, locale),
        "decided": [shown_substitution(one, reader, locale) for one in decided],
        "pagination": pagination(request.path, kept, page, sum(counts.get(state, 0) for state in DECIDED)),
        "export_url": address(reverse(f"{area}-substitutions-csv"), kept),
        "empty": _nothing(area),
        "crumbs": (Crumb(_("Substitutions")),),
    }
    return render(request, "metering/substitutions.html", context)


def _waiting(organization: Organization) -> list[SubstitutionRow]:
    """Return what waits for a second person, the one that waits longest first, of any month."""
    rows = substitutions_for(
        organization=organization,
        from_at=EARLIEST,
        to_at=LATEST,
        states=(SubstitutionState.PROPOSED,),
        limit=WAITING_MAX,
    )
    return sorted(rows, key=lambda one: one.proposed_at)


def _nothing(area: Area) -> Empty:
    text = (
        _("No value was put in the place of what was metered. Begin with a finding, a gap or an hour.")
        if area == "provider"
        else _("Everything that you are billed for was metered: nobody put a value in its place.")
    )
    return Empty(_("No substitutions"), text, icon="check")


def _csv(request: HttpRequest, organization: Organization) -> HttpResponse:
    month = read_month(request.GET.get("month", ""), ALL)
    found = substitutions_for(organization=organization, from_at=month.from_at, to_at=month.to_at, limit=CSV_ROWS_MAX)
    return csv_file(f"substitutions-{month.value}.csv", CSV_HEAD, map(_csv_row, found))


def _csv_row(one: SubstitutionRow) -> tuple[object, ...]:
    return (
        one.from_at.astimezone(UTC).isoformat(),
        one.to_at.astimezone(UTC).isoformat(),
        one.node,
        one.deployment or "",
        one.model,
        one.quantity,
        one.value_before,
        one.value,
        one.reason,
        one.state,
        one.proposed_at.astimezone(UTC).isoformat(),
        one.decided_at.astimezone(UTC).isoformat() if one.decided_at else "",
    )
