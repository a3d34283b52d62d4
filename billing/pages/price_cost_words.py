"""A price book's models with what they cost, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.money import to_charge
from billing.pages.margin_words import THIN_MARGIN, decimal_of, rate_words
from portal.figures import DASH, change, money_change
from portal.parts import Pill, PillTone

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from billing.queries.price_costs import PriceCost


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


def price_cost_lines(rows: Iterable[PriceCost], currency: str, locale: str) -> list[PriceCostLine]:
    """Return a line per model; what is not known is a dash, and never zero."""
    return [
        PriceCostLine(
            model=row.model,
            url=reverse("provider-margin-model", args=[row.model]),
            unit=_("1M tokens") if row.by_token else _("GPU-hour"),
            price=rate_words(row.price, currency, locale),
            cost=rate_words(row.cost, currency, locale),
            margin=_pill(row.margin_at(row.price)),
            price_after=rate_words(row.price_after, currency, locale) if row.effect is not None else "",
            margin_after=_pill(row.margin_at(row.price_after)) if row.effect is not None else None,
            effect=money_change(to_charge(row.effect), currency, locale=locale) if row.effect else "",
        )
        for row in rows
    ]


def _pill(margin: Fraction | None) -> Pill:
    if margin is None:
        return Pill(DASH, small=True)
    tone: PillTone = "bad" if margin < 0 else "warn" if margin < THIN_MARGIN else "good"
    return Pill(change(decimal_of(margin)), tone, small=True)
