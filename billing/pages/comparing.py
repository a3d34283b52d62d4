"""Bay or pump: a tenant's usage, or a prospect's, as a lease, at a token price, under a share, and as a hybrid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from django.http import Http404
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.economics.comparison import (
    HYBRID,
    LEASE,
    SHARE,
    TOKEN_PRICE,
    Comparison,
    Profile,
    Terms,
    compare,
    sampled,
)
from billing.models import Contract, PriceBook
from billing.pages.margin_words import decimal_of
from billing.pages.periods import Period, UnreadablePeriod, read_period
from billing.price_versions import load_versions
from billing.queries.comparison import GPUS_MAX, comparable_contracts, forecast, real_usage, terms_to_compare
from billing.rating.inputs import RatingWindow
from metering.pages.months import each_month
from portal.charts import Column, Fact, Number, Series, column_table, line_chart
from portal.figures import DASH, axis, compact, money, number, share
from portal.locales import active_locale
from portal.parts import Empty, Kpi, LegendEntry
from tenants.limits.reader import within_own
from tenants.roles import READ_INVOICES
from tenants.scoping import provider_page, tenant_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from billing.rating.book import PriceVersion
    from portal.charts import Tone
    from tenants.models import Organization

STEPS: Final = 20
AMOUNT_MAX: Final = Decimal(10) ** 12
TOKENS_MAX: Final = 10**18
TONES: Final[Mapping[str, Tone]] = {LEASE: "m0", TOKEN_PRICE: "m1", SHARE: "m2", HYBRID: "m3"}
CLASSES: Final = ("input", "cached_input", "output")


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks to compare; a field that was left open is None."""

    period: Period
    contract: Contract | None
    gpus: int | None
    card: str
    gpu_price: Decimal | None
    share: Decimal | None
    rent: Decimal | None
    book: PriceBook | None
    model: str
    tokens: Mapping[str, int]
    locale: str

    @property
    def until(self) -> datetime:
        """Up to when there can be usage."""
        return self.period.to_at


