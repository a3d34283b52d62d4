"""Who holds what part of which card, and when: interval arithmetic without a database.

A hold is half-open, `[from_at, to_at)`, and open-ended where `to_at` is None. Time is counted in whole
seconds: an instant is rounded down to its Unix second before anything is subtracted, so that adjoining
stretches of time add up to what the whole has, whatever the fractions (the ticks of an hour sum to 3,600
seconds). A share is in thousandths of a card; a share times seconds is GPU-milliseconds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from operator import attrgetter

WHOLE_PERMILLE = 1_000
"""The share of a whole card."""

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Hold:
    """One slice held over `[from_at, to_at)`; `share_permille` is the slice's part of its card, 1000 the whole."""

    slice_ref: str
    share_permille: int
    from_at: datetime
    to_at: datetime | None
    card_ref: str = ""
    accelerator_model: str = ""

    def __post_init__(self) -> None:
        assert 1 <= self.share_permille <= WHOLE_PERMILLE
        assert self.from_at.tzinfo is not None
        assert self.to_at is None or self.to_at > self.from_at


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What was held of what could be held in a window, both in GPU-milliseconds."""

    held_gpu_ms: int
    capacity_gpu_ms: int

    @property
    def fraction(self) -> Fraction:
        """The held part of the capacity, 0 where there is no capacity."""
        return Fraction(self.held_gpu_ms, self.capacity_gpu_ms) if self.capacity_gpu_ms else Fraction(0)


def unix_second(instant: datetime) -> int:
    """Return the Unix second that an aware instant lies in."""
    assert instant.tzinfo is not None
    return (instant - _UNIX_EPOCH) // _SECOND


def instant_of_second(second: int) -> datetime:
    """Return the UTC instant at which a Unix second begins."""
    return _UNIX_EPOCH + second * _SECOND


def clip(hold: Hold, from_at: datetime, to_at: datetime) -> tuple[int, int] | None:
    """Return the Unix seconds `[from, to)` of a hold inside a window, or None where it holds no whole second there."""
    assert from_at <= to_at
    start = max(unix_second(hold.from_at), unix_second(from_at))
    end = unix_second(to_at) if hold.to_at is None else min(unix_second(hold.to_at), unix_second(to_at))
    return (start, end) if start < end else None


def held_seconds(holds: Iterable[Hold], from_at: datetime, to_at: datetime) -> int:
    """Return the slice-seconds held in a window, each hold counted by itself and whatever its share."""
    spans = [clip(hold, from_at, to_at) for hold in holds]
    return sum(span[1] - span[0] for span in spans if span is not None)


def held_gpu_ms(holds: Iterable[Hold], from_at: datetime, to_at: datetime) -> int:
    """Return the GPU-milliseconds held in a window: the sum of seconds times share."""
    total = 0
    for hold in holds:
        span = clip(hold, from_at, to_at)
        if span is not None:
            total += (span[1] - span[0]) * hold.share_permille
    assert total >= 0
    return total


def occupancy(holds: Iterable[Hold], cards: int, from_at: datetime, to_at: datetime) -> Occupancy:
    """Return what is held of `cards` whole cards over a window."""
    assert cards >= 0
    capacity = cards * WHOLE_PERMILLE * (unix_second(to_at) - unix_second(from_at))
    return Occupancy(held_gpu_ms(holds, from_at, to_at), capacity)


def overlaps(left: Hold, right: Hold) -> bool:
    """Return whether two holds of one slice share an instant; a hold may begin where another ends."""
    return (
        left.slice_ref == right.slice_ref
        and (right.to_at is None or left.from_at < right.to_at)
        and (left.to_at is None or right.from_at < left.to_at)
    )


def double_holds(holds: Iterable[Hold]) -> tuple[tuple[Hold, Hold], ...]:
    """Return adjoining pairs of holds that have one slice at one instant; empty where each has one holder at most."""
    found: list[tuple[Hold, Hold]] = []
    by_slice: dict[str, list[Hold]] = {}
    for hold in holds:
        by_slice.setdefault(hold.slice_ref, []).append(hold)
    for same in by_slice.values():
        same.sort(key=attrgetter("from_at"))
        found.extend((left, right) for left, right in pairwise(same) if overlaps(left, right))
    return tuple(found)


def free_slices(slices: Sequence[str], holds: Iterable[Hold], at: datetime) -> tuple[str, ...]:
    """Return the slices that nobody holds at an instant, in the order given."""
    held = {hold.slice_ref for hold in holds if hold.from_at <= at and (hold.to_at is None or at < hold.to_at)}
    return tuple(slice_ref for slice_ref in slices if slice_ref not in held)


def memory_share_permille(slice_mib: int, card_mib: int) -> int:
    """Return a partition's part of its card by memory, in thousandths rounded up: 9,728 of 81,920 MiB are 119."""
    assert 0 < slice_mib <= card_mib
    share = -(-slice_mib * WHOLE_PERMILLE // card_mib)
    assert 1 <= share <= WHOLE_PERMILLE
    return share
