"""What a bank statement says, whatever file it came in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

DOCUMENT_BYTES_MAX: Final = 8 * 1024 * 1024
ENTRIES_MAX: Final = 20_000
"""In one file; more is refused as a whole, so that nothing is left out silently."""
TEXT_CHARACTERS_MAX: Final = 1_000
NAME_CHARACTERS_MAX: Final = 200
REFERENCE_CHARACTERS_MAX: Final = 150
AMOUNT_DIGITS_MAX: Final = 18


class UnreadableStatement(ValueError):
    """The file is no statement of a known kind, or contradicts itself; nothing of it is taken."""


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """One movement on an account: `amount` is above zero where money came in.

    `reference` is the bank's own id of the movement, by which it is known again; `structured` a reference that the
    payer gave in the field for it, `text` all that the payer wrote. `place` says where in the file it stands.
    """

    place: str
    reference: str
    booked_on: date
    value_on: date | None
    amount: Decimal
    currency: str
    payer: str
    payer_account: str
    structured: str
    end_to_end: str
    text: str
    is_return: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that could not be read, where it stands, and what is expected there."""

    place: str
    detail: str


@dataclass(frozen=True, slots=True)
class AccountStatement:
    """The movements of one account; `pending` counts those that the bank has not booked yet."""

    account: str
    entries: tuple[StatementEntry, ...]
    faults: tuple[Fault, ...] = field(default=())
    pending: int = 0