@require_safe
@tenant_page(READ_INVOICES)
def tenant_compare(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show a tenant what its own usage would cost in each model of payment."""
    return _page(request, organization, "tenant")


@require_safe
@provider_page(READ_INVOICES)
def provider_compare(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show a provider the same of any of its tenants, or of a prospect's expected usage."""
    return _page(request, organization, "provider")


def _page(request: HttpRequest, organization: Organization, side: str) -> HttpResponse:
    contracts = comparable_contracts(organization).filter(**{side: organization})
    other = "tenant" if side == "provider" else "provider"
    with within_own(organization.pk, "the contracts of a party, with the name of the other"):
        offered = list(contracts.values_list("pk", "number", f"{other}__name"))  # hundreds, of which one is compared
    books = list(PriceBook.objects.filter(provider=organization).order_by("name")) if side == "provider" else []
    asked = _read(request, {number: pk for pk, number, _name in reversed(offered)}, books)
    chosen = asked.contract.pk if asked.contract else None
    found = _profile(asked)
    context: dict[str, Any] = {
        "side": side,
        "asked": asked,
        "contracts": [(number, f"{number} · {name}", pk == chosen) for pk, number, name in offered],
        "books": [(str(one.id), one.name, one == asked.book) for one in books],
        "months": each_month(asked.period.today, asked.period.first, asked.locale),
        "tokens": [(name, _class_words()[name], asked.tokens.get(name) or "") for name in CLASSES],
        "empty": Empty(_("Nothing to compare"), _("There is no contract yet whose usage could be priced.")),
    }
    if found is not None:
        profile, currency, agreed_share = found
        terms = terms_to_compare(
            profile,
            share_percent=asked.share,
            agreed_share=agreed_share,
            price_per_gpu_hour=asked.gpu_price,
            rent=asked.rent,
        )
        context |= _compared(profile, terms, currency, asked)
    return render(request, "billing/compare.html", context)


def _read(request: HttpRequest, contracts: dict[str, UUID], books: Sequence[PriceBook]) -> Asked:
    query, now = request.GET, datetime.now(UTC)
    try:
        period = read_period(query.dict(), "UTC", now)
    except UnreadablePeriod as error:
        raise Http404 from error
    book = next((one for one in books if str(one.id) == query.get("book")), None)
    named = query.get("contract", "")
    if (query.get("book") and book is None) or (named and named not in contracts):
        raise Http404
    chosen = contracts.get(named) if named or book else next(reversed(contracts.values()), None)
    gpus = _amount(query.get("gpus", ""), Decimal(GPUS_MAX))
    return Asked(
        period=period,
        contract=Contract.objects.select_related("tenant", "provider", "price_book").get(pk=chosen) if chosen else None,
        gpus=None if gpus is None else int(gpus),
        card=query.get("card", "")[:100],
        gpu_price=_amount(query.get("gpu_price", ""), AMOUNT_MAX),
        share=_amount(query.get("share", ""), Decimal(100)),
        rent=_amount(query.get("rent", ""), AMOUNT_MAX),
        book=book,
        model=query.get("model", "")[:200],
        tokens={name: int(_amount(query.get(name, ""), Decimal(TOKENS_MAX)) or 0) for name in CLASSES},
        locale=active_locale(),
    )


def _amount(text: str, most: Decimal) -> Decimal | None:
    """Read a number of an address; nothing is None. Raises Http404 for what is none, negative or too much."""
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise Http404 from error
    if not value.is_finite() or not 0 <= value <= most:
        raise Http404
    return value


def _profile(asked: Asked) -> tuple[Profile, str, Decimal | None] | None:
    """Return the usage that is compared, its currency, and the share that its contract agrees."""
    if asked.book is not None:
        window = _month_of(asked.book, asked.period)
        card = asked.card or next(iter(_cards(window.versions)), "")
        model = asked.model or next(iter(_models(window.versions)), "")
        profile = forecast(window, model, asked.tokens, gpus=1 if asked.gpus is None else asked.gpus, card=card)
        return profile, asked.book.currency, None
    contract = asked.contract
    if contract is None:
        return None
    from_at = max(asked.period.from_at, contract.from_at)
    if from_at >= asked.until:
        return None
    real = real_usage(contract, from_at, asked.period.end_at, asked.until, gpus=asked.gpus, card=asked.card)
    return real.profile, contract.currency, real.share_percent


def _month_of(book: PriceBook, period: Period) -> RatingWindow:
    versions = load_versions(book_ids=[book.id], from_at=period.from_at, to_at=period.end_at).get(book.id, ())
    latest = tuple(replace(version, effective_at=period.from_at) for version in versions[-1:])
    return RatingWindow(book.currency, "UTC", period.from_at, period.end_at, period.end_at, latest)


def _cards(versions: Sequence[PriceVersion]) -> list[str]:
    return sorted({card for version in versions for card in version.gpu_prices})


def _models(versions: Sequence[PriceVersion]) -> list[str]:
    return sorted({model for version in versions for model, _class in version.token_prices})


def _compared(profile: Profile, terms: Terms, currency: str, asked: Asked) -> dict[str, Any]:
    found = compare(profile, terms)
    names = _names(terms)
    most = max((one.crossing.volume for one in found.break_evens), default=Fraction(1))
    most = max(Fraction(2), min(most * 5 / 4, Fraction(20)))
    chart, table, legend = _drawn(found, names, most, currency, asked.locale)
    return {
        "empty": None,
        "terms": terms,
        "kpis": [
            Kpi(
                names[offer.name],
                money(decimal_of(offer.at(Fraction(1)), 2), currency, locale=asked.locale),
                foot=_("cheapest at this usage") if offer.name == found.cheapest else "",
                foot_tone="good",
            )
            for offer in found.offers
        ],
        "chart": chart,
        "table": table,
        "legend": legend,
        "break_evens": [
            (
                names[one.crossing.below],
                names[one.crossing.above],
                compact(decimal_of(one.tokens, 0), locale=asked.locale, digits=2),
                share(decimal_of(one.crossing.volume), digits=1),
                DASH if one.utilisation is None else share(decimal_of(one.utilisation)),
                money(decimal_of(one.crossing.amount, 2), currency, locale=asked.locale),
            )
            for one in found.break_evens
        ],
        "no_tokens": profile.tokens == 0,
        "missing": [names[name] for name in found.missing],
        "usage_words": _("%(tokens)s tokens, %(hours)s GPU-hours held")
        % {
            "tokens": compact(profile.tokens, locale=asked.locale, digits=2),
            "hours": number(Decimal(profile.gpu_ms) / 3_600_000, digits=1),
        },
    }


def _drawn(
    found: Comparison, names: Mapping[str, str], most: Fraction, currency: str, locale: str
) -> tuple[Any, Any, list[LegendEntry]]:
    series = [Series(offer.name, names[offer.name], TONES[offer.name]) for offer in found.offers]
    columns = []
    for index, (volume, amounts) in enumerate(sampled(found.offers, STEPS, most)):
        title = _("%(share)s of this usage") % {"share": share(decimal_of(volume), digits=0)}
        values: dict[str, Number] = {name: decimal_of(amount, 2) or Decimal(0) for name, amount in amounts.items()}
        facts = tuple(
            Fact(names[name], money(value, currency, locale=locale), TONES[name]) for name, value in values.items()
        )
        label = share(decimal_of(volume), digits=0) if index % 5 == 0 else ""
        columns.append(Column(label, title, values, facts))
    chart = line_chart(
        columns,
        series,
        label=_("What each model of payment costs by volume of tokens. Use the arrow keys to read it."),
        form=lambda value: axis(value, locale=locale, currency=currency),
    )
    table = column_table(
        columns,
        series,
        caption=_("Cost by volume of tokens"),
        head=_("Volume"),
        form=lambda value: money(value, currency, locale=locale),
    )
    return chart, table, [LegendEntry(one.name, one.tone) for one in series]


def _names(terms: Terms) -> dict[str, str]:
    return {
        LEASE: _("Lease"),
        TOKEN_PRICE: _("Token price"),
        SHARE: _("Share of %(percent)s%%") % {"percent": f"{terms.share_percent.normalize():f}"},
        HYBRID: _("Base rent and share"),
    }


def _class_words() -> dict[str, str]:
    return {"input": _("Input tokens"), "cached_input": _("Of them cached"), "output": _("Output tokens")}
