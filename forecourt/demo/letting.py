"""Lets cards of the sample fleet around today: what runs, what is reserved, and what is held all month."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from billing.contracting import add_lease
from clusters.models import Slice, SliceKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from billing.models import Contract


class Let(NamedTuple):
    """A lease of so many `cards` of a node from place `first` on; days count from today, no rate is the book's."""

    tenant: str
    node: str
    first: int
    cards: int
    from_day: int
    to_day: int
    rate: str | None
    title: str


ALWAYS: Final = -400
"""Longer ago than the month before was closed: from then on."""
LEASES: Final = (
    Let("sample-research", "south-a100-01", 0, 4, -4, 5, "1.49", "4 × A100 fine-tuning"),
    Let("sample-research", "south-a100-01", 4, 2, -2, 2, "1.55", "2 × A100 evaluation"),
    Let("sample-research", "south-a100-01", 4, 2, 3, 9, "1.49", "2 × A100 evaluation, second run"),
    Let("sample-research", "south-a100-01", 0, 4, 6, 14, "1.45", "4 × A100 fine-tuning, second run"),
    # Cards of the engines too: the tokens of a month as small as the sample's pay for none.
    Let("sample-chat", "north-h100-01", 0, 8, ALWAYS, 45, "2.29", "8 × H100 of the chat service"),
    Let("sample-code", "north-h100-02", 0, 8, ALWAYS, 30, "2.19", "8 × H100 of the code assistant"),
    Let("sample-research", "south-h100-01", 4, 4, ALWAYS, 1, "2.35", "4 × H100 pre-training"),
    Let("sample-chat", "south-h100-01", 0, 4, -5, 7, None, "4 × H100 burst capacity"),
    Let("sample-chat", "south-h100-01", 4, 4, 2, 9, None, "4 × H100 burst capacity"),
)


def let_cards(contracts: Mapping[str, Contract], *, month_to: datetime, now: datetime) -> None:
    """Make the leases, none of which begins before `month_to`, when the sample's billed month ends."""
    today = max(now.replace(hour=0, minute=0, second=0, microsecond=0), month_to)
    for one in LEASES:
        from_at = max(today + timedelta(days=one.from_day), month_to)
        add_lease(
            contract=contracts[one.tenant],
            slices=whole_slices(one.node, one.first, one.cards),
            from_at=from_at,
            to_at=today + timedelta(days=one.to_day),
            price_per_gpu_hour=None if one.rate is None else Decimal(one.rate),
            now=min(from_at, now),
            title=one.title,
        )


def whole_slices(node: str, first: int, count: int) -> list[Slice]:
    """Return whole cards of a node, by their places."""
    found = Slice.objects.select_related("accelerator").filter(accelerator__node__name=node, kind=SliceKind.WHOLE)
    return list(found.order_by("accelerator__position")[first : first + count])
