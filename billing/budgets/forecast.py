"""What a running month comes to, from the days before: a figure, and the range that four of five months end in.

Each day to come is taken to be as the same weekday of the last seven days. How far that can be off is what it was off
before: the same is foretold from each past day for up to a week, and of the errors (as ratios) the one is taken that
four of five stay within. Errors grow with the days ahead, by the power of 0.7 of their number in weeks: between what
independent days give (0.5) and a lasting change gives (1). That power was chosen on the public traces against which
`bench/forecast.py` tries the whole; `docs/budgets.md` has how often the range held.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

WEEK: Final = 7
HISTORY_DAYS: Final = 70
"""Older days say little of what comes."""
SHARE_WITHIN: Final = Decimal("0.8")
TRIES_MIN: Final = 7
"""With fewer past days to try there is a figure without a range."""
GROWTH: Final = Decimal("0.7")
RATIO_MIN: Final = Decimal("0.01")
DIGITS: Final = 28


@dataclass(frozen=True, slots=True)
class Forecast:
    """A month's end; `low` and `high` are None where too few days could be tried. `tries` is how many were."""

    expected: Decimal
    low: Decimal | None
    high: Decimal | None
    tries: int


def forecast(days: Sequence[Decimal], *, spent: Decimal, today: Decimal, left: int) -> Forecast | None:
    """Return what a month comes to; None with less than a week of days.

    `days` are the complete days before today, the latest last, as far back as they are known; `spent` is what the
    complete days of the month came to, `today` what today has so far, and `left` how many days the month still has,
    today being the first. All are of one unit and none is below zero.
    """
    assert left >= 1
    history = list(days)[-HISTORY_DAYS:]
    if len(history) < WEEK:
        return None
    with localcontext() as context:
        context.prec = DIGITS
        rest = _repeated(history, left)
        # What today has used already is a fact; the rest of it is not less than nothing.
        rest += max(Decimal(0), today - history[-WEEK])
        errors = sorted(_errors(history, min(left, WEEK)))
        rank = _rank(len(errors))
        known = spent + today
        if len(errors) < TRIES_MIN or rank > len(errors) or not rest:
            return Forecast(spent + rest, None, None, len(errors))
        off = (errors[rank - 1] * (Decimal(max(left, WEEK)) / WEEK) ** GROWTH).exp()
        return Forecast(spent + rest, max(known, spent + rest / off), max(known, spent + rest * off), len(errors))


def _repeated(history: Sequence[Decimal], count: int) -> Decimal:
    """The last week over and over, for so many days."""
    last = history[-WEEK:]
    return sum((last[place % WEEK] for place in range(count)), Decimal(0))


def _errors(history: Sequence[Decimal], ahead: int) -> list[Decimal]:
    """How far off, as the size of a logarithm, so many days foretold from each past day were."""
    found = []
    for place in range(WEEK, len(history) - ahead + 1):
        foretold = _repeated(history[:place], ahead)
        if foretold > 0:
            ratio = max(sum(history[place : place + ahead], Decimal(0)) / foretold, RATIO_MIN)
            found.append(abs(ratio.ln()))
    return found


def _rank(tries: int) -> int:
    """Of so many errors in order, the one that the next stays within in four of five cases (split conformal)."""
    return int(((tries + 1) * SHARE_WITHIN).to_integral_value(rounding="ROUND_CEILING"))
