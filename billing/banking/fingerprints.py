"""What a movement is known by where its bank gives it no id: a digest of what it says."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from billing.banking.entries import StatementEntry

DIGITS: Final = 32


def fingerprint(entry: StatementEntry) -> str:
    """Return the same text for movements that say the same, wherever in which file they stand.

    Two movements of one day that say the same are told apart by their number among their like. Statements hold whole
    days, so a movement has the same number in every file that has it.
    """
    said = (
        entry.booked_on.isoformat(),
        entry.value_on.isoformat() if entry.value_on else "",
        f"{entry.amount.normalize():f}",
        entry.currency,
        entry.payer,
        entry.payer_account,
        entry.structured,
        entry.end_to_end,
        entry.text,
    )
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:DIGITS]
