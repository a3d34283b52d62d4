"""A share over its whole life, by `docs/rating.md`: one walk through time, and no carries at all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.second.given_lives import GivenLife, GivenTokens

MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
MILLION: Final = 1_000_000
Span = tuple[datetime, datetime]


@dataclass
class _Walk:
    """What is known at a moment of the walk."""

    position: Fraction = Fraction(0)
    year: datetime | None = None
    recoupable: Fraction = Fraction(0)
    short: Fraction = Fraction(0)
    owed_in: dict[Span, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    capped_in: dict[Span, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    stated: dict[int, Fraction] = field(default_factory=dict)
    based: dict[int, Fraction] = field(default_factory=dict)
    average: dict[int, Fraction] = field(default_factory=dict)
    reserves: list[tuple[datetime, Fraction]] = field(default_factory=list)


def owed_by_period(life: GivenLife) -> list[Fraction]:
    """Return what is owed for each billing period."""
    walk = _Walk()
    return [_period(life, walk, number) for number in range(len(life.periods))]


def _period(life: GivenLife, walk: _Walk, number: int) -> Fraction:
    start, end = life.periods[number]
    document = life.wordings[0][1]
    shares = _shares(life, walk, number)
    base = walk.based[number]
    rent, share = _rent(life, document, (start, end), sum(shares.values(), Fraction(0)), base)
    guarantee = document.get("guarantee")
    owed = rent + share
    if guarantee:
        # Where there is a rent, spans are of the calendar, and all of a billing period lies in one.
        for at, amount in {start: owed}.items() if "hybrid" in document else shares.items():
            walk.owed_in[_span(life, guarantee["span"], at)] += amount
        for span in _spans(life, guarantee["span"], (start, end)):
            if span[1] <= end or life.ends == end:
                owed += _guaranteed(life, walk, guarantee, span, ends=life.ends == end)
    owed -= _above_cap(life, walk, document, (start, end), owed)
    owed += _true_ups(life, walk, number)
    return owed + _reserve(life, walk, document, (start, end), owed)


def _wording(life: GivenLife, at: datetime) -> dict[str, Any]:
    return [document for from_at, document in life.wordings if from_at <= at][-1]


def _counted(use: GivenTokens, document: dict[str, Any]) -> int:
    """What of an hour's tokens is shared."""
    rule = document.get("outside_tolerance", "bill_witness")
    if abs(use.engine - use.tokens) * 100 > use.tokens * 5 and "tolerance_percent" in document:
        return {"bill_witness": use.tokens, "bill_engine": use.engine}.get(rule, min(use.engine, use.tokens))
    return use.tokens - use.refunded


def _shares(life: GivenLife, walk: _Walk, number: int) -> dict[datetime, Fraction]:
    """The share of what was used, by instant; a statement's revenue counts as of the period's start."""
    start, end = life.periods[number]
    inside = sorted((use for use in life.uses if start <= use.at < end), key=lambda use: use.at)
    amounts = [(use.at, Fraction(_counted(use, _wording(life, use.at)), MILLION)) for use in inside]
    if life.wordings[0][1].get("base") == "certified_revenue":
        amounts = _stated(life, walk, number, amounts)
    found: dict[datetime, Fraction] = defaultdict(Fraction)
    base = Fraction(0)
    reached = _reached(life, walk, amounts)
    for at, amount in amounts:
        begun = _begin_anew(life, walk, at)
        found[at] += _in_tiers(_wording(life, at), walk.position, amount, reached[begun])
        walk.position += amount
        base += amount
    walk.based[number] = base
    walk.average[number] = sum(found.values(), Fraction(0)) / base if base else Fraction(0)
    return found


def _stated(
    life: GivenLife, walk: _Walk, number: int, metered: list[tuple[datetime, Fraction]]
) -> list[tuple[datetime, Fraction]]:
    """What was certified, or stands in for it, spread as the metered worth is."""
    start, end = life.periods[number]
    worth = sum((amount for _, amount in metered), Fraction(0))
    base = worth
    for about, amount in life.statements[number].items():
        if number - about <= 12:
            walk.stated[about] = Fraction(amount)
    if number in life.statements[number]:
        base = walk.stated[number]
    elif life.wordings[0][1]["statements"]["late_estimate"] == "history":
        last = sorted(walk.stated)[-3:]
        seconds = sum(_seconds(life.periods[each]) for each in last)
        base = sum((walk.stated[each] for each in last), Fraction(0)) / seconds * _seconds((start, end))
    return [(at, amount * base / worth) for at, amount in metered]


def _begin_anew(life: GivenLife, walk: _Walk, at: datetime) -> datetime | None:
    """Go into the tier period of an instant; return where it begins, None where it is the share's life."""
    kind = life.wordings[0][1]["tier_period"]
    if kind == "lifetime":
        return None
    begun = _span(life, "month", at)[0] if kind == "month" else _anniversary(life.begins, at, 12)[0]
    if begun != walk.year:
        walk.position, walk.year = Fraction(0), begun
    return begun


def _reached(life: GivenLife, walk: _Walk, amounts: list[tuple[datetime, Fraction]]) -> dict[datetime | None, Fraction]:
    """Where the position stands at a billing period's end, by the tier period: a tier of the whole is of all of it."""
    ahead = replace(walk)
    found: dict[datetime | None, Fraction] = {}
    for at, amount in amounts:
        begun = _begin_anew(life, ahead, at)
        ahead.position += amount
        found[begun] = ahead.position
    return found


