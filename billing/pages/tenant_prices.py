"""A tenant's prices: what each contract pays, what is announced, and what an announced change means for it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from billing.csv_files import csv_answer
from billing.models import PriceNotice
from billing.pages.price_notice import price_notice
from billing.pages.price_words import (
    PriceLine,
    change_words,
    effect_words,
    headline,
    in_decimals,
    name_of,
    price_words,
    what_of,
)
from billing.price_notices import see_notice
from billing.queries.price_books import ContractPrices, contract_prices, next_notice, notices_of
from billing.queries.price_effects import ContractEffect, effect_of_notice
from billing.rating.price_lists import PriceChange, PriceKey
from billing.rating.price_rows import FIELD_OF_UNIT
from billing.rating.wording import plain
from portal.figures import day, moment, money, money_change
from portal.locales import active_locale
from portal.parts import Empty, Kpi
from portal.shell import Crumb
from tenants.models import Organization, User
from tenants.roles import READ_PRICES
from tenants.scoping import tenant_page

NOTICES_SHOWN = 20
CSV_HEAD = (
    "contract",
    "currency",
    "model",
    "quantity",
    "context_over",
    "unit",
    "price",
    "changes_at_utc",
    "next_price",
)


@require_safe
@tenant_page(READ_PRICES)
def tenant_prices(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what each of a tenant's contracts pays, and the changes it was told of."""
    now = datetime.now(UTC)
    locale = active_locale()
    contracts = contract_prices(organization, now)
    notices = list(notices_of(organization.pk).order_by("-created_at", "pk")[:NOTICES_SHOWN])
    context = {
        "notice": price_notice(next_notice(organization, now), now, locale),
        "contracts": [_contract(one, locale) for one in contracts],
        "notices": [_noticed(one, now, locale) for one in notices],
        "sub": _("The price of a moment: your contract's own, else that of its price list in force."),
        "empty": Empty(_("No prices"), _("None of your contracts refers to a list of prices."), icon="tag"),
    }
    return render(request, "billing/tenant_prices.html", context)


@require_safe
@tenant_page(READ_PRICES)
def tenant_prices_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:  # noqa: ARG001  every page takes it
    """Write a tenant's prices as a file: a row per contract, price and announced change of it."""
    rows = _csv_rows(contract_prices(organization, datetime.now(UTC)))
    return csv_answer(f"prices-{organization.slug}.csv", CSV_HEAD, rows)


@require_safe
@tenant_page(READ_PRICES)
def tenant_price_change(request: HttpRequest, organization: Organization, *, notice_id: UUID) -> HttpResponse:
    """Show what an announced change means for a contract; that somebody opened it is noted once."""
    now = datetime.now(UTC)
    locale = active_locale()
    notice = notices_of(organization.pk).filter(pk=notice_id).first()
    if notice is None:
        raise Http404
    if request.method == "GET" and notice.seen_at is None and isinstance(request.user, User):
        see_notice(notice_id=notice.id, tenant=organization, by=request.user.email, now=now)
    effect = effect_of_notice(notice, now=now)
    zone = notice.contract.time_zone
    context: dict[str, Any] = {
        "change": notice,
        "effect": effect,
        "title": _title(notice, effect, locale),
        "sub": _sub(notice, locale),
        "kpis": _kpis(notice, effect, locale),
        "sentence": effect_words(effect, locale),
        "lines": _lines(effect, locale),
        "heads": (_("Before"), _("Price")),
        "from_words": moment(effect.from_at, ZoneInfo(zone), locale=locale),
        "to_words": moment(effect.to_at, ZoneInfo(zone), locale=locale),
        "crumbs": (Crumb(_("Prices"), reverse("tenant-prices")), Crumb(_("Announced change"))),
    }
    return render(request, "billing/tenant_price_change.html", context)


def _contract(one: ContractPrices, locale: str) -> dict[str, Any]:
    """A contract's prices: a line each, with what every announced change makes of it, in order of their instants."""
    coming = [{change.key: change for change in changed} for _at, changed in one.upcoming]
    keys = sorted({*one.prices, *(key for changed in coming for key in changed)})
    return {
        "row": one,
        "lines": [
            {
                "name": name_of(key),
                "what": what_of(key),
                "now": price_words(key, one.prices.get(key), one.currency, locale),
                "changes": [
                    _changed(key, changed.get(key), one.currency, when, locale)
                    for changed, when in zip(coming, _dates(one, locale), strict=True)
                ],
            }
            for key in keys
        ],
        "dates": _dates(one, locale),
        "note": _("prices of its own, or held back by its terms") if one.adjusted else one.book,
    }


