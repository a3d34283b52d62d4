"""A tenant's usage: what was used and what it costs, day by day, and the same as a file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.pages import usage_context, usage_figures, usage_parts
from billing.pages.energy_words import energy_words
from billing.pages.forecast_tile import forecast_kpis, foretold
from billing.pages.invoice_words import invoice_entries
from billing.pages.periods import Period, UnreadablePeriod, read_period, with_query
from billing.pages.prepaid import prepaid
from billing.pages.price_notice import price_notice
from billing.pages.unlike_hours import unlike_notices
from billing.pages.usage_context import Kept
from billing.pages.usage_parts import Known
from billing.queries.energy import tenant_energy
from billing.queries.invoice_list import latest_invoices
from billing.queries.price_books import next_notice
from billing.queries.price_effects import looked_at
from billing.queries.served_models import known_model, serves_model
from billing.queries.usage_sheet import Chosen, UsageSheet, billing_zone, key_labels, usage_sheet
from billing.queries.witnesses import witness_rows
from billing.rating.rated import TermKind
from billing.usage_spans import Window
from metering.finding_models import FindingState
from metering.findings import count_findings
from metering.key_queries import known_keys, projects_of
from metering.pages.months import month_at
from portal.locales import active_locale
from portal.parts import Pill
from portal.shell import Crumb
from tenants.models import Organization
from tenants.roles import READ_INVOICES, READ_USAGE, allows
from tenants.scoping import acting_membership, tenant_page

RECENT_INVOICES = 5
CSV_HEAD = (
    "contract",
    "term",
    "kind",
    "model",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "gpu_seconds",
    "currency",
    "exact_amount",
    "amount",
    "key",
    "project",
)
FILTERS = ("model", "key", "project", "group", "currency", "tz")
BY_CALLER = ("key", "project")
FILTER_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for: its period, the same in days of the reader's zone, the filters, and the use."""

    period: Period
    drawn: Period
    kept: Kept
    sheet: UsageSheet