def _in_tiers(document: dict[str, Any], position: Fraction, amount: Fraction, reached: Fraction) -> Fraction:
    if "share_percent" in document:
        return amount * Fraction(document["share_percent"]) / 100
    if document["tier_mode"] == "whole":
        last = [tier for tier in document["tiers"] if Fraction(tier["from_base_amount"]) <= reached][-1]
        return amount * Fraction(last["share_percent"]) / 100
    owed = Fraction(0)
    for tier in document["tiers"]:
        top = position + amount
        if "to_base_amount" in tier:
            top = min(top, Fraction(tier["to_base_amount"]))
        inside = top - max(position, Fraction(tier["from_base_amount"]))
        owed += max(Fraction(0), inside) * Fraction(tier["share_percent"]) / 100
    return owed


def _rent(
    life: GivenLife, document: dict[str, Any], period: Span, share: Fraction, base: Fraction
) -> tuple[Fraction, Fraction]:
    hybrid = document.get("hybrid")
    if not hybrid:
        return Fraction(0), share
    part = Fraction(_seconds(period), _seconds(_span(life, hybrid["span"], period[0])))
    rent = Fraction(hybrid["rent_amount_per_span"]) * part
    if hybrid["breakpoint"] == "natural":
        share = max(Fraction(0), share - rent)
    elif hybrid["breakpoint"] == "agreed" and base:
        agreed = Fraction(hybrid["breakpoint_base_amount_per_span"]) * part
        share *= 1 - min(Fraction(1), agreed / base)
    return rent, max(Fraction(0), share - rent) if hybrid.get("rent_credited") else share


def _guaranteed(life: GivenLife, walk: _Walk, guarantee: dict[str, Any], span: Span, *, ends: bool) -> Fraction:
    """Test a span that is over: what is owed beside the share, or taken back."""
    entitled = Fraction(0)
    for (start, end), (held, lost) in zip(life.periods, life.available, strict=True):
        available = Fraction(held - lost, held) if guarantee["prorated_by_availability"] else Fraction(1)
        edges = sorted({start, end, *(at for at, _ in life.wordings if start < at < end)})
        for left, right in pairwise(edges):
            seconds = _seconds((max(left, span[0]), min(right, span[1])))
            amount = Fraction(_wording(life, left)["guarantee"]["amount_per_span"])
            entitled += amount * seconds / _seconds(span) * available
    missing = entitled + walk.short - walk.owed_in[span]
    walk.short = Fraction(0)
    if missing <= 0:
        taken = min(walk.recoupable, -missing)
        walk.recoupable -= taken
        return -taken
    if guarantee["shortfall"] == "carried" and not ends:
        walk.short = missing
        return Fraction(0)
    walk.recoupable += missing if guarantee["shortfall"] == "owed_recoupable" else 0
    return missing


def _above_cap(life: GivenLife, walk: _Walk, document: dict[str, Any], period: Span, owed: Fraction) -> Fraction:
    if "cap" not in document:
        return Fraction(0)
    span = _span(life, document["cap"]["span"], period[0])
    last = min(span[1], life.ends or span[1])
    most = Fraction(document["cap"]["amount_per_span"]) * _seconds((max(span[0], life.begins), last)) / _seconds(span)
    above = min(max(Fraction(0), owed), max(Fraction(0), walk.capped_in[span] + owed - most))
    walk.capped_in[span] += owed - above
    return above


def _true_ups(life: GivenLife, walk: _Walk, number: int) -> Fraction:
    found = Fraction(0)
    for about, amount in (life.statements[number] if life.statements else {}).items():
        if about != number and number - about <= 12:
            found += (Fraction(amount) - walk.based[about]) * walk.average[about]
            walk.based[about] = Fraction(amount)
    return found


def _reserve(life: GivenLife, walk: _Walk, document: dict[str, Any], period: Span, owed: Fraction) -> Fraction:
    """What is given back of earlier reserves, less what is held of this period."""
    reserve = document.get("reserve")
    if not reserve:
        return Fraction(0)
    is_last = life.ends == period[1]
    freed = sum((amount for at, amount in walk.reserves if is_last or at <= period[1]), Fraction(0))
    walk.reserves = [(at, amount) for at, amount in walk.reserves if at > period[1]]
    held = Fraction(0) if is_last else max(Fraction(0), owed) * Fraction(reserve["percent"]) / 100
    walk.reserves.append((period[1] + timedelta(days=reserve["held_days"]), held))
    return freed - held


def _seconds(span: Span) -> int:
    return max(0, int((span[1] - span[0]).total_seconds()))


def _span(life: GivenLife, kind: str, at: datetime) -> Span:
    """The month, quarter or year that an instant lies in: of the calendar, or counted from the term's start."""
    begun = datetime(2025, 1, 1, tzinfo=UTC) if life.wordings[0][1]["spans_begin"] == "calendar" else life.begins
    return _anniversary(begun, at, MONTHS[kind])


def _anniversary(begun: datetime, at: datetime, months: int) -> Span:
    passed = (at.year - begun.year) * 12 + at.month - begun.month - (at.day < begun.day)
    turns = passed // months
    return _later(begun, turns * months), _later(begun, (turns + 1) * months)


def _later(begun: datetime, months: int) -> datetime:
    count = begun.year * 12 + begun.month - 1 + months
    return begun.replace(year=count // 12, month=count % 12 + 1)


def _spans(life: GivenLife, kind: str, period: Span) -> list[Span]:
    """The spans that a billing period has a part of, in order."""
    found = [_span(life, kind, period[0])]
    while found[-1][1] < period[1]:
        found.append(_span(life, kind, found[-1][1]))
    return found
