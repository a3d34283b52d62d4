"""Dividing what terms charge where a percentage off them begins, changes or ends: each part has its own lines.

A discount takes its percentage off lines that begin in its time. So that it takes it off exactly what was held and
used in that time, the wordings of the terms in its scope are divided at its instants. A part says what the whole said:
counts of tiers, packages and allowances, guarantees and caps of a share, and sessions go on through it.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

from billing.rating.discount import DiscountWording
from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.rated import TermKind
from billing.rating.wording import Stretch

DIVIDED = frozenset(
    {
        TermKind.LEASE,
        TermKind.ON_DEMAND,
        TermKind.SPOT,
        TermKind.STORAGE,
        TermKind.TOKEN_PRICE,
        TermKind.TOKEN_SHARE,
    }
)
"""The kinds that charge for what is held and used."""


def percent_instants(stretches: Iterable[Stretch[Any]]) -> set[datetime]:
    """Return where percentages of a discount begin and end: a wording that takes an amount divides nothing."""
    percents = [each for each in stretches if _percent(each)]
    return {at for each in percents for at in (each.from_at, each.to_at)}


def dividing_instants(discounts: Iterable[TermInput], ref: str, window: RatingWindow) -> list[datetime]:
    """Return the instants inside a window's period at which a percentage off a term begins, changes or ends."""
    found: set[datetime] = set()
    for term in discounts:
        found |= percent_instants(each for each in term.stretches if _percent(each) and _is_about(each.wording, ref))
    return sorted(at for at in found if window.from_at < at < window.period_to_at)


def divided(term: TermInput, instants: Collection[datetime]) -> TermInput:
    """Return a term with its wordings divided at instants."""
    if not instants:
        return term
    return replace(term, stretches=tuple(part for each in term.stretches for part in _parts(each, instants)))


def _parts(stretch: Stretch[Any], instants: Collection[datetime]) -> Iterable[Stretch[Any]]:
    inner = [at for at in sorted(instants) if stretch.from_at < at < stretch.to_at]
    for number, (start, end) in enumerate(pairwise([stretch.from_at, *inner, stretch.to_at])):
        yield replace(stretch, from_at=start, to_at=end, is_part=number > 0)


def _percent(stretch: Stretch[Any]) -> bool:
    return isinstance(stretch.wording, DiscountWording) and stretch.wording.percent is not None


def _is_about(wording: DiscountWording, ref: str) -> bool:
    return not wording.terms or ref in wording.terms
