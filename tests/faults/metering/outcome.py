"""Whether a run came to what happened. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.metering.workload import Figures


def differences(found: Figures, expected: Figures, *, by_hour: bool) -> list[str]:
    """What differs, in words; nothing if all is the same. Without `by_hour` the hours of a figure are added up."""
    if not by_hour:
        found, expected = _summed(found), _summed(expected)
    return [
        f"{kind} {quantity} hour {hour}: {found[kind, quantity, hour]}, expected {expected[kind, quantity, hour]}"
        for kind, quantity, hour in sorted(found.keys() | expected.keys())
        if found[kind, quantity, hour] != expected[kind, quantity, hour]
    ]


def _summed(figures: Figures) -> Figures:
    summed: Figures = Counter()
    for (kind, quantity, _hour), tokens in figures.items():
        summed[kind, quantity, 0] += tokens
    return summed
