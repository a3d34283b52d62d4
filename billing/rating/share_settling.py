"""When a bill with a share is due, how long its period stays open for reports, and until when it can be disputed.

What a share's wording says stands in place of the contract's own for the whole bill, since a bill has one day on which
it is due. What it does not say, the contract does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from billing.rating.share_wording import TokenShareWording
from billing.rating.share_words import ShareSettlement
from billing.rating.wording import Stretch

SETTLED = ("due_days", "cut_off_grace_hours", "dispute_days")


@dataclass(frozen=True, slots=True)
class Settling:
    """Days to pay from the bill, hours that a period stays open after its end, days from the bill to dispute it."""

    due_days: int
    grace_hours: int
    dispute_days: int | None = None

    def due_at(self, issued_at: datetime) -> datetime:
        """Return when a bill is due."""
        return issued_at + timedelta(days=self.due_days)

    def open_until(self, period_to_at: datetime) -> datetime:
        """Return the instant up to which a period waits for what is missing."""
        return period_to_at + timedelta(hours=self.grace_hours)

    def disputed_until(self, issued_at: datetime) -> datetime | None:
        """Return until when a bill can be disputed; None where no window is agreed."""
        return None if self.dispute_days is None else issued_at + timedelta(days=self.dispute_days)


def settle_by(terms: Iterable[Sequence[Stretch[Any]]], *, due_days: int, grace_hours: int) -> Settling:
    """Return what a bill goes by: `terms` are the wordings of each term in its period, the other two the contract's.

    Of each share the last wording in force counts. Shares in force together never contradict each other
    (`contradiction`); of shares that followed each other in the period the longest time does.
    """
    said = [
        last.wording.settlement
        for stretches in terms
        if (last := max(stretches, key=lambda stretch: stretch.to_at, default=None)) is not None
        and isinstance(last.wording, TokenShareWording)
    ]
    due, grace, dispute = (
        max((value for settlement in said if (value := getattr(settlement, name)) is not None), default=None)
        for name in SETTLED
    )
    return Settling(due_days if due is None else due, grace_hours if grace is None else grace, dispute)


def contradiction(left: ShareSettlement, right: ShareSettlement) -> tuple[str, int] | None:
    """Return the first field that two settlements say differently, and what the left one says; None where none is."""
    for name in SETTLED:
        mine, other = getattr(left, name), getattr(right, name)
        if mine is not None and other is not None and mine != other:
            return name, mine
    return None
