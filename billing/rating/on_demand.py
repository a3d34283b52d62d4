"""Rating of slices held on demand, and on spot: per second while allocated, in the states that bill.

A session is one slice held without a break. Time in a state that the term does not bill is no row at all: it was
agreed to be free. A session shorter than the minimum is topped up to it as it ends, in the period in which it ends. The
provider may take a spot slice back after its notice: then no minimum counts, and where the notice was not kept the last
seconds are not billed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing.rating.held_time import About, Rates, Row, at_fault, bounds, rate_time, together
from billing.rating.inputs import Fact, RatingWindow, TermInput, facts_of
from billing.rating.rated import Rated, TermKind
from billing.rating.spans import Span, joined, parts_of, span_of, without
from billing.rating.wording import Wording, WrongWording
from billing.rating.wording_fields import check_count, check_percent, check_price
from clusters.occupancy import Hold, clip, instant_of_second, unix_second
from tenants.sentences import Listed, Names, sentence

STATES = ("starting", "running", "unreachable", "stopped")
"""What a session can be in; time of which nothing is on record is `running`."""

MINIMUM_SECONDS_MAX = 86_400


class SessionWording(Wording, frozen=True, kw_only=True):
    """What on demand and spot have in common; without a price per GPU-hour the book's in force counts.

    `billed_states` is the table of states that bill; `provider_fault` are the causes of outages never billed.
    """

    accelerator_model: str = ""
    price_per_gpu_hour: Decimal | None = None
    price_percent: Decimal = Decimal(100)
    minimum_seconds: int = 0
    billed_states: tuple[str, ...] = ("starting", "running", "unreachable")
    provider_fault: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise `WrongWording` where a figure is impossible or a state is unknown."""
        check_price("price_per_gpu_hour", self.price_per_gpu_hour)
        check_percent("price_percent", self.price_percent, "40")
        check_count("minimum_seconds", self.minimum_seconds, "60")
        if self.minimum_seconds > MINIMUM_SECONDS_MAX:
            raise WrongWording(
                "minimum_seconds",
                sentence("is more than a day: %(minimum_seconds)s.", minimum_seconds=self.minimum_seconds),
                "3600",
            )
        example = Listed(STATES[:2])
        for state in self.billed_states:
            if state not in STATES:
                raise WrongWording(
                    "billed_states",
                    sentence(
                        "%(state)s is none of %(states)s.", state=repr(state), states=Names("billed_states", STATES)
                    ),
                    example,
                )
        if len(set(self.billed_states)) < len(self.billed_states):
            raise WrongWording("billed_states", sentence("names a state twice."), example)
        if "running" not in self.billed_states:
            raise WrongWording("billed_states", sentence("leaves out running, so that nothing would bill."), example)


class OnDemandWording(SessionWording, frozen=True, kw_only=True, tag="on_demand"):
    """Slices for as long as somebody wants them, at a price per GPU-hour."""


class SpotWording(SessionWording, frozen=True, kw_only=True, tag="spot"):
    """Slices that the provider may take back after `notice_seconds`.

    Where it takes one back without that notice, the last `unkept_notice_free_seconds` of the session are not billed.
    """

    notice_seconds: int
    unkept_notice_free_seconds: int = 0

    def check(self) -> None:
        """Raise `WrongWording` where a figure is impossible."""
        super().check()
        check_count("notice_seconds", self.notice_seconds, "120")
        check_count("unkept_notice_free_seconds", self.unkept_notice_free_seconds, "3600")


class StateSpan(Fact, frozen=True, kw_only=True, tag="state_span"):
    """A slice was in a state over `[from_at, to_at)`, by the record of who runs it."""

    slice_ref: str
    state: str
    from_at: datetime
    to_at: datetime


class TakenBack(Fact, frozen=True, kw_only=True, tag="taken_back"):
    """The provider took a spot slice back at `taken_at`, having said so at `noticed_at` (None: it did not)."""

    slice_ref: str
    taken_at: datetime
    noticed_at: datetime | None = None

    def kept(self, notice_seconds: int) -> bool:
        """Whether notice was given early enough."""
        if self.noticed_at is None:
            return False
        return unix_second(self.taken_at) - unix_second(self.noticed_at) >= notice_seconds


