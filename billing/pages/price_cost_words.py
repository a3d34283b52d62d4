"""A price book's models with what they cost, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.money import to_charge
from billing.pages.margin_words import pill_of, rate_words
from billing.pages.periods import with_query
from billing.queries.price_costs import days_of
from portal.figures import money_change

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from billing.queries.price_costs import PriceCost
    from portal.parts import Pill


@dataclass(frozen=True, slots=True)
class PriceCostLine:
    """A model: what a unit earned, costs and would earn, and what is left."""

    model: str
    url: str
    unit: str
    price: str
    cost: str
    margin: Pill
    price_after: str
    margin_after: Pill | None
    effect: str


def price_cost_lines(rows: Iterable[PriceCost], currency: str, locale: str, now: datetime) -> list[PriceCostLine]:
    """Return a line per model; what is not known is a dash, and never zero. Each leads to the days that it sums."""
    first, last = days_of(now)
    days = {"from": first.isoformat(), "to": last.isoformat(), "currency": currency}
    return [
        PriceCostLine(
            model=row.model,
            url=with_query(reverse("provider-margin-model", args=[row.model]), days),
            unit=_("1M tokens") if row.by_token else _("GPU-hour"),
            price=rate_words(row.price, currency, locale),
            cost=rate_words(row.cost, currency, locale),
            margin=pill_of(row.margin_at(row.price)),
            price_after=rate_words(row.price_after, currency, locale) if row.effect is not None else "",
            margin_after=pill_of(row.margin_at(row.price_after)) if row.effect is not None else None,
            effect=money_change(to_charge(row.effect), currency, locale=locale) if row.effect else "",
        )
        for row in rows
    ]