@require_safe
@tenant_page(READ_USAGE)
def tenant_usage(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what a tenant used in a month or between two days, and what it costs."""
    return render(request, "billing/tenant_usage.html", _page(request, organization, {}))


@require_safe
@tenant_page(READ_USAGE)
def tenant_usage_key(request: HttpRequest, organization: Organization, *, key_id: UUID) -> HttpResponse:
    """Show what one key used, when and of what, and the project that it is in."""
    context = _page(request, organization, {"key": str(key_id)})
    key = context["known"].keys.get(str(key_id))
    if key is None:
        raise Http404
    about = {
        "title": key.label,
        "pill": usage_parts.deleted_pill(key),
        "key": key,
        "crumbs": (Crumb(_("Usage"), context["whole_url"]), Crumb(key.label)),
    }
    return render(request, "billing/tenant_usage.html", {**context, **about})


@require_safe
@tenant_page(READ_USAGE)
def tenant_usage_model(request: HttpRequest, organization: Organization, *, model: str) -> HttpResponse:
    """Show what was used of one model."""
    context = _page(request, organization, {"model": model})
    if model not in context["sheet"].models and not known_model(organization, model):
        raise Http404
    served = serves_model(organization, model, context["period"].now)
    about = {
        "title": model,
        "pill": None if served else Pill(_("no longer served"), small=True),
        "crumbs": (Crumb(_("Usage"), context["whole_url"]), Crumb(model)),
    }
    return render(request, "billing/tenant_usage.html", {**context, **about})


def _page(request: HttpRequest, organization: Organization, fixed: Kept) -> dict[str, Any]:
    """Return what the page shows; `fixed` filters are in its path and not in its query."""
    now = datetime.now(UTC)
    told = next_notice(organization, now)
    window = looked_at(told.contract, now) if told else None
    asked = _read(request, organization, now, fixed, compares=True, beside=(window,) if window else ())
    period, drawn, sheet, kept = asked.period, asked.drawn, asked.sheet, asked.kept
    locale = active_locale()
    known = Known(
        {str(key.id): key for key in known_keys(organization, now=now)},
        {one.slug: one.name for one in projects_of(organization)},
    )
    links = {name: value for name, value in kept.items() if name not in fixed}
    metered_to = usage_context.metered_day(request, organization, drawn)
    grouping = usage_parts.grouping_of(sheet, kept["group"], known)
    ahead = foretold(organization, period, sheet.overview.currency, now) if sheet.chosen.is_all else None
    return {
        "period": period,
        "sheet": sheet,
        "overview": sheet.overview,
        "known": known,
        "sub": usage_context.subtitle(period, drawn, locale),
        "kpis": [
            *usage_figures.kpis(sheet, period, sheet.before, locale),
            *forecast_kpis(ahead, period, sheet.overview, locale),
        ],
        "price_notice": price_notice(told, now, locale, *sheet.beside),
        "prepaid": prepaid(organization, now),
        "notice": usage_figures.unpriced_notice(sheet.overview.unpriced, locale),
        "part_notice": usage_figures.part_notice(sheet.overview),
        "unlike": unlike_notices(
            organization, (period.from_at, period.end_at), drawn.zone, locale, model=sheet.chosen.model
        )
        if not (sheet.chosen.key_id or sheet.chosen.project)
        else (),
        "model_lines": usage_figures.model_lines(sheet, usage_context.model_urls(period, kept, sheet), locale),
        "part_lines": usage_parts.part_lines(sheet, drawn, kept, known) if kept["group"] in BY_CALLER else (),
        "findings": _open_findings(organization, period),
        "leases": sheet.overview.leases if sheet.chosen.is_all else (),
        "witnesses": usage_figures.witness_checks(witness_rows(organization, period.from_at, period.to_at)),
        "energy": energy_words(tenant_energy(organization, period.from_at, period.to_at, model=kept["model"])),
        "months": usage_context.month_choices(period, now, locale),
        "zones": usage_context.zone_choices(period, kept["tz"]),
        "kept": links,
        "fixed": fixed,
        "whole_url": with_query(reverse("tenant-usage"), period.query, {"tz": kept["tz"]}),
        "export_url": with_query(reverse("tenant-usage-csv"), period.query, _file_query(kept)),
        "choices": usage_context.group_choices(request.path, period, links, has_keys=bool(known.keys)),
        "invoices": _recent_invoices(request, organization, now, locale) if sheet.chosen.is_all else (),
        "empty": usage_context.nothing(period, locale),
        **usage_parts.filters(known, kept),
        **usage_context.token_chart(drawn, sheet, kept, grouping=grouping, locale=locale, metered_to=metered_to),
        **usage_context.cost_chart(drawn, sheet, locale=locale, metered_to=metered_to, ahead=ahead),
    }


def _file_query(kept: Kept) -> dict[str, str]:
    """Return the filters of the file: what stacks columns tells its rows apart where it is the caller."""
    return {**kept, "group": kept["group"] if kept["group"] in BY_CALLER else ""}


@require_safe
@tenant_page(READ_USAGE)
def tenant_usage_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write exactly what the usage page shows with the same address: a row per day and model or lease, and key."""
    asked = _read(request, organization, datetime.now(UTC), {}, compares=False)
    period, sheet, zone = asked.period, asked.sheet, asked.drawn.zone
    name = f"usage-{organization.slug}-{period.first}-to-{period.shown_last}-{zone.replace('/', '-')}.csv"
    labels = key_labels(organization, sheet.rows)
    return csv_answer(name, (f"day ({zone})", *CSV_HEAD), _csv_rows(sheet, labels))


def _csv_rows(sheet: UsageSheet, labels: Mapping[str, str]) -> Iterator[tuple[object, ...]]:
    for row in sheet.rows:
        tokens = row.tokens
        counts = (tokens.input, tokens.cached_input, tokens.cache_write, tokens.output, tokens.reasoning)
        yield (
            row.day,
            row.contract,
            row.term_ref,
            row.kind,
            row.model,
            *((None,) * len(counts) if row.kind == TermKind.LEASE else counts),
            row.gpu_seconds if row.kind == TermKind.LEASE else None,
            sheet.overview.currency,
            row.exact_amount,
            row.amount,
            labels.get(row.key_id, ""),
            row.project,
        )


def _read(
    request: HttpRequest,
    organization: Organization,
    now: datetime,
    fixed: Kept,
    *,
    compares: bool,
    beside: Sequence[Window] = (),
) -> Asked:
    query = request.GET.dict()
    kept = {**{name: query.get(name, "")[:FILTER_CHARS_MAX] for name in FILTERS}, **fixed}
    zone = billing_zone(organization, now)
    try:
        period = read_period(query, zone, now)
        read_zone = usage_context.read_zone(kept["tz"])
    except UnreadablePeriod as error:
        raise Http404 from error
    chosen = Chosen(kept["model"], kept["key"], kept["project"], kept["group"] in BY_CALLER)
    before = period.before() if compares else None
    sheet = usage_sheet(
        organization,
        period.from_at,
        period.to_at,
        zone,
        currency=kept["currency"] or None,
        chosen=chosen,
        read_zone=read_zone,
        compared=(before.from_at, before.to_at) if before else None,
        beside=beside,
    )
    return Asked(period, period.read_in(read_zone) if read_zone else period, kept, sheet)


def _open_findings(organization: Organization, period: Period) -> tuple[int, str]:
    """Return how many findings of a month's hours are open, of UTC's as their own page counts, and its address."""
    if not period.is_month:
        return 0, ""
    month = month_at(period.first)
    counts = count_findings(organization=organization, from_at=month.from_at, to_at=month.to_at)
    url = f"{reverse('tenant-findings')}?month={month.value}"
    return sum(one.count for one in counts if one.state == FindingState.OPEN), url


def _recent_invoices(request: HttpRequest, organization: Organization, now: datetime, locale: str) -> object:
    membership = acting_membership(request)
    if membership is None or not allows(membership.role, READ_INVOICES):
        return ()
    return invoice_entries(latest_invoices(organization, count=RECENT_INVOICES), now, locale)
