"""Hours of use that are unlike the same hours of the weeks before: a robust comparison with one's own past."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median_low
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

HOURS_OF_WEEK: Final = 168
HOURS_OF_DAY: Final = 24
WEEKS_MIN: Final = 4
"""Of the same hour of the week; with fewer the same hours of all days are looked at."""
DAYS_MIN: Final = 7
TIMES: Final = 3
"""Unlike is at least so many times, or a third of, what is usual."""
DEVIATIONS: Final = 6
MAD_PER_MILLE: Final = 1483
"""A normal deviation is 1.4826 medians of the distances from the median."""
FLOOR_PERCENT: Final = 10
"""Hours that hardly differ still may, by so much of what is usual."""
SEEN_PERCENT: Final = 20
"""What so many of the past hours were like, give or take a half, is not unlike them."""
TOKENS_MIN: Final = 100_000
"""Less in an hour than this, now and usually, is nobody's concern."""


@dataclass(frozen=True, slots=True)
class Unlike:
    """An hour, by its place in what was looked at, what was used in it, and what is usual then."""

    place: int
    used: int
    usual: int


def unlike_hours(hours: Sequence[int], *, latest: int, least: int = TOKENS_MIN) -> list[Unlike]:
    """Return which of the `latest` hours are unlike those of the same time before them.

    `hours` are consecutive hours, the latest last, those without use as 0. Each is compared with the same hour of the
    weeks before, or with too few of these with the same hour of the days before; with too few of these it is left out.
    """
    found = []
    for place in range(max(0, len(hours) - latest), len(hours)):
        past = _past(hours, place)
        if past:
            usual = median_low(past)
            if max(hours[place], usual) >= least and _is_unlike(hours[place], usual, past):
                found.append(Unlike(place, hours[place], usual))
    return found


def _past(hours: Sequence[int], place: int) -> list[int]:
    weeks = list(hours[place % HOURS_OF_WEEK : place : HOURS_OF_WEEK])
    if len(weeks) >= WEEKS_MIN:
        return weeks
    days = list(hours[place % HOURS_OF_DAY : place : HOURS_OF_DAY])
    return days if len(days) >= DAYS_MIN else []


def _is_unlike(used: int, usual: int, past: Sequence[int]) -> bool:
    """Far in its own measure (median absolute deviation) and far in proportion: a calm service may double at peace."""
    distance = abs(used - usual)
    spread = median_low([abs(one - usual) for one in past])
    is_far = distance * 1000 > DEVIATIONS * MAD_PER_MILLE * spread
    is_far = is_far and distance * 100 > DEVIATIONS * FLOOR_PERCENT * usual
    is_far = is_far and (used >= TIMES * usual or used * TIMES <= usual)
    return is_far and not _is_seen(used, usual, past)


def _is_seen(used: int, usual: int, past: Sequence[int]) -> bool:
    """What swings between two levels has a median at one of them and is at peace at the other."""
    like = [one for one in past if (3 * one >= 2 * used if used > usual else 2 * one <= 3 * used)]
    return len(like) * 100 >= len(past) * SEEN_PERCENT
