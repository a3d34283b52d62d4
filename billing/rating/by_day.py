"""Lines of a whole period shown by day or by hour: the same amounts, divided by when the units were used.

A line of a price by the unit is of the whole period, however many days it was used on. A page that shows days divides
it: each day has the units that were used on it, and where units of one quantity went at several prices, the earlier
lines take the earlier days. The parts of a line sum to it exactly, so a page and a bill show one total.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from billing.rating.billable import billable, take
from billing.rating.inputs import TermInput
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import RatedLine, Unit, line_key

Slot = Callable[[datetime], str]
"""Names the day, or the hour, of an instant; names sort as the days do."""


@dataclass(slots=True)
class _Slot:
    """What was used of one model in a day or hour, by quantity; and what no line has taken of it yet."""

    from_at: datetime
    to_at: datetime
    mixes: dict[str, dict[str, int]] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)


def divided(lines: Iterable[RatedLine], terms: Iterable[TermInput], slot: Slot) -> Iterator[RatedLine]:
    """Yield lines, those of quantities that the terms used divided by slot; each part's key ends in its slot."""
    by_term = {term.ref: term for term in terms}
    slots: dict[tuple[str, str], dict[str, _Slot]] = {}
    ordered = sorted(lines, key=lambda line: (line.from_at, line.line_key))
    for line in ordered:
        about = (line.term_ref, line.model)
        term = by_term.get(line.term_ref)
        if term is None or line.token_class not in QUANTITIES or line.unit is Unit.AMOUNT:
            yield line
            continue
        if about not in slots:
            slots[about] = _slots(term, line.model, slot, _parts(ordered, *about))
        yield from _divided(line, slots[about])


def _parts(lines: Sequence[RatedLine], term_ref: str, model: str) -> list[str]:
    """Return the quantities that are parts of others and have lines of their own."""
    own = {line.token_class for line in lines if (line.term_ref, line.model) == (term_ref, model)}
    return [name for name in QUANTITIES if name in own and QUANTITIES[name].part_of]


def _slots(term: TermInput, model: str, slot: Slot, parts: Sequence[str]) -> dict[str, _Slot]:
    found: dict[str, _Slot] = {}
    for used in term.usage:
        if used.model != model:
            continue
        one = found.setdefault(slot(used.from_at), _Slot(used.from_at, used.to_at))
        one.from_at, one.to_at = min(one.from_at, used.from_at), max(one.to_at, used.to_at)
        mix = one.mixes.setdefault(used.quantity, {})
        mix[used.quality] = mix.get(used.quality, 0) + used.count
    for one in found.values():
        one.left = {each.quantity: sum(each.mix.values()) for each in billable(one.mixes, parts)}
    return dict(sorted(found.items()))


def _divided(line: RatedLine, slots: dict[str, _Slot]) -> Iterator[RatedLine]:
    rest = {quality: int(number) for quality, number in line.quality_mix.items()}
    inside = {name: one for name, one in slots.items() if one.to_at > line.from_at and one.from_at < line.to_at}
    for place, (name, one) in enumerate(inside.items(), 1):
        wanted = sum(rest.values())
        # Where surpluses were evened out over the period, the last day has what is left.
        count = wanted if place == len(inside) else min(wanted, one.left.get(line.token_class, 0))
        if not count:
            continue
        one.left[line.token_class] = one.left.get(line.token_class, 0) - count
        mix, rest = take(rest, count)
        yield replace(
            line,
            line_key=line_key(line.line_key, name),
            quantity=Decimal(count),
            quality_mix={quality: Decimal(number) for quality, number in mix.items()},
            from_at=max(one.from_at, line.from_at),
            to_at=min(one.to_at, line.to_at),
        )
