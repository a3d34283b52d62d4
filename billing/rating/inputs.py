"""What one term is rated from: its wordings, what was held and used, and facts that other periods and meters state."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from billing.rating.book import PriceVersion
from billing.rating.wording import Stretch, assert_in_order
from clusters.occupancy import Hold, unix_second


class Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="fact"):
    """Something beside usage that decides an amount and stands in the evidence. Each kind is a tagged subclass."""


class Carried(Fact, frozen=True, kw_only=True, tag="carried"):
    """What the period before handed to this one: a `Carry` of its rating, by name."""

    name: str
    value: Decimal


class Used(msgspec.Struct, frozen=True):
    """A count of one quantity, quality, band and mark, of a deployment in a stretch that no price change divides.

    `quantity` is a class of tokens, or `requests`, `images`, `audio_seconds`, `video_seconds`, `steps`. `marks` are
    words of a fixed list, joined by "+" in alphabetical order: `batch`, `interrupted`, `priority`, `test` and so on;
    "" for a plain request. `caller` tells who used it where that is shown; it decides no price.

    A struct and no dataclass, since a month has tens of thousands of them: one is made in a fifth of the time.
    """

    deployment: str
    model: str
    quantity: str
    quality: str
    from_at: datetime
    to_at: datetime
    count: int
    context_over: int = 0
    marks: str = ""
    caller: str = ""

    def __post_init__(self) -> None:
        assert self.count >= 0
        assert self.from_at <= self.to_at


@dataclass(frozen=True, slots=True)
class RatingWindow:
    """What is rated: `[from_at, to_at)` of the billing period `[from_at, period_to_at)` of one contract.

    `versions` are the price versions in force at some instant of it. What can be told at a period's end only (a
    minimum, a true-up) is rated where the window `is_whole`. `whole_seconds` are those of the uncut period where the
    contract begins or ends inside it: amounts per period are prorated by them. None: the period is uncut.
    """

    currency: str
    zone: str
    from_at: datetime
    to_at: datetime
    period_to_at: datetime
    versions: tuple[PriceVersion, ...] = ()
    whole_seconds: int | None = None

    def __post_init__(self) -> None:
        assert self.from_at <= self.to_at <= self.period_to_at
        assert self.from_at < self.period_to_at
        assert self.whole_seconds is None or self.whole_seconds > 0

    @property
    def seconds_per_period(self) -> int:
        """What an amount per period is prorated by: the seconds of the uncut period."""
        cut = unix_second(self.period_to_at) - unix_second(self.from_at)
        return cut if self.whole_seconds is None else self.whole_seconds

    @property
    def is_whole(self) -> bool:
        """Whether the period is rated to its end."""
        return self.to_at == self.period_to_at


@dataclass(frozen=True, slots=True)
class TermInput:
    """A term as a window's rating takes it: `[from_at, to_at)` is the term's own time, open-ended where None.

    `stretches` are the wordings in force in the window, in order; they do not overlap and lie within the window's
    period and the term.
    """

    ref: str
    title: str
    from_at: datetime
    to_at: datetime | None
    stretches: tuple[Stretch[Any], ...]
    holds: tuple[Hold, ...] = ()
    usage: tuple[Used, ...] = ()
    facts: tuple[Fact, ...] = field(default=())

    def __post_init__(self) -> None:
        assert self.ref
        assert_in_order(self.stretches)

    def carried(self, name: str) -> Decimal:
        """Return what the period before handed over by that name, 0 where it handed nothing."""
        values = [fact.value for fact in facts_of(self.facts, Carried) if fact.name == name]
        assert len(values) <= 1, name
        return values[0] if values else Decimal(0)


F = TypeVar("F", bound=Fact)


def facts_of(facts: Iterable[Fact], kind: type[F]) -> Sequence[F]:
    """Return the facts of one kind, in the order given."""
    return [fact for fact in facts if isinstance(fact, kind)]
