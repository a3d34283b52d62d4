"""Who holds what part of which card, and when: interval arithmetic without a database.

A hold is half-open, `[from_at, to_at)`, and open-ended where `to_at` is None. Time is counted in whole
seconds: an instant is rounded down to its Unix second before anything is subtracted, so that adjoining
stretches of time add up to what the whole has, whatever the fractions (the ticks of an hour sum to 3,600
seconds). A share is in thousandths of a card; a share times seconds is GPU-milliseconds.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from operator import attrgetter
from typing import Protocol, TypeVar

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


class Held(Protocol):
    """Anything that stands for a slice held over `[from_at, to_at)`."""

    @property
    def from_at(self) -> datetime:
        """The instant it begins."""

    @property
    def to_at(self) -> datetime | None:
        """The instant it ends, None where it is open-ended."""


AnyHold = TypeVar("AnyHold", bound=Held)


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


def standing_holds(holds: Iterable[AnyHold], from_at: datetime, to_at: datetime | None, at: datetime) -> list[AnyHold]:
    """Return what a lease over `[from_at, to_at)` holds at an instant, in the order given.

    Before the lease begins that is what it will hold first, after it ended what it held last; in between it may be
    nothing.
    """
    found = list(holds)
    if at < from_at:
        first = min((hold.from_at for hold in found), default=from_at)
        return [hold for hold in found if hold.from_at == first]
    if to_at is None or at < to_at:
        return [hold for hold in found if hold.from_at <= at and (hold.to_at is None or at < hold.to_at)]
    last = max((hold.to_at or to_at for hold in found), default=to_at)
    return [hold for hold in found if (hold.to_at or to_at) == last]


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


@dataclass(frozen=True, slots=True)
class Card:
    """One accelerator that jobs can be placed on."""

    card_ref: str
    node_ref: str


@dataclass(frozen=True, slots=True)
class Job:
    """Something that runs over the seconds `[from_s, to_s)` on `cards` cards, each at `share_permille`.

    Only a job of one card may take less than a whole card.
    """

    job_ref: str
    cards: int
    share_permille: int
    from_s: int
    to_s: int

    def __post_init__(self) -> None:
        assert self.cards >= 1
        assert 1 <= self.share_permille <= WHOLE_PERMILLE
        assert self.cards == 1 or self.share_permille == WHOLE_PERMILLE
        assert self.from_s < self.to_s

    @property
    def gpu_ms(self) -> int:
        """The GPU-milliseconds it takes: cards times share times seconds."""
        return self.cards * self.share_permille * (self.to_s - self.from_s)


@dataclass(frozen=True, slots=True)
class Placed:
    """One slice of one card that a job holds over the seconds `[from_s, to_s)`."""

    job_ref: str
    card_ref: str
    slice_ref: str
    share_permille: int
    from_s: int
    to_s: int


@dataclass(frozen=True, slots=True)
class Placement:
    """Where jobs were placed, and those for which there was no room."""

    placed: tuple[Placed, ...]
    without_room: tuple[Job, ...]


def place_jobs(jobs: Iterable[Job], cards: Sequence[Card]) -> Placement:
    """Place jobs on cards in the order they begin, so that nothing is held twice; the same input, the same answer.

    A job of whole cards takes free cards of one node, of the fullest node that has enough. A job of a part
    takes a slice of the fullest card that is partitioned already and has room, else it partitions a free
    card. A card is used either whole or in parts at any one time, its parts never exceed the whole, and a
    slice is reused by the next job of its size. What a job holds is free again at the second it ends.
    """
    floor = _Floor(cards)
    ending: list[tuple[int, int, tuple[Placed, ...]]] = []
    placed: list[Placed] = []
    without_room: list[Job] = []
    for number, job in enumerate(sorted(jobs, key=lambda each: (each.from_s, each.job_ref))):
        while ending and ending[0][0] <= job.from_s:
            floor.release(heapq.heappop(ending)[2])
        taken = floor.take(job)
        if taken:
            heapq.heappush(ending, (job.to_s, number, taken))
            placed.extend(taken)
        else:
            without_room.append(job)
    return Placement(tuple(placed), tuple(without_room))


class _BestFit:
    """A set of (room, index) pairs that gives the one with the least room that is enough."""

    def __init__(self, rooms: Iterable[tuple[int, int]] = ()) -> None:
        self._rooms = sorted(rooms)

    def find(self, room_min: int) -> tuple[int, int] | None:
        at = bisect_left(self._rooms, (room_min, -1))
        return self._rooms[at] if at < len(self._rooms) else None

    def add(self, room: int, index: int) -> None:
        if room:
            insort(self._rooms, (room, index))

    def remove(self, room: int, index: int) -> None:
        if room:
            del self._rooms[bisect_left(self._rooms, (room, index))]


class _Floor:
    """The cards of a cluster and what is free on them."""

    def __init__(self, cards: Sequence[Card]) -> None:
        self._cards = cards
        refs = list(dict.fromkeys(card.node_ref for card in cards))
        self._nodes = {ref: index for index, ref in enumerate(refs)}
        self._free: list[list[int]] = [[] for _ in refs]
        for index, card in enumerate(cards):
            self._free[self._nodes[card.node_ref]].append(index)
        self._by_free_cards = _BestFit((len(free), node) for node, free in enumerate(self._free))
        self._by_free_share = _BestFit()
        self._used_permille: dict[int, int] = {}
        self._card_at = {card.card_ref: index for index, card in enumerate(cards)}
        self._idle_slices: dict[tuple[int, int], list[str]] = {}
        self._slices_made: dict[int, int] = {}

    def take(self, job: Job) -> tuple[Placed, ...]:
        if job.share_permille == WHOLE_PERMILLE:
            return tuple(self._hold(job, index, None) for index in self._take_cards(job.cards))
        index = self._take_share(job.share_permille)
        return () if index is None else (self._hold(job, index, self._take_slice(index, job.share_permille)),)

    def release(self, taken: tuple[Placed, ...]) -> None:
        for placed in taken:
            index = self._card_at[placed.card_ref]
            if placed.share_permille < WHOLE_PERMILLE:
                self._idle_slices.setdefault((index, placed.share_permille), []).append(placed.slice_ref)
                self._use(index, -placed.share_permille)
            else:
                self._give_back(index)

    def _hold(self, job: Job, index: int, slice_ref: str | None) -> Placed:
        card_ref = self._cards[index].card_ref
        return Placed(job.job_ref, card_ref, slice_ref or card_ref, job.share_permille, job.from_s, job.to_s)

    def _take_cards(self, count: int) -> list[int]:
        found = self._by_free_cards.find(count)
        if found is None:
            return []
        room, node = found
        taken = self._free[node][:count]
        del self._free[node][:count]
        self._by_free_cards.remove(room, node)
        self._by_free_cards.add(room - count, node)
        return taken

    def _take_share(self, share_permille: int) -> int | None:
        found = self._by_free_share.find(share_permille)
        if found is not None:
            index = found[1]
        else:
            opened = self._take_cards(1)
            if not opened:
                return None
            index = opened[0]
        self._use(index, share_permille)
        return index

    def _take_slice(self, index: int, share_permille: int) -> str:
        idle = self._idle_slices.get((index, share_permille))
        if idle:
            return idle.pop()
        self._slices_made[index] = self._slices_made.get(index, 0) + 1
        return f"{self._cards[index].card_ref}/{self._slices_made[index]}"

    def _use(self, index: int, change_permille: int) -> None:
        """Take or give back a part of a partitioned card; a card without parts is a free whole card again."""
        before = self._used_permille.get(index, 0)
        after = before + change_permille
        assert 0 <= after <= WHOLE_PERMILLE
        if before:
            self._by_free_share.remove(WHOLE_PERMILLE - before, index)
        self._used_permille[index] = after
        if after:
            self._by_free_share.add(WHOLE_PERMILLE - after, index)
        else:
            self._give_back(index)

    def _give_back(self, index: int) -> None:
        node = self._nodes[self._cards[index].node_ref]
        free = self._free[node]
        self._by_free_cards.remove(len(free), node)
        insort(free, index)
        self._by_free_cards.add(len(free), node)
