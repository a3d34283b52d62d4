"""What flat shares come to by model, day and caller, worked out from series of counts and not line by line.

A share is flat where one percentage of list prices is owed of each class of a model, and of nothing else: no tiers, no
guarantee, no cap, no exclusion, and no fact that says otherwise. Then what is owed is tokens times price times
percentage, however the time is divided, and none of the lines that rating makes of a month of days is needed to add
them up. It is the very figure that rating gives (`billing.rating.share_rating`), which bills are made of; a model of
which it might not be is rated.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from billing.basis import PeriodBasis
from billing.money import CHARGE_DECIMALS, TOKENS_PER_PRICE_UNIT, charge_of
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.kinds import ADJUSTED, kind_of
from billing.rating.quantities import QUANTITIES
from billing.rating.share_lines import percent_on_tokens
from billing.rating.share_pieces import MARK_INTERRUPTED
from billing.rating.share_time import Segment, segments
from billing.rating.share_wording import TokenShareWording
from billing.rating.versions import version_in_force
from billing.rating.wording import Wording
from billing.token_counts import TokenCounts
from billing.usage_reading import Series

CLASSES: Final = tuple(TokenClass)
PLACE_OF: Final = {str(token_class): place for place, token_class in enumerate(CLASSES)}
"""Where each class stands in the counts of a cell."""
WHOLE_OF: Final = {
    place: PLACE_OF[QUANTITIES[token_class].part_of]
    for place, token_class in enumerate(CLASSES)
    if QUANTITIES[token_class].part_of
}
"""By the place of a class that is a part of another, that of the other."""
INPUT, CACHED, _CACHE_WRITE, OUTPUT, REASONING = range(len(CLASSES))
assert {CACHED: INPUT, REASONING: OUTPUT} == WHOLE_OF
assert TokenCounts.__struct_fields__ == CLASSES
CHARGE_UNITS: Final = 10**CHARGE_DECIMALS
FREE_FIELDS: Final = frozenset(
    {
        "witness",
        "tolerance_percent",
        "share_percent",
        "share_by",
        "tier_mode",
        "tier_period",
        "collected_by",
        "spans_begin",
        "outside_tolerance",
        "interrupted_streams",
        "audit_tolerance_percent",
        "settlement",
    }
)
"""What a flat share may say. Of the witnesses, and of interrupted streams, it takes a fact or a mark to count."""

Counts = list[int]
"""Tokens by class, in the order of CLASSES."""
Caller = tuple[date, str]
"""A day, and who used it; "" where that is not told or not known."""


class Cached(NamedTuple):
    """Cached input that went at a price of its own, and what decides what it would have cost as input."""

    caller: str
    version_id: str
    model: str
    context_over: int
    price_per_mtok: Decimal
    share_percent: Decimal
    tokens: int


class FlatLine(msgspec.Struct, frozen=True):
    """What is owed under a flat share for a model: the line of a bill, unrounded, and the same by day and caller.

    `base_amount` is what the tokens are worth at their prices. All amounts are exact.
    """

    term_ref: str
    model: str
    exact_amount: Decimal
    base_amount: Decimal
    amounts: Mapping[Caller, Decimal]
    tokens: Mapping[Caller, TokenCounts]
    cached: tuple[Cached, ...]


class _Place(NamedTuple):
    """Where a count lies: tokens of two places are on different lines."""

    segment: Segment
    version: PriceVersion
    day: date


class _Rate(NamedTuple):
    """What a token of a class goes at, in units of a charge: before the share, and as it is owed.

    `part` is the place of the class that is taken out of it, as it goes at a rate of its own; None where none is.
    """

    place: int
    part: int | None
    base: int
    owed: int
    price_per_mtok: Decimal
    share_percent: Decimal


class _Rates(NamedTuple):
    """The rates of a model in a place, and the places of the classes that have no price and are part of none."""

    priced: tuple[_Rate, ...]
    unpriced: tuple[int, ...]


class _NotFlatError(Exception):
    """Something of a model is not as it is in flat shares: it is rated as in every other share."""


def flat_refs(basis: PeriodBasis) -> Collection[str]:
    """Return the references of the terms that are flat shares, unless something looks at the lines of them."""
    if basis.facts or any(kind_of(term) in ADJUSTED for term in basis.terms):
        return ()
    return {
        term.ref for term in basis.terms if not term.facts and all(_is_flat(each.wording) for each in term.stretches)
    }


def _is_flat(wording: Wording) -> bool:
    """Whether a wording is that of a flat share; of one with something that nobody thought of here it is not."""
    if not isinstance(wording, TokenShareWording) or any(row.tiers for row in wording.share_by):
        return False
    fields = msgspec.structs.fields(wording)
    return all(field.name in FREE_FIELDS or getattr(wording, field.name) == field.default for field in fields)


def flat_lines(
    term: TermInput, window: RatingWindow, series: Iterable[Series], *, for_sum: bool = False
) -> tuple[list[FlatLine], list[Series]]:
    """Return what a flat share comes to of each model, and the series of the models that have to be rated.

    Those are models of which more of a part than of its whole was counted, that have no price, whose requests were
    marked in a way that counts, whose callers are told apart while prices change, and of which an amount would have to
    be rounded as a charge is. `for_sum` says nothing of days.
    """
    places = _Places(term, window)
    ordered = sorted(series, key=lambda one: (one.model, one.deployment, one.context_over))
    lines: list[FlatLine] = []
    rest: list[Series] = []
    for model, grouped in groupby(ordered, lambda one: one.model):
        its = list(grouped)
        try:
            lines.append(_line(term.ref, model, _cells(model, its, places), places, for_sum=for_sum))
        except _NotFlatError:
            rest += its
    return lines, rest


class _Places:
    """Places, by where counts begin, and the rates of them: each worked out once."""

    def __init__(self, term: TermInput, window: RatingWindow) -> None:
        self._parts, self._versions, self._zone = segments(term, window), window.versions, ZoneInfo(window.zone)
        self._numbers: dict[tuple[int, str, date], int] = {}
        self._rates: dict[tuple[int, str, str, int], _Rates] = {}
        self.all: list[_Place] = []
        self.at: dict[datetime, int] = {}
        """Their numbers by where counts begin."""
        self.marks = {MARK_INTERRUPTED, *(mark for version in window.versions for _, mark in version.factors)}
        """Those that a price or a rule may depend on."""

    def find(self, start: datetime) -> int:
        """Return the number of the place in which a stretch begins."""
        segment = next((part for part in self._parts if part.from_at <= start < part.to_at), None)
        version = version_in_force(self._versions, start)
        if segment is None or version is None:
            raise _NotFlatError
        place = _Place(segment, version, start.astimezone(self._zone).date())
        about = (segment.number, version.version_id, place.day)
        if about not in self._numbers:
            self._numbers[about] = len(self.all)
            self.all.append(place)
        number = self.at[start] = self._numbers[about]
        return number

    def rates(self, place: _Place, model: str, tier: int) -> _Rates:
        """Return at which rates tokens of a model go in a place."""
        about = (place.segment.number, place.version.version_id, model, tier)
        found = self._rates.get(about)
        if found is None:
            found = self._rates[about] = _rates(place.segment, place.version, model, tier)
        return found


def _rates(segment: Segment, version: PriceVersion, model: str, tier: int) -> _Rates:
    prices = [version.price_per_mtok(model, token_class, tier) for token_class in CLASSES]
    priced = []
    for place, (token_class, price) in enumerate(zip(CLASSES, prices, strict=True)):
        if price is not None:
            percent = percent_on_tokens(segment, model, token_class)
            part = next((part for part, whole in WHOLE_OF.items() if whole == place and prices[part] is not None), None)
            (amount, of), (share, whole) = price.as_integer_ratio(), percent.as_integer_ratio()
            base = _units(amount, of * TOKENS_PER_PRICE_UNIT)
            owed = _units(amount * share, of * TOKENS_PER_PRICE_UNIT * whole * 100)
            priced.append(_Rate(place, part, base, owed, price, percent))
    unpriced = (place for place, price in enumerate(prices) if price is None and place not in WHOLE_OF)
    return _Rates(tuple(priced), tuple(unpriced))


def _units(numerator: int, denominator: int) -> int:
    """Return an amount in units of a charge, where it is a whole number of them."""
    units: int
    units, rest = divmod(numerator * CHARGE_UNITS, denominator)
    if rest:
        raise _NotFlatError
    return units


_Cells = dict[tuple[int, str, int], Counts]
"""By the number of a place, caller and tier."""


def _cells(model: str, series: Iterable[Series], places: _Places) -> _Cells:
    """Return the counts of one model; `series` are in the order of deployments and of their bands."""
    cells: _Cells = {}
    for (_, over), its in groupby(series, lambda one: (one.deployment, one.context_over)):
        for (number, caller), counts in _counts(its, places).items():
            if counts[CACHED] > counts[INPUT] or counts[REASONING] > counts[OUTPUT]:
                raise _NotFlatError
            place = places.all[number]
            about = (number, caller, place.version.tier_of(model, over) if over else 0)
            known = cells.get(about)
            cells[about] = counts if known is None else _added(known, counts)
    return cells


def _counts(series: Iterable[Series], places: _Places) -> dict[tuple[int, str], Counts]:
    """Return the counts of one model, deployment and band by the number of a place and caller."""
    found: dict[tuple[int, str], Counts] = {}
    known = places.at
    for one in series:
        if one.marks and not places.marks.isdisjoint(one.marks.split("+")):
            raise _NotFlatError
        column = PLACE_OF[one.quantity]
        for start, _, caller, count in one.counts:
            about = (known[start] if start in known else places.find(start), caller)
            counts = found.get(about)
            if counts is None:
                counts = found[about] = [0] * len(CLASSES)
            counts[column] += count
    return found


def _line(term_ref: str, model: str, cells: _Cells, places: _Places, *, for_sum: bool) -> FlatLine:
    owed: dict[Caller, int] = {}
    tokens: dict[Caller, Counts] = {}
    cached: dict[tuple[str, str, int, Decimal, Decimal], int] = defaultdict(int)
    base = 0
    _check_callers(cells, places)
    for (number, caller, tier), counts in (_together(cells, places) if for_sum else cells).items():
        place = places.all[number]
        rates = places.rates(place, model, tier)
        if any(counts[each] for each in rates.unpriced):
            raise _NotFlatError
        sum_owed = 0
        for rate in rates.priced:
            count = counts[rate.place] if rate.part is None else counts[rate.place] - counts[rate.part]
            sum_owed += count * rate.owed
            base += count * rate.base
            if rate.place == CACHED and count:
                about = (caller, place.version.version_id, tier, rate.price_per_mtok, rate.share_percent)
                cached[about] += count
        day = (place.day, caller)
        owed[day] = owed.get(day, 0) + sum_owed
        tokens[day] = _added(tokens[day], counts) if day in tokens else counts
    return FlatLine(
        term_ref,
        model,
        charge_of(sum(owed.values())),
        charge_of(base),
        {} if for_sum else {day: charge_of(units) for day, units in owed.items()},
        {} if for_sum else {day: TokenCounts(*counts) for day, counts in tokens.items()},
        tuple(
            Cached(who, version_id, model, tier, price, percent, count)
            for (who, version_id, tier, price, percent), count in cached.items()
        ),
    )


def _together(cells: _Cells, places: _Places) -> _Cells:
    """Return cells with those that go at the same rates added up, whatever day and caller they are of."""
    found: dict[tuple[int, str, int], tuple[int, Counts]] = {}
    for (number, _, tier), counts in cells.items():
        place = places.all[number]
        about = (place.segment.number, place.version.version_id, tier)
        first, known = found.get(about, (number, None))
        found[about] = (first, counts if known is None else _added(known, counts))
    return {(number, "", tier): counts for (_, _, tier), (number, counts) in found.items()}


def _added(one: Counts, other: Counts) -> Counts:
    return [each + more for each, more in zip(one, other, strict=True)]


def _check_callers(cells: _Cells, places: _Places) -> None:
    """Raise where lines of callers would be told apart by prices that change, which is not how they are divided."""
    if any(caller for _, caller, _ in cells):
        lines = {
            (places.all[number].segment.number, places.all[number].version.version_id, tier)
            for number, _, tier in cells
        }
        if len(lines) > 1:
            raise _NotFlatError
