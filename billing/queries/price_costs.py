"""What each model of a price book earned and cost over the last days, and would have earned at announced prices."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from billing.economics.cost import MS_PER_HOUR
from billing.queries.margin import TOKENS_PER_MTOK, Figures, Grouping, margin

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date, datetime

    from billing.models import PriceBook
    from billing.queries.price_effects import ContractEffect

DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class PriceCost:
    """A model's last 30 full UTC days in the book's currency, of all the provider's contracts.

    `by_token`: its unit is 1M tokens of all classes together, else a GPU-hour. What one class of tokens costs by itself
    is not known, so none is said. `effect` is what the announced prices would have changed; None: none is announced.
    """

    model: str
    by_token: bool
    figures: Figures
    effect: Fraction | None

    @property
    def units(self) -> Fraction:
        """How many units were sold."""
        if self.by_token:
            return Fraction(self.figures.tokens, TOKENS_PER_MTOK)
        return Fraction(self.figures.gpu_ms, MS_PER_HOUR)

    @property
    def price(self) -> Fraction | None:
        """What a unit earned; None where none was sold."""
        return Fraction(self.figures.revenue) / self.units if self.units else None

    @property
    def price_after(self) -> Fraction | None:
        """What a unit would have earned at the announced prices; None where none are, or none was sold."""
        if self.effect is None or not self.units:
            return None
        return (Fraction(self.figures.revenue) + self.effect) / self.units

    @property
    def cost(self) -> Fraction | None:
        """What a unit cost; None where it is not wholly known."""
        return Fraction(self.figures.cost) / self.units if self.units and self.figures.cost_known else None

    def margin_at(self, price: Fraction | None) -> Fraction | None:
        """Return what is left of each unit of money at a price; None where price or cost is not known."""
        return None if not price or self.cost is None else 1 - self.cost / price


def days_of(now: datetime) -> tuple[date, date]:
    """Return the first and the last of the days that are summed: the running one is not over."""
    last = now.astimezone(UTC).date() - timedelta(days=1)
    return last - timedelta(days=DAYS - 1), last


def price_costs(
    book: PriceBook, models: Collection[str], effects: Iterable[ContractEffect], now: datetime
) -> list[PriceCost]:
    """Return the models of a book that sold anything, the most earned first; three queries, and one for whose it is."""
    found = margin(book.provider, *days_of(now), by=Grouping.MODEL, currency=book.currency)
    listed = list(effects)
    changed: dict[str, Fraction] = defaultdict(Fraction)
    for effect in listed:
        for (model, _class, _over), amount in effect.by_price.items():
            changed[model] += amount
    lines = [
        PriceCost(
            line.key, line.figures.tokens > 0, line.figures, changed.get(line.key, Fraction(0)) if listed else None
        )
        for line in found.lines
        if line.key in models and not line.kind
    ]
    return sorted((line for line in lines if line.units), key=lambda line: (-line.figures.revenue, line.model))
