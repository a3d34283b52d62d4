"""What an invoice draft whose period is over still waits for, and what of it was accepted to be missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from billing.closing import gate_of
from billing.gaps import ACCEPTED, gap_of
from billing.terms import terms_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.models import BillingPeriod


@dataclass(frozen=True, slots=True)
class DraftWait:
    """Something missing. `gap` is by what name it is accepted to be missing, empty where it is waited for; `reason`
    says why it was accepted, empty where it was not. `count` is of events that are not counted yet."""

    kind: str
    gap: str
    name: str
    reported_to_at: datetime | None
    needed_to_at: datetime | None
    count: int
    reason: str
    accepted_at: datetime | None

    @property
    def can_be_accepted(self) -> bool:
        """Whether a person may say now that the period closes without it."""
        return bool(self.gap) and not self.reason


def draft_waits(period: BillingPeriod, now: datetime) -> tuple[DraftWait, ...]:
    """Return what is missing of a period that is over; nothing while it runs."""
    if now < period.to_at:
        return ()
    return tuple(_wait(row) for row in gate_of(period, now, terms_of({period.contract_id})).missing)


def _wait(row: Mapping[str, Any]) -> DraftWait:
    kind: str = row["kind"]
    accepted = row.get(ACCEPTED, {})
    name = {"node": "name", "source": "source", "revenue_statement": "term"}.get(kind, "")
    return DraftWait(
        kind=kind,
        gap=gap_of(row),
        name=row.get(name, ""),
        reported_to_at=_instant(row.get("rolled_to_at") or row.get("complete_to_at")),
        needed_to_at=_instant(row.get("needed_to_at") or row.get("due_at")),
        count=row.get("waiting", 0),
        reason=accepted.get("reason", ""),
        accepted_at=_instant(accepted.get("at")),
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
