"""Lines of a period shown by day, by hour and by caller: the same amounts, divided by when and by whom units went.

A line of a price by the unit is of the whole period, however many days it was used on. A page that shows days divides
it: each day has the units that were used on it, and where units of one quantity went at several prices, the earlier
lines take the earlier days. Within a day a line is its callers' in proportion to what they used of it at that price.
The parts of a line sum to it exactly, so a page and a bill show one total.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from billing.money import largest_remainder_units
from billing.rating.billable import billable, take
from billing.rating.inputs import TermInput, Used
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import RatedLine, Unit, line_key
from metering.event_marks import marks_in

Slot = Callable[[datetime], str]
"""Names the day, or the hour, of an instant; names sort as the days do."""
Group = tuple[int, frozenset[str]]
"""What decides a price beside model and quantity: the tier of length and the marks that lines tell apart."""


@dataclass(slots=True)
class _Slot:
    """What was used of one model in a day or hour, by group and caller; and what no line has taken of it yet.

    `units` and `left` are by group and quantity, then by caller.
    """

    from_at: datetime
    to_at: datetime
    mixes: dict[tuple[Group, str], dict[str, dict[str, int]]] = field(default_factory=dict)
    units: dict[tuple[Group, str], dict[str, int]] = field(default_factory=dict)
    left: dict[tuple[Group, str], dict[str, int]] = field(default_factory=dict)


def day_in(zone: ZoneInfo) -> Callable[[datetime], date]:
    """Return what tells the day of an instant in a zone, worked out once for each instant: thousands are alike."""

    @cache
    def day(at: datetime) -> date:
        return at.astimezone(zone).date()

    return day


class _Told:
    """What the lines of one term and model tell apart."""

    def __init__(self, lines: Sequence[RatedLine]) -> None:
        self._over = sorted({line.context_over for line in lines}, reverse=True)
        self._marks = frozenset[str]().union(*(marks_in(line.marks) for line in lines))
        own = {line.token_class for line in lines}
        self.parts = [name for name in QUANTITIES if name in own and QUANTITIES[name].part_of]
        """The quantities that are parts of others and have lines of their own."""

    def group(self, context_over: int, marks: str) -> Group:
        tier = next((over for over in self._over if over <= context_over), 0)
        return tier, marks_in(marks) & self._marks


def divided(lines: Iterable[RatedLine], terms: Iterable[TermInput], slot: Slot) -> Iterator[RatedLine]:
    """Yield lines, those of quantities that the terms used divided by slot and caller; a part's key ends in both."""
    by_term = {term.ref: term for term in terms}
    used: dict[str, dict[str, list[Used]]] = {}
    ordered = sorted(lines, key=lambda line: (line.from_at, line.line_key))
    same: dict[tuple[str, str], list[RatedLine]] = {}
    for line in ordered:
        same.setdefault((line.term_ref, line.model), []).append(line)
    told: dict[tuple[str, str], tuple[_Told, dict[str, _Slot]] | None] = {}
    for line in ordered:
        about = (line.term_ref, line.model)
        term = by_term.get(line.term_ref)
        if term is None or not _is_of_units(line):
            yield line
            continue
        if about not in told:
            if term.ref not in used:
                used[term.ref] = _by_model(term.usage)
            apart, usage = _Told(same[about]), used[term.ref].get(line.model, ())
            is_divided = _is_divided(same[about], usage, slot)
            told[about] = None if is_divided else (apart, _slots(usage, slot, apart))
        found = told[about]
        if found is None:
            yield line
            continue
        apart, slots = found
        yield from _divided(line, slots, (apart.group(line.context_over, line.marks), line.token_class))


def _is_of_units(line: RatedLine) -> bool:
    return line.token_class in QUANTITIES and line.unit is not Unit.AMOUNT


def _by_model(usage: Iterable[Used]) -> dict[str, list[Used]]:
    found: dict[str, list[Used]] = {}
    for used in usage:
        found.setdefault(used.model, []).append(used)
    return found


def _is_divided(lines: Iterable[RatedLine], usage: Iterable[Used], slot: Slot) -> bool:
    """Whether lines of a term and model stand divided already: each within one slot, and nobody to tell apart."""
    if any(used.caller for used in usage):
        return False
    spans = {(line.from_at, line.to_at) for line in lines if _is_of_units(line)}
    return all(slot(first) == slot(max(first, end - timedelta.resolution)) for first, end in spans)


def _slots(usage: Iterable[Used], slot: Slot, told: _Told) -> dict[str, _Slot]:
    found: dict[str, _Slot] = {}
    for used in usage:
        one = found.setdefault(slot(used.from_at), _Slot(used.from_at, used.to_at))
        one.from_at, one.to_at = min(one.from_at, used.from_at), max(one.to_at, used.to_at)
        _add(one, used, told.group(used.context_over, used.marks))
    for one in found.values():
        for (group, caller), mixes in one.mixes.items():
            for each in billable(mixes, told.parts):
                one.units.setdefault((group, each.quantity), {})[caller] = sum(each.mix.values())
        one.left = {about: dict(callers) for about, callers in one.units.items()}
    return dict(sorted(found.items()))


def _add(one: _Slot, used: Used, group: Group) -> None:
    mix = one.mixes.setdefault((group, used.caller), {}).setdefault(used.quantity, {})
    mix[used.quality] = mix.get(used.quality, 0) + used.count


def _divided(line: RatedLine, slots: dict[str, _Slot], about: tuple[Group, str]) -> Iterator[RatedLine]:
    # What is taken off again is spread as all units were, whichever line took them.
    sign = -1 if line.quantity < 0 else 1
    rest = {quality: sign * int(number) for quality, number in line.quality_mix.items()}
    inside = {name: one for name, one in slots.items() if one.to_at > line.from_at and one.from_at < line.to_at}
    for place, (name, one) in enumerate(inside.items(), 1):
        wanted = sum(rest.values())
        left = one.left.setdefault(about, {}) if sign > 0 else dict(one.units.get(about, {}))
        # Where surpluses were evened out over the period, the last day has what is left.
        count = wanted if place == len(inside) else min(wanted, sum(left.values()))
        for caller, part in _by_caller(count, left, one.units.get(about, {})):
            left[caller] = max(0, left.get(caller, 0) - part)
            mix, rest = take(rest, part)
            yield replace(
                line,
                line_key=line_key(line.line_key, name, *([caller] if caller else [])),
                caller=caller,
                quantity=Decimal(sign * part),
                quality_mix={quality: Decimal(sign * number) for quality, number in mix.items()},
                from_at=max(one.from_at, line.from_at),
                to_at=min(one.to_at, line.to_at),
            )


def _by_caller(count: int, left: dict[str, int], units: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Yield the callers among whom units are shared out, each with its own."""
    weights = left if sum(left.values()) else units
    if sum(weights.values()):
        parts = largest_remainder_units(count, list(weights.values()))
        yield from ((caller, part) for caller, part in zip(weights, parts, strict=True) if part)
    elif count:
        yield "", count
