"""Since when something sells below its cost, and what that has cost so far."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.money import exact_sum


@dataclass(frozen=True, slots=True)
class DayMargin:
    """What one thing earned and cost on a day."""

    day: date
    revenue: Decimal
    cost: Decimal

    @property
    def margin(self) -> Decimal:
        """What is left, negative for a loss."""
        return exact_sum((self.revenue, -self.cost))


@dataclass(frozen=True, slots=True)
class Inversion:
    """A run of days that ends with the last known one, each sold below cost; `loss` is positive."""

    since: date
    last: date
    days: int
    loss: Decimal
    revenue: Decimal
    cost: Decimal


def inversion_of(days: Iterable[DayMargin]) -> Inversion | None:
    """Return the run of losing days up to the latest one, or None where the latest did not lose.

    Days on which nothing was sold and nothing was spent are not there at all and do not end a run. A day that earned
    exactly its cost ends it.
    """
    run: list[DayMargin] = []
    for one in sorted(days, key=lambda each: each.day, reverse=True):
        if one.margin >= 0:
            break
        run.append(one)
    if not run:
        return None
    revenue, cost = exact_sum(one.revenue for one in run), exact_sum(one.cost for one in run)
    return Inversion(
        since=run[-1].day,
        last=run[0].day,
        days=len(run),
        loss=exact_sum((cost, -revenue)),
        revenue=revenue,
        cost=cost,
    )
