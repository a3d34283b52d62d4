"""Every unit of usage priced once, though classes of tokens overlap: cached input is a part of input, reasoning of
output.

A part that has a price of its own goes at it and leaves the rest of its whole; a part without one is billed inside
its whole. Where more of the part than of the whole was counted, the whole is billed as the part and the surplus is
reported.
"""

from collections.abc import Collection, Iterator, Mapping

import msgspec

from billing.rating.quantities import QUANTITIES

MIX_ORDER = ("A", "S", "E", "Q", "G")
"""Qualities from the surest on."""

Mix = Mapping[str, int]
"""A count by quality."""


class Billable(msgspec.Struct, frozen=True):
    """What of one quantity is to be priced, by quality; `surplus` is what was counted of a part beyond its whole."""

    quantity: str
    mix: Mix
    surplus: int = 0


def billable(mixes: Mapping[str, Mix], priced_parts: Collection[str]) -> Iterator[Billable]:
    """Yield what is to be priced of each quantity used, in the order of the table, such that nothing is in two.

    `mixes` is what was counted of requests that go at the same prices, by quantity; `priced_parts` are the quantities
    that are parts of others and have prices of their own.
    """
    for quantity in QUANTITIES.values():
        counted = mixes.get(quantity.name)
        if not counted:
            continue
        surplus = 0
        if quantity.part_of:
            surplus = max(0, sum(counted.values()) - sum(mixes.get(quantity.part_of, {}).values()))
            counted = (less(counted, surplus) if surplus else counted) if quantity.name in priced_parts else {}
        for part in priced_parts:
            if part in mixes and QUANTITIES[part].part_of == quantity.name:
                counted = without(counted, mixes[part])
        if surplus or any(counted.values()):
            yield Billable(quantity.name, counted, surplus)


def less(mix: Mix, count: int) -> dict[str, int]:
    """Return the mix with `count` fewer, taken from the least certain quality first."""
    left = dict(mix)
    if not count:
        return left
    for quality in (*reversed(MIX_ORDER), *sorted(set(mix) - set(MIX_ORDER))):
        taken = min(count, left.get(quality, 0))
        if taken:
            left[quality] -= taken
            count -= taken
    assert count == 0
    return left


def without(mix: Mix, part: Mix) -> dict[str, int]:
    """Return what is left of the mix of a whole without its part, quality by quality as far as that goes."""
    left = {quality: max(0, count - part.get(quality, 0)) for quality, count in mix.items()}
    target = max(0, sum(mix.values()) - sum(part.values()))
    return less(left, sum(left.values()) - target)


def take(mix: Mix, count: int) -> tuple[dict[str, int], dict[str, int]]:
    """Divide a mix into `count` of it, the surest first, and the rest."""
    rest = sum(mix.values()) - count
    assert rest >= 0
    taken = {quality: number for quality, number in less(mix, rest).items() if number}
    return taken, {
        quality: number - taken.get(quality, 0) for quality, number in mix.items() if number - taken.get(quality, 0)
    }
