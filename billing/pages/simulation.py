"""The repricing simulator: real usage of billing periods at other prices. A plain form; live where scripts run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.economics.repricing import STRESS_PERCENTS, at_percent
from billing.models import PriceBook, PriceVersion
from billing.pages import margin_words as words
from billing.pages.periods import UnreadablePeriod, read_period
from billing.pages.prices import sets_prices
from billing.queries.margin import Grouping, margin
from billing.queries.simulation import (
    SimulatedLine,
    Simulation,
    TooManyPeriods,
    simulate,
    version_changes,
)
from metering.pages.months import each_month
from portal.figures import DASH, change, moment, money, money_change, number, share
from portal.locales import active_locale
from portal.parts import Empty, Kpi, Notice
from portal.shell import Crumb
from tenants.roles import READ_INVOICES
from tenants.scoping import provider_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.http import HttpRequest, HttpResponse

    from billing.economics.repricing import Reprice
    from billing.models import Contract
    from billing.pages.periods import Period
    from tenants.models import Organization

PERCENT_MIN, PERCENT_MAX = -50, 200
DEFAULT_PERCENT: Final = 5
PERIODS_SHOWN_MAX: Final = 50
ALL, THIN = "", "thin"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks to simulate: a version of a book, or a percentage on the prices of some models."""

    period: Period
    percent: int
    scope: str
    version: PriceVersion | None
    currency: str
    locale: str
    now: datetime

    @property
    def query(self) -> dict[str, str]:
        """The same as an address says it."""
        return {
            **self.period.query,
            "pct": str(self.percent),
            "scope": self.scope,
            "version": str(self.version.id) if self.version else "",
            "currency": self.currency,
        }


@dataclass(frozen=True, slots=True)
class Line:
    """A simulated line in words; `stress` in the order of the percentages."""

    name: str
    model: str
    old: str
    new: str
    change: str
    tone: str
    margin: str
    stress: tuple[str, ...]


