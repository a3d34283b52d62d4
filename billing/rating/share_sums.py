"""A share's usage of many days as that of one, for sums alone: no line of what comes out is of a day.

What a share comes to does not depend on the days on which its tokens were used, but for three things, and where one of
them is there usage stays as it is: counts that parties or witnesses state of a time, requests that are told apart by
marks, and a day on which more of a part (cached input, reasoning) than of its whole was counted.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

import msgspec

from billing.rating.inputs import Carried, RatingWindow, TermInput, Used
from billing.rating.share_time import segments
from billing.rating.token_share import PART_OF


def days_together(term: TermInput, window: RatingWindow) -> TermInput:
    """Return a term of kind token share with its usage added up between changes of prices and wordings.

    Rated over `window`, it comes to the same amounts by model, rule and class as it does day by day.
    """
    if not term.usage or any(used.marks for used in term.usage) or _exceeds(term.usage):
        return term
    if not all(isinstance(fact, Carried) for fact in term.facts):
        return term
    edges = {part.from_at for part in segments(term, window)} | {part.to_at for part in segments(term, window)}
    edges |= {version.effective_at for version in window.versions}
    return replace(term, usage=tuple(_added(term.usage, edges)))


def _exceeds(usage: Iterable[Used]) -> bool:
    """Whether more of a part than of its whole was counted at some instant of one model, deployment and tier."""
    counts: dict[tuple[str, str, int, datetime], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for used in usage:
        counts[used.deployment, used.model, used.context_over, used.from_at][used.quantity] += used.count
    return any(
        found[part] > found[whole] for found in counts.values() for part, whole in PART_OF.items() if part in found
    )


def _added(usage: Iterable[Used], edges: Collection[datetime]) -> Iterable[Used]:
    """Add usage up between edges; all of one stretch begins and ends together, so that parts meet their wholes."""
    ordered = sorted(edges)
    places: dict[datetime, int] = {}
    spans: dict[int, tuple[datetime, datetime]] = {}
    sums: dict[tuple[int, str, str, str, str, int], Used] = {}
    counts: dict[tuple[int, str, str, str, str, int], int] = defaultdict(int)
    for used in usage:
        if used.from_at not in places:
            places[used.from_at] = bisect_right(ordered, used.from_at)
        place = places[used.from_at]
        first, last = spans.get(place, (used.from_at, used.to_at))
        spans[place] = min(first, used.from_at), max(last, used.to_at)
        key = (place, used.deployment, used.model, used.quantity, used.quality, used.context_over)
        sums.setdefault(key, used)
        counts[key] += used.count
    for key, used in sums.items():
        from_at, to_at = spans[key[0]]
        yield msgspec.structs.replace(used, from_at=from_at, to_at=to_at, count=counts[key], caller="")
