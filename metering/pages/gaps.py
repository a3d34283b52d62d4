"""How completely nodes were watched, and what could not be metered: the same for the tenant and the provider."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from metering.completeness import SourceReach, told_sources
from metering.control_models import SilenceEnd
from metering.node_hours import (
    Completeness,
    SilenceRow,
    completeness_of,
    covered,
    last_hours,
    silence_rows,
    watched_nodes,
)
from metering.pages.coverage import coverage_strip, coverage_words, silence_line
from metering.pages.durations import lasted
from metering.pages.files import csv_file
from metering.pages.tabs import Area, tabs
from metering.pages.windows import shown
from metering.queries import gaps_for
from portal.figures import moment, number, share
from portal.locales import active_locale
from portal.paging import ROWS_PER_PAGE, first_row, pagination, read_page
from portal.parts import Kpi, Pill
from portal.shell import Crumb
from tenants.models import Organization
from tenants.roles import READ_USAGE
from tenants.scoping import provider_page, tenant_page

GAPS_MAX: Final = 200
SILENCES_MAX: Final = 200
LATE_AFTER: Final = timedelta(hours=1)
CSV_HEAD: Final = ("kind", "node", "subject", "subject_id", "from_utc", "to_utc", "reason", "detail", "times")


@dataclass(frozen=True, slots=True)
class NodeCover:
    """A node with its last 24 hours."""

    name: str
    url: str
    strip: SafeString
    words: str
    pill: Pill


@require_safe
@tenant_page(READ_USAGE)
def tenant_gaps(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show how completely the nodes that serve a tenant were watched."""
    return _page(request, organization, "tenant")


@require_safe
@provider_page(READ_USAGE)
def provider_gaps(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show how completely a provider's nodes were watched."""
    return _page(request, organization, "provider")


@require_safe
@tenant_page(READ_USAGE)
def tenant_gaps_csv(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Give a tenant's silences and gaps as a file."""
    return _csv(request, organization)


@require_safe
@provider_page(READ_USAGE)
def provider_gaps_csv(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Give a provider's silences and gaps as a file."""
    return _csv(request, organization)


def _csv(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Both tables of the page, one below the other: a silence is a gap of a whole node."""
    now = datetime.now(UTC)
    window = shown(request, now)
    silences = silence_rows(organization=organization, from_at=window.from_at, to_at=now, limit=SILENCES_MAX)
    gaps = gaps_for(organization=organization, from_at=window.from_at, to_at=now, limit=GAPS_MAX)
    rows: list[tuple[object, ...]] = [
        ("silence", one.node, "node", "", _at(one.from_at), _at(one.to_at), one.end, "", 1) for one in silences
    ]
    rows += [
        (
            "gap", one.node, one.subject, one.subject_id, _at(one.from_at), _at(one.to_at), one.reason, one.detail,
            one.occurrences,
        )
        for one in gaps
    ]  # fmt: skip
    return csv_file(f"gaps-{window.days}-days.csv", CSV_HEAD, rows)


def _at(instant: datetime | None) -> str:
    return instant.astimezone(UTC).isoformat() if instant is not None else ""


def _page(request: HttpRequest, organization: Organization, area: Area) -> HttpResponse:
    now = datetime.now(UTC)
    locale = active_locale()
    window = shown(request, now)
    whole = completeness_of(organization=organization, from_at=window.from_at, to_at=window.to_at)
    silences = silence_rows(organization=organization, from_at=window.from_at, to_at=now, limit=SILENCES_MAX)
    gaps = gaps_for(organization=organization, from_at=window.from_at, to_at=now, limit=GAPS_MAX)
    context: dict[str, Any] = {
        "area": area,
        "sub": _("Every node and hour: whether it should have been read, and was. A gap is never the same as no use."),
        "kpis": _kpis(whole, silences, len(gaps)),
        "choices": window.choices(request.path),
        "export_url": window.url(reverse(f"{area}-gaps-csv")),
        **_nodes(request, organization, area, now, window.query),
        "silences": [silence_line(one, now, locale) for one in silences],
        "gaps": [(gap, lasted(gap.to_at - gap.from_at) if gap.to_at else "") for gap in gaps],
        "sources": [_source(one, now, locale) for one in told_sources(organization)],
        "tabs": tabs(area, "gaps"),
        "crumbs": (Crumb(_("Gaps")),),
    }
    return render(request, "metering/gaps.html", context)


def _kpis(whole: Completeness, silences: list[SilenceRow], gaps: int) -> tuple[Kpi, ...]:
    silent = sum(one.to_at is None for one in silences)
    missed = sum(one.end == SilenceEnd.MISSED for one in silences)
    filled = sum(one.end == SilenceEnd.FILLED for one in silences)
    part = Decimal(whole.observed_ms) / whole.expected_ms if whole.expected_ms else None
    return (
        Kpi(
            _("Watched"),
            share(part, digits=2) if part is not None else "–",
            foot=_("of the time that nodes should have been read"),
        ),
        Kpi(
            _("Whole node-hours"),
            number(whole.whole),
            unit=f"/ {number(whole.expected)}",
            foot=_("expected in the hours that are over"),
        ),
        Kpi(
            _("Silent now"),
            number(silent),
            foot=_("nodes that should report and do not") if silent else _("every node reports"),
            alert=bool(silent),
        ),
        Kpi(
            _("Silences"),
            f"{number(missed + filled)}{_more(len(silences), SILENCES_MAX)}",
            foot=_("%(filled)s filled from the spool, %(missed)s left a gap")
            % {"filled": number(filled), "missed": number(missed)},
        ),
        Kpi(
            _("Gaps on record"),
            f"{number(gaps)}{_more(gaps, GAPS_MAX)}",
            foot=_("pages, GPUs or ends that could not be read"),
        ),
    )


def _more(found: int, most: int) -> str:
    """What follows a number that is only of those listed."""
    return "+" if found >= most else ""


def _nodes(
    request: HttpRequest, organization: Organization, area: Area, now: datetime, kept: dict[str, str]
) -> dict[str, Any]:
    """A page of nodes and the links to the others."""
    hours, page = last_hours(now), read_page(request.GET.get("page", ""))
    watched = watched_nodes(organization).filter(revoked_at__isnull=True)
    first, count = first_row(page), watched.count()
    if page > 1 and first >= count:
        raise Http404
    nodes = list(
        watched.order_by("name", "id").values_list("id", "name", "cluster__slug", "cluster__provider_id")[
            first : first + ROWS_PER_PAGE
        ]
    )
    known = covered(node_ids=[node_id for node_id, *_ in nodes], hours=hours)
    lines = []
    for node_id, name, cluster, provider_id in nodes:
        own = area == "provider" and provider_id == organization.id
        shares = [known.get(node_id, {}).get(hour) for hour in hours]
        text, pill = coverage_words(shares)
        url = reverse("provider-node", args=[cluster, name]) if own else ""
        lines.append(NodeCover(name, url, coverage_strip(hours, shares), text, pill))
    return {"nodes": lines, "pagination": pagination(request.path, kept, page, count)}


def _source(one: SourceReach, now: datetime, locale: str) -> tuple[SourceReach, str, Pill]:
    assert one.complete_to_at is not None
    late = one.complete_to_at < now - LATE_AFTER
    pill = Pill(_("behind"), "warn", small=True) if late else Pill(_("up to date"), "good", small=True)
    return one, moment(one.complete_to_at, UTC, locale=locale, year=False), pill
