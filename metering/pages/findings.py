"""What the checks of usage hours found, for the tenant and the provider alike: each its own hours."""

from datetime import UTC, datetime
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from metering.finding_models import FindingState
from metering.findings import Finding, FindingCount, count_findings, deployments_of, findings_for
from metering.pages.files import csv_file
from metering.pages.finding_words import ShownFinding, rule_words, shown_finding
from metering.pages.months import Month, month_choices, read_month
from metering.pages.tabs import Area, tabs
from metering.validation import Check, Severity
from portal.figures import number
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, address, first_row, pagination, read_page
from portal.parts import Choice, Empty, Kpi
from portal.shell import Crumb
from tenants.models import Organization
from tenants.roles import CORRECT_USAGE, READ_USAGE, allows
from tenants.scoping import acting_membership, provider_page, tenant_page

EVERY_STATE: Final = "all"
CSV_ROWS_MAX: Final = 100_000
CSV_HEAD: Final = (
    "hour_utc",
    "node",
    "deployments",
    "model",
    "class",
    "rule",
    "severity",
    "observed",
    "expected",
    "looks_for",
    "state",
    "found_at",
)


@require_safe
@tenant_page(READ_USAGE)
def tenant_findings(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what was found in the hours of a tenant's deployments."""
    return _page(request, organization, "tenant")


@require_safe
@provider_page(READ_USAGE)
def provider_findings(request: HttpRequest, organization: Organization) -> HttpResponse:
    """List what was found in the hours of a provider's nodes."""
    return _page(request, organization, "provider")


@require_safe
@tenant_page(READ_USAGE)
def tenant_findings_csv(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Give a tenant's findings as a file."""
    return _csv(request, organization)


@require_safe
@provider_page(READ_USAGE)
def provider_findings_csv(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Give a provider's findings as a file."""
    return _csv(request, organization)


def _page(request: HttpRequest, organization: Organization, area: Area) -> HttpResponse:
    now = datetime.now(UTC)
    locale = active_locale()
    month, rule, state = _asked(request, now)
    page = read_page(request.GET.get("page", ""))
    counts = count_findings(organization=organization, from_at=month.from_at, to_at=month.to_at)
    found = findings_for(
        organization=organization,
        from_at=month.from_at,
        to_at=month.to_at,
        rule=rule,
        state=state,
        offset=first_row(page),
        limit=ROWS_PER_PAGE,
    )
    kept = {"month": month.value, "rule": rule, "state": request.GET.get("state", "")}
    fitting = sum(one.count for one in counts if rule in {"", one.rule} and state in {"", one.state})
    context: dict[str, Any] = {
        "area": area,
        "sub": _("When an hour is over it is checked as utilities check their meters. A finding never edits a figure."),
        "tabs": tabs(area, "findings"),
        "kpis": _kpis(counts),
        "months": month_choices(month, now, locale),
        "rules": _rule_choices(counts, rule),
        "state": kept["state"],
        "states": [
            Choice(_("Open"), address(request.path, kept, state=""), state == FindingState.OPEN),
            Choice(_("All"), address(request.path, kept, state=EVERY_STATE), not state),
        ],
        "findings": _shown(request, area, found, locale),
        "pagination": pagination(request.path, kept, page, fitting),
        "export_url": address(reverse(f"{area}-findings-csv"), kept),
        "empty": _nothing(rule, state),
        "crumbs": (Crumb(_("Findings")),),
    }
    return render(request, "metering/findings.html", context)


def _asked(request: HttpRequest, now: datetime) -> tuple[Month, str, str]:
    """Return the month, the rule ("" for all) and the state ("" for all). Raises Http404."""
    month = read_month(request.GET.get("month", ""), f"{now:%Y-%m}")
    rule, state = request.GET.get("rule", ""), request.GET.get("state", "")
    if rule not in {"", *Check} or state not in {"", EVERY_STATE}:
        raise Http404
    return month, rule, "" if state else FindingState.OPEN.value


def _kpis(counts: list[FindingCount]) -> tuple[Kpi, ...]:
    def open_ones(severity: Severity) -> int:
        return sum(one.count for one in counts if one.state == FindingState.OPEN and one.severity == severity)

    errors, warnings, remarks = (open_ones(each) for each in (Severity.ERROR, Severity.WARNING, Severity.INFO))
    settled = sum(one.count for one in counts if one.state == FindingState.SETTLED)
    return (
        Kpi(
            _("Open"),
            number(errors + warnings + remarks),
            foot=_("figures that do not look right"),
        ),
        Kpi(_("Errors"), number(errors), foot=_("figures that contradict each other"), alert=bool(errors)),
        Kpi(_("Warnings"), number(warnings), foot=_("held, unproved or much too high")),
        Kpi(_("Remarks"), number(remarks), foot=_("estimated or unusual")),
        Kpi(_("Settled"), number(settled), foot=_("later figures passed")),
    )


def _rule_choices(counts: list[FindingCount], chosen: str) -> list[tuple[str, str, bool]]:
    known = {one.rule for one in counts} | ({chosen} if chosen else set())
    return [(rule, rule_words(rule), rule == chosen) for rule in Check if rule in known]


def _shown(request: HttpRequest, area: Area, found: list[Finding], locale: str) -> list[ShownFinding]:
    deployments = deployments_of(found)
    membership = acting_membership(request)
    corrects = area == "provider" and membership is not None and allows(membership.role, CORRECT_USAGE)
    shown = []
    for one in found:
        hour = f"{one.hour_at.astimezone(UTC):%Y%m%dT%H}"
        if area == "tenant":
            day_url = reverse("tenant-usage-at", args=[hour])
        else:
            day_url = address(reverse("provider-hour"), {"at": hour, "node": one.node})
        correct_url = (
            address(reverse("provider-substitution-new"), {"meter": str(one.meter_id), "from": f"{hour}0000.000000"})
            if corrects
            else ""
        )
        slugs = deployments.get((one.meter_id, one.hour_at), [])
        shown.append(shown_finding(one, slugs, locale, day_url=day_url, correct_url=correct_url))
    return shown


def _nothing(rule: str, state: str) -> Empty:
    if rule:
        return Empty(_("Nothing of this kind"), _("No finding in this month has this reason."))
    if state:
        return Empty(
            _("Nothing is open"),
            _("Every hour of this month that was checked passes, or its findings were settled by later figures."),
            icon="check",
        )
    return Empty(_("Nothing was found"), _("Every hour of this month that was checked passes."), icon="check")


def _csv(request: HttpRequest, organization: Organization) -> HttpResponse:
    month, rule, state = _asked(request, datetime.now(UTC))
    found = findings_for(
        organization=organization,
        from_at=month.from_at,
        to_at=month.to_at,
        rule=rule,
        state=state,
        limit=CSV_ROWS_MAX,
    )
    deployments = deployments_of(found)
    return csv_file(
        f"findings-{month.value}.csv",
        CSV_HEAD,
        (_csv_row(one, deployments.get((one.meter_id, one.hour_at), [])) for one in found),
    )


def _csv_row(one: Finding, deployments: list[str]) -> tuple[object, ...]:
    return (
        one.hour_at.astimezone(UTC).isoformat(),
        one.node,
        " ".join(deployments),
        one.model,
        one.quantity,
        one.rule,
        one.severity,
        one.observed,
        one.expected,
        one.looks_for,
        one.state,
        one.found_at.astimezone(UTC).isoformat(),
    )