@dataclass(frozen=True, slots=True)
class _Session:
    """One slice held without a break over the seconds `[from_s, to_s)`; `ended` where the end is known."""

    hold: Hold
    from_s: int
    to_s: int
    ended: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of a term inside what is rated: its wording, seconds, and how its GPU-hours are priced.

    Its rows are divided at the seconds `divide_at`, where a percentage off it changes.
    """

    term: TermInput
    about: About
    wording: SessionWording
    inside: Span
    rates: Rates
    zone: str
    divide_at: tuple[int, ...] = ()

    def rows(self, holds: Iterable[Hold], row: Row) -> Rated:
        """Price what is held inside it, a row per local day at most."""
        return rate_time(self.about, self.rates, holds, self.inside, row=row, zone=self.zone, divide_at=self.divide_at)


def rate_on_demand(term: TermInput, window: RatingWindow) -> Rated:
    """Rate sessions on demand over a window."""
    return together(_time(part, ()) for part in _parts(term, window, TermKind.ON_DEMAND))


def rate_spot(term: TermInput, window: RatingWindow) -> Rated:
    """Rate spot sessions over a window: as on demand, but for those that were taken back.

    What an unkept notice takes back reaches over the edges of parts, so that only the rows are divided there.
    """
    taken = facts_of(term.facts, TakenBack)
    parts = _joined(_parts(term, window, TermKind.SPOT))
    return together(rated for part in parts for rated in (_time(part, taken), _unkept(part, taken)))


def _parts(term: TermInput, window: RatingWindow, kind: TermKind) -> Iterator[_Part]:
    for stretch in term.stretches:
        inside = bounds(stretch, window)
        if inside is not None:
            wording: SessionWording = stretch.wording
            about = About(kind, term.ref, stretch.contract_version)
            rates = Rates(wording.price_per_gpu_hour, window.versions, wording.price_percent)
            yield _Part(term, about, wording, inside, rates, window.zone, (inside[0],) if stretch.is_part else ())


def _joined(parts: Iterable[_Part]) -> list[_Part]:
    """Join parts of one wording; where they met the rows are still divided."""
    found: list[_Part] = []
    for part in parts:
        if part.divide_at and found and found[-1].about == part.about:
            first = found.pop()
            inside = (first.inside[0], part.inside[1])
            part = replace(first, inside=inside, divide_at=(*first.divide_at, *part.divide_at))
        found.append(part)
    return found


def _time(part: _Part, taken: Sequence[TakenBack]) -> Rated:
    kind, until = part.about.kind, part.inside[1]
    billed = _billed(part.term, part.wording, until)
    lost = at_fault(part.term, billed, part.wording.provider_fault, until)
    held = Row(f"{kind}_fixed_rate", f"{kind}_book_rate")
    fault = Row.of_rule(f"{kind}_provider_fault", sign=-1)
    return together(
        [
            part.rows(billed, held),
            part.rows(lost, fault),
            *_top_ups(part, {(each.slice_ref, unix_second(each.taken_at)) for each in taken}),
        ]
    )


def _billed(term: TermInput, wording: SessionWording, until_s: int) -> list[Hold]:
    """Return the parts of holds in states that bill."""
    free: dict[str, list[Span]] = {}
    for fact in facts_of(term.facts, StateSpan):
        if fact.state not in wording.billed_states:
            free.setdefault(fact.slice_ref, []).append((unix_second(fact.from_at), unix_second(fact.to_at)))
    return [
        part
        for hold in term.holds
        for part in parts_of(hold, without([span_of(hold, until_s)], free.get(hold.slice_ref, ())))
    ]


def _sessions(holds: Iterable[Hold]) -> Iterator[_Session]:
    """Join the holds of each slice that meet."""
    by_slice: dict[str, list[Hold]] = {}
    for hold in holds:
        by_slice.setdefault(hold.slice_ref, []).append(hold)
    for same in by_slice.values():
        same.sort(key=lambda hold: hold.from_at)
        far = max(unix_second(hold.from_at if hold.to_at is None else hold.to_at) for hold in same) + 1
        for start, end in joined(span_of(hold, far) for hold in same):
            first = next(hold for hold in same if start <= unix_second(hold.from_at) < end)
            last = max(
                (hold for hold in same if start <= unix_second(hold.from_at) < end), key=lambda hold: hold.from_at
            )
            yield _Session(first, start, end, last.to_at is not None)


def _top_ups(part: _Part, taken: set[tuple[str, int]]) -> Iterator[Rated]:
    minimum = part.wording.minimum_seconds
    for session in _sessions(part.term.holds) if minimum else ():
        short = minimum - (session.to_s - session.from_s)
        if not session.ended or short <= 0 or not part.inside[0] < session.to_s <= part.inside[1]:
            continue
        if (session.hold.slice_ref, session.to_s) not in taken:
            yield _top_up(part, session, short)


def _top_up(part: _Part, session: _Session, short: int) -> Rated:
    """Price the seconds a session lacks at what its last second cost."""
    found = part.rates.at(session.hold.accelerator_model, instant_of_second(session.to_s - 1))
    if not isinstance(found, tuple):
        # The session's own last second has no price either, and waits for one.
        return Rated()
    span = (session.to_s, session.to_s + short)
    rule = f"{part.about.kind}_minimum"
    # Sessions of many slices can end together: the slice keeps their rows apart.
    row = Row(rule, rule, f"{rule} {session.hold.slice_ref}")
    return rate_time(part.about, Rates(found[0], ()), parts_of(session.hold, [span]), span, row=row)


def _unkept(part: _Part, taken: Sequence[TakenBack]) -> Rated:
    """Take off the last seconds of the sessions that were taken back without the notice agreed."""
    wording = part.wording
    assert isinstance(wording, SpotWording)
    free = wording.unkept_notice_free_seconds
    gone: list[Hold] = []
    for fact in taken if free else ():
        at = unix_second(fact.taken_at)
        if part.inside[0] < at <= part.inside[1] and not fact.kept(wording.notice_seconds):
            gone.extend(_last_seconds(part.term, wording, fact, (max(part.inside[0], at - free), at)))
    row = Row.of_rule("spot_notice_not_kept", sign=-1)
    return part.rows(gone, row)


def _last_seconds(term: TermInput, wording: SpotWording, fact: TakenBack, span: Span) -> Iterator[Hold]:
    """Yield what is billed of a session in its last seconds, less what is the provider's fault there anyway."""
    window = (instant_of_second(span[0]), instant_of_second(span[1]))
    billed = [hold for hold in _billed(term, wording, span[1]) if hold.slice_ref == fact.slice_ref]
    lost = [span_of(hold, span[1]) for hold in at_fault(term, billed, wording.provider_fault, span[1])]
    for hold in billed:
        inside = clip(hold, *window)
        if inside is not None:
            yield from parts_of(hold, without([inside], lost))
