"""What a cluster costs by the hour: the owner's own figures, dated, and the arithmetic from them to an amount.

* **Cards**: what one card of a model cost, over its life, by the second (straight line). A model without a figure is
  unknown, which is not zero.
* **Rent** and **overhead** are amounts per calendar month (UTC), the same for every hour of the month.
* **Energy** is what NVML counted, times the site's PUE, times the power price. Energy that no card told is unknown.
* **Carbon** is the same energy times the grid's factor, in grams of CO2e per kWh; without a factor it is unknown.

Rates change at full UTC hours only, so that every hour has one.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from tenants.sentences import sentence

MILLIJOULES_PER_KWH = 3_600_000_000
MS_PER_HOUR = 3_600_000
HOURS_PER_DAY = 24
LIFE_DAYS_MAX = 36_500
PUE_MIN, PUE_MAX = Decimal(1), Decimal(10)
AMOUNT_MAX = Decimal(10) ** 12
GRID_G_PER_KWH_MAX = Decimal(5_000)


class WrongCost(ValueError):
    """A figure of a cost model is not what it can be: which field, why, and what a right one looks like."""

    def __init__(self, field: str, reason: str, example: str) -> None:
        super().__init__(f"{field}: {reason} Example: {example}")
        self.field = field
        self.reason = reason
        self.example = example


@dataclass(frozen=True, slots=True)
class CardCost:
    """What one card cost, written off evenly over `life_days`."""

    capex_per_gpu: Decimal
    life_days: int

    @property
    def per_gpu_ms(self) -> Fraction:
        """The cost of one millisecond of one card, used or not."""
        return Fraction(self.capex_per_gpu) / (self.life_days * HOURS_PER_DAY * MS_PER_HOUR)


@dataclass(frozen=True, slots=True)
class CostRates:
    """What a cluster costs from `effective_at` until the next rates; `grid_g_per_kwh` is None where it is not known."""

    effective_at: datetime
    currency: str
    power_price_per_kwh: Decimal
    pue: Decimal
    rent_per_month: Decimal
    overhead_per_month: Decimal
    grid_g_per_kwh: Decimal | None = None
    cards: Mapping[str, CardCost] = field(default_factory=dict)

    def check(self) -> None:
        """Raise `WrongCost` for the first figure that cannot be."""
        at = self.effective_at
        if at.utcoffset() is None or (at.minute, at.second, at.microsecond) != (0, 0, 0):
            raise WrongCost("effective_at", sentence("must be a full hour in UTC."), "2026-04-01T00:00:00Z")
        for name in ("power_price_per_kwh", "rent_per_month", "overhead_per_month"):
            _check_amount(name, getattr(self, name))
        if not PUE_MIN <= self.pue <= PUE_MAX:
            raise WrongCost("pue", sentence("is all energy over the cards' energy: from 1 to 10."), "1.25")
        if self.grid_g_per_kwh is not None and not 0 <= self.grid_g_per_kwh <= GRID_G_PER_KWH_MAX:
            raise WrongCost("grid_g_per_kwh", sentence("is grams of CO2e per kWh: from 0 to 5000."), "380")
        for model, card in self.cards.items():
            _check_amount(f"cards.{model}.capex_per_gpu", card.capex_per_gpu)
            if not 1 <= card.life_days <= LIFE_DAYS_MAX:
                raise WrongCost(f"cards.{model}.life_days", sentence("must be from 1 to 36500 days."), "1461")

    def gpu_per_ms(self, card_model: str) -> Fraction | None:
        """Return what a millisecond of one card of a model costs, without rent; None where nobody said."""
        card = self.cards.get(card_model)
        return None if card is None else card.per_gpu_ms

    def rent_of_hour(self, hour_at: datetime) -> Fraction:
        """Return the rent of a UTC hour: an even part of its calendar month's."""
        return Fraction(self.rent_per_month) / hours_of_month(hour_at)

    def overhead_of_hour(self, hour_at: datetime) -> Fraction:
        """Return the overhead of a UTC hour: an even part of its calendar month's."""
        return Fraction(self.overhead_per_month) / hours_of_month(hour_at)

    def energy_amount(self, energy_mj: int) -> Fraction:
        """Return what energy measured at the cards costs with all that the site takes for it (PUE)."""
        return _site_kwh(energy_mj, self.pue) * Fraction(self.power_price_per_kwh)

    def carbon_g(self, energy_mj: int) -> Fraction | None:
        """Return the grams of CO2e of energy measured at the cards, PUE included; None without a grid factor."""
        if self.grid_g_per_kwh is None:
            return None
        return _site_kwh(energy_mj, self.pue) * Fraction(self.grid_g_per_kwh)


def rates_at(rates: Sequence[CostRates], at: datetime) -> CostRates | None:
    """Return the rates in force: those that began last, by an instant; None before the first."""
    begun = [one for one in rates if one.effective_at <= at]
    return max(begun, key=lambda one: one.effective_at) if begun else None


def hours_of_month(at: datetime) -> int:
    """Return the hours of the UTC calendar month that a UTC instant lies in."""
    return monthrange(at.year, at.month)[1] * HOURS_PER_DAY


def _site_kwh(energy_mj: int, pue: Decimal) -> Fraction:
    return Fraction(energy_mj, MILLIJOULES_PER_KWH) * Fraction(pue)


def _check_amount(name: str, amount: Decimal) -> None:
    if not amount.is_finite() or not 0 <= amount <= AMOUNT_MAX:
        raise WrongCost(name, sentence("must be an amount that is not negative."), "0.085")
