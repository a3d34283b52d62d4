"""Which price version is in force when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from operator import attrgetter

from billing.rating.book import PriceVersion


@dataclass(frozen=True, slots=True)
class VersionSegment:
    """A stretch `[from_at, to_at)` under one price version, or under none (None) before the first."""

    version: PriceVersion | None
    from_at: datetime
    to_at: datetime


def version_in_force(versions: Sequence[PriceVersion], at: datetime) -> PriceVersion | None:
    """Return the version with the latest `effective_at` that is not after `at`, or None before the first."""
    assert at.tzinfo is not None
    started = [version for version in versions if version.effective_at <= at]
    return max(started, key=attrgetter("effective_at")) if started else None


def segments(versions: Sequence[PriceVersion], from_at: datetime, to_at: datetime) -> tuple[VersionSegment, ...]:
    """Cut `[from_at, to_at)` where the version in force changes; an empty interval has no segments."""
    assert from_at <= to_at
    instants = {version.effective_at for version in versions}
    assert len(instants) == len(versions), "two versions of a book start at one instant"
    inner = sorted(at for at in instants if from_at < at < to_at)
    bounds = [from_at, *inner, to_at] if from_at < to_at else []
    return tuple(VersionSegment(version_in_force(versions, start), start, end) for start, end in pairwise(bounds))
