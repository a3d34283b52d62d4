"""Cutting a delta into usage hours.

A delta is a total that accrued over `[from_ms, to_ms)`. It is cut at every full UTC hour and at the given
edges (starts and ends of allocations and deployments, instants from which a price version is in force), and
its whole units are shared out in proportion to time. Instants are Unix milliseconds in UTC, intervals
half-open.

How the units are shared: a part `[a, b)` gets `share(b) - share(a)`, where `share(t)` is the total times the
elapsed fraction at `t`, rounded to the nearest unit. Parts therefore sum to the total exactly, each is within
one unit of its exact proportion, and cutting at one more edge later (a price published in between) never
moves a unit across an edge that was there before. Largest remainder gives the same for one edge, but loses
that last property for more.

Quality: a delta inside one part keeps its quality. A delta over several parts is `A` in total while the
spread is an estimate, so its parts are `E`, except where the total is 0, since a register that did not rise
did so nowhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from metering.deltas import DeltaOutcome, Quality, Rule

HOUR_MS = 3_600_000
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Part:
    """The share of a delta in one stretch of one hour.

    `hour_ms` is the start of that hour; `split` says that the delta was shared out over several parts.
    """

    hour_ms: int
    from_ms: int
    to_ms: int
    value: int
    quality: Quality
    split: bool


def instant_of(unix_ms: int) -> datetime:
    """Return the UTC instant of `unix_ms` milliseconds."""
    return _UNIX_EPOCH + timedelta(milliseconds=unix_ms)


def unix_ms_of(instant: datetime) -> int:
    """Return an aware instant as whole Unix milliseconds, rounded down."""
    assert instant.tzinfo is not None
    return (instant - _UNIX_EPOCH) // timedelta(milliseconds=1)


def hour_of(unix_ms: int) -> int:
    """Return the start of the UTC hour that holds the instant."""
    return unix_ms - unix_ms % HOUR_MS


def cut(
    *,
    value: int,
    from_ms: int,
    to_ms: int,
    quality: Quality = Quality.ACTUAL,
    edges_ms: Iterable[int] = (),
    snap_ms: int = 0,
) -> tuple[Part, ...]:
    """Cut `value` over `[from_ms, to_ms)` at full hours and at `edges_ms`; return all parts, zeros too.

    An edge within `snap_ms` of either end counts as that end: a reading meant for the full hour that was
    taken some milliseconds past it belongs wholly before it. An empty interval belongs to the hour that ends
    with it.
    """
    assert value >= 0
    assert from_ms <= to_ms
    assert snap_ms >= 0
    from_ms = min(from_ms, to_ms - 1)
    inner = _inner_edges(from_ms, to_ms, edges_ms, snap_ms)
    bounds = (from_ms, *inner, to_ms)
    split = len(bounds) > 2
    part_quality = Quality.ESTIMATED if split and value and quality is Quality.ACTUAL else quality
    length = to_ms - from_ms
    parts: list[Part] = []
    for start_ms, end_ms in pairwise(bounds):
        share = _share(value, end_ms - from_ms, length) - _share(value, start_ms - from_ms, length)
        middle_ms = (start_ms + end_ms) // 2
        parts.append(Part(hour_of(middle_ms), start_ms, end_ms, share, part_quality, split))
    assert sum(part.value for part in parts) == value
    return tuple(parts)


def cut_outcome(outcome: DeltaOutcome, edges_ms: Iterable[int] = (), *, snap_ms: int = 0) -> tuple[Part, ...]:
    """Cut the outcome of a reading; one that counts nothing, or is a baseline, has no parts."""
    if outcome.value is None or outcome.rule is Rule.FIRST_CONTACT_BASELINE:
        return ()
    assert outcome.quality is not None
    return cut(
        value=outcome.value,
        from_ms=outcome.from_ms,
        to_ms=outcome.to_ms,
        quality=outcome.quality,
        edges_ms=edges_ms,
        snap_ms=snap_ms,
    )


def hour_totals(parts: Iterable[Part]) -> Mapping[int, Mapping[Quality, int]]:
    """Add parts up by hour and quality: `{hour_ms: {quality: value}}`, whatever their order."""
    totals: dict[int, dict[Quality, int]] = {}
    for part in parts:
        mix = totals.setdefault(part.hour_ms, {})
        mix[part.quality] = mix.get(part.quality, 0) + part.value
    return {hour_ms: dict(sorted(totals[hour_ms].items())) for hour_ms in sorted(totals)}


def _inner_edges(from_ms: int, to_ms: int, edges_ms: Iterable[int], snap_ms: int) -> list[int]:
    hours = range(hour_of(from_ms) + HOUR_MS, to_ms, HOUR_MS)
    return sorted({edge for edge in (*hours, *edges_ms) if from_ms + snap_ms < edge < to_ms - snap_ms})


def _share(value: int, elapsed_ms: int, length_ms: int) -> int:
    """Return `value * elapsed / length` rounded to the nearest unit, halves up."""
    return (2 * value * elapsed_ms + length_ms) // (2 * length_ms)
