"""The journal as a Beancount file: a plain-text double-entry format that finance tools read (format, not library).

Syntax: https://beancount.github.io/docs/beancount_language_syntax.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from billing.money import minor_digits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from decimal import Decimal

ROOTS: Final[Mapping[str, str]] = {
    "tenant_receivable": "Assets",
    "stripe_clearing": "Assets",
    "bank_clearing": "Assets",
    "operator_fee": "Income",
    "granted_credit": "Expenses",
    "sla_credits": "Expenses",
    "write_off": "Expenses",
    "rounding": "Expenses",
}
"""Which of Beancount's five roots an account stands under; every other one is a liability."""
OTHER_ROOT: Final = "Liabilities"
OPENING: Final = "Opening balances"
PLAIN_SLUG: Final = re.compile("[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a transaction: whose account of which kind; debit positive."""

    kind: str
    owner: str
    """The slug of the organization."""
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Transaction:
    """One balanced posting on a day (UTC); `key` is its name in the books."""

    day: date
    time: str
    key: str
    words: str
    sides: Sequence[Side]


def account_name(kind: str, owner: str) -> str:
    """Return an account's name: parts of letters, digits and dashes, each begun by a capital letter or a digit.

    A slug that cannot be written so is written as its bytes, behind two capitals as no other one begins.
    """
    words = "".join(part.title() for part in kind.split("_"))
    shown = owner[0].upper() + owner[1:] if PLAIN_SLUG.fullmatch(owner) else f"XX{owner.encode().hex()}"
    return f"{ROOTS.get(kind, OTHER_ROOT)}:{words}:{shown}"


def write_file(
    title: str,
    transactions: Iterable[Transaction],
    *,
    first: date,
    opening: Sequence[Side],
    closing: Sequence[Side],
    after: date,
) -> Iterator[str]:
    """Yield a file line by line: accounts opened, what stood before, every transaction, and what must stand after it.

    `after` is the day after the last one: a balance is asserted at its beginning.
    """
    yield f'option "title" "{_text(title)}"\n'
    yield 'option "tolerance_multiplier" "0"\n'
    for currency in sorted({side.currency for side in closing}):
        yield f'option "operating_currency" "{currency}"\n'
    yield "\n"
    for name, currencies in _accounts([*opening, *closing]):
        yield f"{first:%Y-%m-%d} open {name} {','.join(currencies)}\n"
    if opening:
        yield f'\n{first:%Y-%m-%d} * "{OPENING}"\n'
        yield from _sides(opening)
    for one in transactions:
        yield f'\n{one.day:%Y-%m-%d} * "{_text(one.words)}"\n'
        yield f'  key: "{_text(one.key)}"\n  time: "{one.time}"\n'
        yield from _sides(one.sides)
    yield "\n"
    for side in closing:
        yield f"{after:%Y-%m-%d} balance {account_name(side.kind, side.owner)} {_number(side)} ~ 0 {side.currency}\n"


def _accounts(sides: Iterable[Side]) -> list[tuple[str, list[str]]]:
    found: dict[str, set[str]] = {}
    for side in sides:
        found.setdefault(account_name(side.kind, side.owner), set()).add(side.currency)
    return [(name, sorted(currencies)) for name, currencies in sorted(found.items())]


def _sides(sides: Iterable[Side]) -> Iterator[str]:
    for side in sides:
        yield f"  {account_name(side.kind, side.owner)}  {_amount(side)}\n"


def _amount(side: Side) -> str:
    return f"{_number(side)} {side.currency}"


def _number(side: Side) -> str:
    digits = max(minor_digits(side.currency), -int(side.amount.normalize().as_tuple().exponent))
    return f"{side.amount:.{digits}f}"


def _text(words: str) -> str:
    """What stands between quotes: one line, quotes and backslashes escaped."""
    return re.sub(r"\s+", " ", words).replace("\\", "\\\\").replace('"', '\\"')
