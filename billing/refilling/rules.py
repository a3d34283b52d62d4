"""What is to be done as credit runs low: a pure decision, made anew at each look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from billing.money import exact_sum

if TYPE_CHECKING:
    from decimal import Decimal
    from zoneinfo import ZoneInfo

NOTICE: Final = timedelta(minutes=15)
"""A card is charged so long after its holder was told of it."""


class Outcome(StrEnum):
    """What happens as credit runs low: it is only told, more is bought, or the month's most or a missing card keeps it
    from that.
    """

    TOLD = "told"
    BUYS = "buys"
    MONTH_MAX = "month_max"
    NO_CARD = "no_card"


@dataclass(frozen=True, slots=True)
class Figures:
    """A rule's figures, in the contract's currency; `buy_amount` None where it only tells."""

    below_amount: Decimal
    buy_amount: Decimal | None
    month_max_amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Watched:
    """Where a rule's watch stands.

    `is_low` since the last crossing; `waits` while something of the contract is being bought by any rule; `was_paid`
    where what the last crossing bought was paid; `was_held` where the month's most or a missing card kept it from
    buying; `has_card` where there is a card to charge now; `month_amount` is what rules bought or began to buy of the
    contract this month.
    """

    is_low: bool
    waits: bool
    was_paid: bool
    was_held: bool
    has_card: bool
    month_amount: Decimal


def is_below(figures: Figures, left: Decimal) -> bool:
    """Say whether credit is low: below the amount, not at it."""
    return left < figures.below_amount


def decide(figures: Figures, left: Decimal, watched: Watched) -> Outcome | None:
    """Return what a new crossing does; None where there is no new one.

    Credit that was low at the last look crosses anew only when what was bought since was not enough, or when the
    month's most or a missing card no longer stands in the way. While anything is being bought nothing else is.
    """
    if not is_below(figures, left) or watched.waits:
        return None
    buys = figures.buy_amount is not None and figures.month_max_amount is not None
    fits = buys and _fits(figures, watched)
    if watched.is_low and not watched.was_paid and not (watched.was_held and fits and watched.has_card):
        return None
    if not buys:
        return Outcome.TOLD
    if not fits:
        return Outcome.MONTH_MAX
    return Outcome.BUYS if watched.has_card else Outcome.NO_CARD


def month_of(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the calendar month of an instant in a zone, as UTC instants, half-open."""
    first = now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0)
    after = (first + timedelta(days=32)).replace(day=1)
    return first.astimezone(UTC), after.astimezone(UTC)


def _fits(figures: Figures, watched: Watched) -> bool:
    assert figures.buy_amount is not None
    assert figures.month_max_amount is not None
    return exact_sum([watched.month_amount, figures.buy_amount]) <= figures.month_max_amount