def _dates(one: ContractPrices, locale: str) -> list[str]:
    """Say from when on each announced change counts: its day, with the time where two begin on one day."""
    zone = ZoneInfo(one.time_zone)
    days = [at.astimezone(zone).date() for at, _changed in one.upcoming]
    return [
        day(on, "yMMMd", locale) if days.count(on) == 1 else moment(at, zone, locale=locale)
        for (at, _changed), on in zip(one.upcoming, days, strict=True)
    ]


def _changed(key: PriceKey, change: PriceChange | None, currency: str, when: str, locale: str) -> dict[str, str]:
    words, tone = change_words(change.before, change.after) if change else ("", "")
    after = price_words(key, change.after, currency, locale) if change else ""
    return {"from": when, "price": after, "change": words, "tone": tone}


def _noticed(notice: PriceNotice, now: datetime, locale: str) -> dict[str, Any]:
    zone = ZoneInfo(notice.contract.time_zone)
    at = notice.takes_effect_at
    return {
        "url": reverse("tenant-price-change", args=[notice.id]),
        "title": f"{notice.version.book.name} v{notice.version.number}",
        "contract": notice.contract.number,
        "told": moment(notice.created_at, zone, locale=locale),
        "from": moment(at, zone, locale=locale) if at else _("your contract keeps its own prices"),
        "coming": at is not None and at > now,
        "seen": moment(notice.seen_at, zone, locale=locale) if notice.seen_at else "",
    }


def _title(notice: PriceNotice, effect: ContractEffect, locale: str) -> str:
    if effect.takes_effect_at is None:
        return _("Your prices stay as they are")
    return headline(effect, effect.takes_effect_at, notice.contract.time_zone, locale).rstrip(".。")


def _sub(notice: PriceNotice, locale: str) -> str:
    words = {
        "contract": notice.contract.number,
        "provider": notice.version.book.provider.name,
        "book": notice.version.book.name,
        "version": notice.version.number,
        "told": moment(notice.created_at, ZoneInfo(notice.contract.time_zone), locale=locale),
    }
    return _("Contract %(contract)s with %(provider)s · %(book)s v%(version)s · told %(told)s") % words


def _kpis(notice: PriceNotice, effect: ContractEffect, locale: str) -> list[Kpi]:
    zone = ZoneInfo(notice.contract.time_zone)
    at = effect.takes_effect_at
    return [
        Kpi(
            _("Last 30 days, at the new prices"),
            money(effect.after, effect.currency, locale=locale),
            foot_strong=money_change(effect.difference, effect.currency, locale=locale) if effect.difference else "",
            foot=_("they came to %(amount)s") % {"amount": money(effect.before, effect.currency, locale=locale)},
            foot_tone="bad" if effect.difference > 0 else "good",
            lead=True,
        ),
        Kpi(
            _("In force for you from"),
            day(at.astimezone(zone).date(), "yMMMd", locale) if at else pgettext("to come", "never"),
            foot=moment(at, zone, locale=locale) if at else _("your contract keeps its own prices"),
        ),
    ]


def _lines(effect: ContractEffect, locale: str) -> list[PriceLine]:
    lines = []
    used = {change.key for change in effect.used}
    for change in sorted(effect.changes, key=lambda each: (each.key not in used, each.key)):
        words, tone = change_words(change.before, change.after)
        figures = tuple(
            price_words(change.key, price, effect.currency, locale) for price in (change.before, change.after)
        )
        exact = effect.by_price.get(_about(change.key))
        amount = money_change(in_decimals(exact), effect.currency, locale=locale) if exact else ""
        lines.append(PriceLine(name_of(change.key), what_of(change.key), figures, words, tone, amount))
    return lines


def _about(key: PriceKey) -> tuple[str, str, int]:
    return (key.model, key.quantity, key.context_over)


def _csv_rows(contracts: list[ContractPrices]) -> Iterator[tuple[object, ...]]:
    """A row for each price and announced change of it; one without a change to come has one row."""
    for one in contracts:
        coming: dict[PriceKey, list[tuple[datetime, PriceChange]]] = {}
        for at, changes in one.upcoming:
            for change in changes:
                coming.setdefault(change.key, []).append((at, change))
        for key in sorted({*one.prices, *coming}):
            price = one.prices.get(key)
            now = None if price is None else plain(price)
            head = (one.contract, one.currency, key.model, key.quantity, key.context_over, FIELD_OF_UNIT[key.unit], now)
            for at, change in coming.get(key, ()):
                yield (*head, at.isoformat(), None if change.after is None else plain(change.after))
            if key not in coming:
                yield (*head, None, None)
