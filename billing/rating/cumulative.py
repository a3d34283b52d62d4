"""Booking by difference: what a rating gives, less what is booked.

Rating looks at the whole of a period every time. Only the difference to what is booked under the same line
key becomes a new charge, so that rating again books nothing, late usage comes out as an addition, a
correction as a negative, and a line that is no longer there is taken back in full.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from billing.money import exact_sum
from billing.rating.rated import RatedLine


class DeltaKind(StrEnum):
    """Why a charge is booked: a new line, more or less of a booked one, or a booked one that is gone."""

    FIRST = "first"
    ADDITION = "addition"
    CORRECTION = "correction"
    WITHDRAWAL = "withdrawal"


@dataclass(frozen=True, slots=True)
class Booked:
    """The sum of all charges booked under one line key."""

    quantity: Decimal
    base_amount: Decimal
    amount: Decimal
    quality_mix: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChargeDelta:
    """What is to be booked under a line key; `rated` is the line as it is now, None for a withdrawal."""

    line_key: str
    kind: DeltaKind
    rated: RatedLine | None
    quantity: Decimal
    base_amount: Decimal
    amount: Decimal
    quality_mix: Mapping[str, Decimal]


_NOTHING = Booked(Decimal(0), Decimal(0), Decimal(0))


def difference(rated: Iterable[RatedLine], booked: Mapping[str, Booked]) -> tuple[ChargeDelta, ...]:
    """Return the charges that bring what is booked to what is rated, ordered by line key; empty on a re-run.

    A change of quality alone books nothing. Two rated lines under one key are a defect of the caller.
    """
    by_key: dict[str, RatedLine] = {}
    for line in rated:
        assert line.line_key not in by_key, line.line_key
        by_key[line.line_key] = line
    deltas: list[ChargeDelta] = []
    for key in sorted({*by_key, *booked}):
        delta = _difference_of(key, by_key.get(key), booked.get(key))
        if delta.quantity or delta.base_amount or delta.amount:
            deltas.append(delta)
    return tuple(deltas)


def book(booked: Mapping[str, Booked], deltas: Iterable[ChargeDelta]) -> dict[str, Booked]:
    """Return what is booked once `deltas` are; `difference(rated, book(...))` is then empty."""
    after = dict(booked)
    for delta in deltas:
        before = after.get(delta.line_key, _NOTHING)
        after[delta.line_key] = Booked(
            exact_sum((before.quantity, delta.quantity)),
            exact_sum((before.base_amount, delta.base_amount)),
            exact_sum((before.amount, delta.amount)),
            _add_mixes(before.quality_mix, delta.quality_mix),
        )
    return after


def _difference_of(key: str, line: RatedLine | None, before: Booked | None) -> ChargeDelta:
    was = _NOTHING if before is None else before
    now = _NOTHING if line is None else Booked(line.quantity, line.base_amount, line.amount, line.quality_mix)
    return ChargeDelta(
        line_key=key,
        kind=_kind(line, before),
        rated=line,
        quantity=exact_sum((now.quantity, was.quantity.copy_negate())),
        base_amount=exact_sum((now.base_amount, was.base_amount.copy_negate())),
        amount=exact_sum((now.amount, was.amount.copy_negate())),
        quality_mix=_add_mixes(now.quality_mix, {q: n.copy_negate() for q, n in was.quality_mix.items()}),
    )


def _kind(line: RatedLine | None, before: Booked | None) -> DeltaKind:
    if line is None:
        return DeltaKind.WITHDRAWAL
    if before is None:
        return DeltaKind.FIRST
    return DeltaKind.ADDITION if line.quantity > before.quantity else DeltaKind.CORRECTION


def _add_mixes(left: Mapping[str, Decimal], right: Mapping[str, Decimal]) -> dict[str, Decimal]:
    zero = Decimal(0)
    sums = {q: exact_sum((left.get(q, zero), right.get(q, zero))) for q in sorted({*left, *right})}
    return {quality: quantity for quality, quantity in sums.items() if quantity}
