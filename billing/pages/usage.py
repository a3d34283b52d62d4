"""A tenant's usage: what was used and what it costs, day by day, and the same as a file."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.pages import usage_context, usage_figures
from billing.pages.energy_words import energy_words
from billing.pages.invoice_words import invoice_entries
from billing.pages.periods import Period, UnreadablePeriod, read_period, with_query
from billing.pages.prepaid import prepaid
from billing.pages.price_notice import price_notice
from billing.queries.energy import tenant_energy
from billing.queries.invoice_list import invoice_list
from billing.queries.usage_sheet import Chosen, UsageSheet, billing_zone, usage_sheet, usage_total
from billing.queries.witnesses import witness_rows
from billing.rating.rated import TermKind
from metering.finding_models import FindingState
from metering.findings import count_findings
from metering.pages.months import month_at
from portal.figures import locale_for
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
)


@require_safe
@tenant_page(READ_USAGE)
def tenant_usage(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what a tenant used in a month or between two days, and what it costs."""
    now = datetime.now(UTC)
    period, sheet = _read(request, organization, now)
    locale = locale_for(translation.get_language() or "en")
    kept = {name: request.GET.get(name, "") for name in ("model", "group", "currency")}
    by_model = kept["group"] == "model"
    metered_to = usage_context.metered_day(organization, period)
    context = {
        "period": period,
        "sheet": sheet,
        "overview": sheet.overview,
        "sub": usage_context.subtitle(period, locale),
        "kpis": usage_figures.kpis(sheet, period, _before(organization, period, sheet), locale),
        "price_notice": price_notice(organization, now, locale),
        "prepaid": prepaid(organization, now),
        "notice": usage_figures.unpriced_notice(sheet.overview.unpriced, locale),
        "part_notice": usage_figures.part_notice(sheet.overview),
        "model_lines": usage_figures.model_lines(
            sheet, usage_context.model_urls(request.path, period, kept, sheet), locale
        ),
        "findings": _open_findings(organization, period),
        "leases": () if sheet.model else sheet.overview.leases,
        "witnesses": usage_figures.witness_checks(witness_rows(organization, period.from_at, period.to_at)),
        "energy": energy_words(tenant_energy(organization, period.from_at, period.to_at, model=kept["model"])),
        "months": usage_context.month_choices(period, now, locale),
        "kept": kept,
        "all_models_url": with_query(request.path, period.query, {**kept, "model": ""}),
        "export_url": with_query(reverse("tenant-usage-csv"), period.query, {**kept, "group": ""}),
        "choices": usage_context.group_choices(request.path, period, kept),
        "invoices": _recent_invoices(request, organization, now, locale),
        "empty": usage_context.nothing(period, locale),
        **usage_context.token_chart(period, sheet, kept, by_model=by_model, locale=locale, metered_to=metered_to),
        **usage_context.cost_chart(period, sheet, locale=locale, metered_to=metered_to),
    }
    return render(request, "billing/tenant_usage.html", context)


@require_safe
@tenant_page(READ_USAGE)
def tenant_usage_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:
    """Write exactly what the usage page shows with the same address: a row per day and model or lease."""
    period, sheet = _read(request, organization, datetime.now(UTC))
    zone = sheet.overview.zone
    name = f"usage-{organization.slug}-{period.first}-to-{period.shown_last}-{zone.replace('/', '-')}.csv"
    return csv_answer(name, (f"day ({zone})", *CSV_HEAD), _csv_rows(sheet))


def _csv_rows(sheet: UsageSheet) -> Iterator[tuple[object, ...]]:
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
        )


def _read(request: HttpRequest, organization: Organization, now: datetime) -> tuple[Period, UsageSheet]:
    query = request.GET.dict()
    zone = billing_zone(organization, now)
    try:
        period = read_period(query, zone, now)
    except UnreadablePeriod as error:
        raise Http404 from error
    sheet = usage_sheet(
        organization,
        period.from_at,
        period.to_at,
        zone,
        currency=query.get("currency") or None,
        chosen=Chosen(model=query.get("model", "")),
    )
    return period, sheet


def _before(organization: Organization, period: Period, sheet: UsageSheet) -> Decimal | None:
    compared = period.before()
    if compared is None:
        return None
    return usage_total(
        organization,
        compared.from_at,
        compared.to_at,
        compared.zone,
        currency=sheet.overview.currency,
        chosen=sheet.chosen,
    )


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
    return invoice_entries(invoice_list(organization, now=now).rows[:RECENT_INVOICES], now, locale)