@require_safe
@provider_page(READ_INVOICES)
def provider_simulate(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what a price change would have made of a month's usage; a part of the page where htmx asks for it."""
    asked = _read(request, organization)
    short = request.headers.get("HX-Request") == "true"
    found, notice = _simulated(organization, asked, () if short else STRESS_PERCENTS)
    context: dict[str, Any] = {
        "asked": asked,
        "found": found,
        "notice": notice,
        "summary": _summary(found, asked.locale) if found else (),
        "headline": _headline(found, asked) if found else "",
    }
    if short:
        return render(request, "billing/partials/simulated.html", context)
    context |= {
        "months": each_month(asked.now.date(), asked.period.first, asked.locale),
        "versions": _versions(organization, asked),
        "models": _models(organization, asked),
        "percents": [change(Decimal(percent) / 100, digits=0) for percent in found.stress_percents] if found else [],
        "kpis": _kpis(found, asked.locale) if found else (),
        "books": _books(request, organization, found, asked),
        "tenants": [_line(one, found.currency, asked.locale) for one in found.tenants] if found else [],
        "lines": [_line(one, found.currency, asked.locale) for one in found.lines] if found else [],
        "total": _line(found.total, found.currency, asked.locale) if found else None,
        "empty": None
        if found and found.periods
        else Empty(_("Nothing to simulate"), _("No billing period that began in this month has been charged yet.")),
        "crumbs": (Crumb(_("Margin"), reverse("provider-margin")), Crumb(_("Repricing simulator"))),
    }
    return render(request, "billing/simulate.html", context)


def _read(request: HttpRequest, organization: Organization) -> Asked:
    now = datetime.now(UTC)
    query = request.GET
    try:
        period = read_period(query.dict(), "UTC", now)
        percent = int(query.get("pct", "") or DEFAULT_PERCENT)
        version_id = UUID(query["version"]) if query.get("version") else None
    except (UnreadablePeriod, ValueError) as error:
        raise Http404 from error
    version = None
    if version_id is not None:
        version = PriceVersion.objects.select_related("book").filter(pk=version_id, book__provider=organization).first()
        if version is None:
            raise Http404
    if not PERCENT_MIN <= percent <= PERCENT_MAX:
        raise Http404
    locale = active_locale()
    return Asked(period, percent, query.get("scope", ""), version, query.get("currency", ""), locale, now)


def _simulated(
    organization: Organization, asked: Asked, stress: tuple[int, ...]
) -> tuple[Simulation | None, Notice | None]:
    try:
        found = simulate(
            organization,
            from_at=asked.period.from_at,
            to_at=asked.period.end_at,
            change_of=_change(organization, asked),
            currency=asked.currency,
            book_id=asked.version.book_id if asked.version else None,
            periods_max=PERIODS_SHOWN_MAX,
            stress=stress,
            own_days=True,
        )
    except TooManyPeriods as refused:
        text = _("%(count)s billing periods are too many for a page. Run: python manage.py simulate --help") % {
            "count": number(refused.count)
        }
        return None, Notice(_("Not simulated here."), text, "warn")
    return found, None


def _change(organization: Organization, asked: Asked) -> Callable[[Contract], Reprice]:
    if asked.version is not None:
        return version_changes(asked.version)
    models: Sequence[str] | None = None
    if asked.scope == THIN:
        models = thin_models(organization, asked.period, asked.currency)
    elif asked.scope:
        models = [asked.scope]
    raised = at_percent(asked.percent, models)
    return lambda _contract: raised


def thin_models(organization: Organization, period: Period, currency: str) -> list[str]:
    """Return the models that keep less than five percent of what they earn, or lose."""
    found = margin(organization, period.first, period.last, by=Grouping.MODEL, currency=currency)
    return [
        line.key
        for line in found.lines
        if line.figures.cost_known and line.figures.margin is not None and line.figures.margin < words.THIN_MARGIN
    ]


def _summary(found: Simulation, locale: str) -> tuple[tuple[str, str, str], ...]:
    total = found.total
    return (
        (_("Earned now"), money(total.old, found.currency, locale=locale), ""),
        (_("Earned after"), money(total.new, found.currency, locale=locale), ""),
        (
            _("Change"),
            money_change(total.change, found.currency, locale=locale),
            "good" if total.change > 0 else "bad" if total.change < 0 else "",
        ),
        (_("Margin after"), share(words.decimal_of(total.margin)), ""),
    )


def _headline(found: Simulation, asked: Asked) -> str:
    by = change(Decimal(asked.percent) / 100, digits=0)
    if asked.version is not None:
        what = _("%(book)s v%(number)s from the first day on") % {
            "book": asked.version.book.name,
            "number": asked.version.number,
        }
    elif asked.scope == THIN:
        what = _("%(percent)s on models under 5 percent margin") % {"percent": by}
    elif asked.scope:
        what = f"{by} · {asked.scope}"
    else:
        what = _("%(percent)s on all prices of the book") % {"percent": by}
    return _("%(what)s, at the same usage: %(periods)s billing periods of %(contracts)s contracts.") % {
        "what": what,
        "periods": number(found.periods),
        "contracts": number(found.contracts),
    }


def _kpis(found: Simulation, locale: str) -> tuple[Kpi, ...]:
    total, currency = found.total, found.currency
    relative = Decimal(total.change) / total.old if total.old else None
    return (
        Kpi(
            _("Earned now"),
            money(total.old, currency, locale=locale),
            foot=_("as billed, before credit, without deposits"),
        ),
        Kpi(
            _("Earned after"),
            money(total.new, currency, locale=locale),
            foot_strong=money_change(total.change, currency, locale=locale),
            foot=change(relative),
        ),
        Kpi(
            _("Cost of use"),
            money(total.cost, currency, locale=locale),
            foot=_("without idle time") if total.cost is not None else _("not known"),
        ),
        Kpi(_("Margin after"), share(words.decimal_of(total.margin)), foot=_("of the use alone")),
    )


def _line(one: SimulatedLine, currency: str, locale: str) -> Line:
    return Line(
        name=one.tenant or _("Total"),
        model=one.model,
        old=money(one.old, currency, locale=locale),
        new=money(one.new, currency, locale=locale),
        change=money_change(one.change, currency, locale=locale),
        tone="good" if one.change > 0 else "bad" if one.change < 0 else "",
        margin=DASH
        if one.margin is None or _shows_nothing(one.new, currency, locale)
        else change(words.decimal_of(one.margin)),
        stress=tuple(money(amount, currency, locale=locale) for amount in one.stress),
    )


def _shows_nothing(earned: Decimal, currency: str, locale: str) -> bool:
    """Whether what is earned reads as zero: a margin of less than the smallest coin would be a figure without sense."""
    return money(abs(earned), currency, locale=locale) == money(0, currency, locale=locale)


def _versions(organization: Organization, asked: Asked) -> list[tuple[str, str, bool]]:
    rows = PriceVersion.objects.filter(book__provider=organization).select_related("book").order_by("-effective_at")
    return [
        (
            str(row.id),
            f"{row.book.name} v{row.number} · {moment(row.effective_at, UTC, locale=asked.locale)}",
            asked.version is not None and row.id == asked.version.id,
        )
        for row in rows[:50]
    ]


def _books(
    request: HttpRequest, organization: Organization, found: Simulation | None, asked: Asked
) -> list[tuple[str, str]]:
    """The books of which a draft may be made: of the currency that was simulated; none where a version was."""
    if found is None or not found.periods or asked.version is not None or not sets_prices(request):
        return []
    books = PriceBook.objects.filter(provider=organization, currency=found.currency).order_by("name")
    return [(str(book.id), book.name) for book in books]


def _models(organization: Organization, asked: Asked) -> list[tuple[str, str, bool]]:
    found = margin(organization, asked.period.first, asked.period.last, currency=asked.currency)
    offered = [
        (ALL, _("all prices of the book")),
        (THIN, _("models under 5 percent margin")),
        *((line.key, line.name) for line in found.lines if line.key),
    ]
    return [(value, title, value == asked.scope) for value, title in offered]
