"""What is held over time, laid over each other: stretches of constant share per accelerator model.

A stretch in which the same share of the same accelerator model is held is one shape, however many slices and
allocations make it up. Four cards for half an hour and then one for twenty minutes are two shapes; so are 0.1 and then
0.2 of a card. Instants are rounded down to whole seconds (`clusters.occupancy`), so time is prorated by the second and
adjoining stretches add up exactly.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from billing.money import to_decimals
from clusters.occupancy import WHOLE_PERMILLE, Hold, clip

QUALITY_ACTUAL = "A"
"""Time held follows from allocations, which are facts and not readings."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`share_permille` thousandths of cards of one model, held over the Unix seconds `[from_s, to_s)`."""

    accelerator_model: str
    share_permille: int
    from_s: int
    to_s: int

    @property
    def gpu_seconds(self) -> Decimal:
        """What was held, in GPU-seconds with three decimals."""
        return to_decimals(Fraction(self.share_permille * (self.to_s - self.from_s), WHOLE_PERMILLE), 3)


def shapes(holds: Iterable[Hold], from_at: datetime, to_at: datetime) -> tuple[Shape, ...]:
    """Lay holds over each other inside a window: stretches of constant share per accelerator model.

    The result is the same for a hold given in one piece or in adjoining pieces, and in any order.
    """
    changes: dict[str, dict[int, int]] = {}
    for hold in holds:
        span = clip(hold, from_at, to_at)
        if span is not None:
            by_second = changes.setdefault(hold.accelerator_model, {})
            by_second[span[0]] = by_second.get(span[0], 0) + hold.share_permille
            by_second[span[1]] = by_second.get(span[1], 0) - hold.share_permille
    found: list[Shape] = []
    for model in sorted(changes):
        # A second at which as much ends as begins is no edge.
        edges = sorted(second for second, change in changes[model].items() if change)
        share = 0
        for start, end in pairwise(edges):
            share += changes[model][start]
            if share:
                found.append(Shape(model, share, start, end))
    assert all(shape.share_permille > 0 for shape in found)
    return tuple(found)
