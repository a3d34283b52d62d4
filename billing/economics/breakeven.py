"""Where models of payment cross: what each costs at a volume of tokens, as straight lines, and the exact crossings.

Volume is a multiple of the usage that was compared: 0 is nothing, 1 is that usage, 2 twice as much. An offer is the
greatest of some straight lines: a lease is one level line, a token price one that rises from zero, a base rent with a
share above its natural breakpoint the greater of a level and a rising line.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Ray:
    """An amount at zero volume, and what is added by each multiple of the volume."""

    base: Fraction
    slope: Fraction

    def at(self, volume: Fraction) -> Fraction:
        """The amount at a volume."""
        return self.base + self.slope * volume


@dataclass(frozen=True, slots=True)
class Offer:
    """One model of payment: the greatest of its rays counts."""

    name: str
    rays: tuple[Ray, ...]

    def __post_init__(self) -> None:
        assert self.rays
        assert all(ray.slope >= 0 for ray in self.rays)

    def at(self, volume: Fraction) -> Fraction:
        """The amount owed at a volume."""
        return max(ray.at(volume) for ray in self.rays)


@dataclass(frozen=True, slots=True)
class Crossing:
    """The volume at which two offers cost the same, and which is the cheaper below and above it."""

    below: str
    above: str
    volume: Fraction
    amount: Fraction


def level(name: str, amount: Fraction) -> Offer:
    """Return an offer that costs the same whatever is used."""
    return Offer(name, (Ray(amount, ZERO),))


def rising(name: str, amount: Fraction) -> Offer:
    """Return an offer that costs `amount` at the compared usage, and in proportion to it."""
    return Offer(name, (Ray(ZERO, amount),))


def hybrid(name: str, rent: Fraction, share: Fraction) -> Offer:
    """Return a base rent with a share above the natural breakpoint: the greater of the two."""
    return Offer(name, (Ray(rent, ZERO), Ray(ZERO, share)))


def crossings(offers: Iterable[Offer]) -> list[Crossing]:
    """Return where any two offers change places at a positive volume, by volume; offers that only touch do not."""
    found: list[Crossing] = []
    for left, right in combinations(offers, 2):
        volumes = sorted(set(_meetings(left.rays, right.rays)))
        for index, volume in enumerate(volumes):
            if volume <= 0 or left.at(volume) != right.at(volume):
                continue
            before = (volume + (volumes[index - 1] if index and volumes[index - 1] > 0 else ZERO)) / 2
            after = (volume + (volumes[index + 1] if index + 1 < len(volumes) else volume + 2)) / 2
            was, is_now = left.at(before) - right.at(before), left.at(after) - right.at(after)
            if was < 0 < is_now:
                found.append(Crossing(left.name, right.name, volume, left.at(volume)))
            elif is_now < 0 < was:
                found.append(Crossing(right.name, left.name, volume, left.at(volume)))
    return sorted(found, key=lambda one: (one.volume, one.below, one.above))


def cheapest(offers: Sequence[Offer], volume: Fraction) -> str:
    """Return the name of the offer that costs least at a volume, the first of equals; "" without offers."""
    return min(offers, key=lambda offer: offer.at(volume)).name if offers else ""


def _meetings(left: Sequence[Ray], right: Sequence[Ray]) -> Iterable[Fraction]:
    for one in left:
        for other in right:
            if one.slope != other.slope:
                yield (other.base - one.base) / (one.slope - other.slope)
