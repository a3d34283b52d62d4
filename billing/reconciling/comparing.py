"""What differs between our books and what Stripe has, invoice by invoice and charge by charge. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing.money import minor_digits
from billing.stripe_amounts import from_minor_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from uuid import UUID

    from billing.stripe_answers import StripeInvoice

SETTLED = frozenset({"paid", "void"})
"""States in which our books ask nothing more of an invoice."""
NOTHING = "nothing"
"""What a side is called that has nothing."""
OPEN_AT_STRIPE = frozenset({"draft", "open", "uncollectible"})


@dataclass(frozen=True, slots=True)
class OurInvoice:
    """An invoice of ours that was pushed; `stripe_id` is what we know it by there."""

    invoice_id: UUID
    number: str
    state: str
    currency: str
    paid_by_stripe_minor: int
    stripe_id: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two has of what differs. Amounts are Stripe's integers in `currency`, which is empty where Stripe
    names none.

    `state` is the word of our books, or Stripe's. `amount_minor` is what was paid, what moved, or a balance;
    `total_minor` what an invoice asks for.
    """

    number: str = ""
    state: str = ""
    amount_minor: int | None = None
    total_minor: int | None = None
    currency: str = ""

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.number, self.state, self._amounts())))

    def _amounts(self) -> str:
        if self.amount_minor is None:
            return ""
        of = "" if self.total_minor is None else f"{self._plain(self.total_minor)} "
        paid = " paid" if self.state else ""
        return f"{self._plain(self.amount_minor)} {f'of {of}' if of else ''}{self.currency or 'minor units'}{paid}"

    def _plain(self, amount_minor: int) -> str:
        """A decimal with the currency's own digits; the integer where the currency is not known."""
        if not self.currency:
            return str(amount_minor)
        return f"{from_minor_units(amount_minor, self.currency):.{minor_digits(self.currency)}f}"


@dataclass(frozen=True, slots=True)
class Found:
    """One difference: what we have and what Stripe has; None is nothing."""

    kind: str
    stripe_id: str
    invoice_id: UUID | None
    ours: Side | None
    theirs: Side | None
    object_at: datetime


def compare_invoices(
    ours: Mapping[str, OurInvoice], theirs: Iterable[tuple[StripeInvoice, datetime]]
) -> Iterator[Found]:
    """Compare invoices at Stripe with those of ours by Stripe's id; what is gone at Stripe is not seen here."""
    for seen, made_at in theirs:
        known = ours.get(seen.id)
        if known is None:
            # A draft that was thrown away while it was being made, and a void one, ask nobody for anything.
            if seen.status in ("open", "paid", "uncollectible"):
                yield Found("invoice_unknown", seen.id, None, None, _shown(seen), made_at)
            continue
        yield from _compare(known, seen, made_at)


def _compare(known: OurInvoice, seen: StripeInvoice, made_at: datetime) -> Iterator[Found]:
    ours = Side(known.number, known.state, known.paid_by_stripe_minor, currency=known.currency)
    if (known.number, known.currency) != (seen.number, seen.currency):
        yield Found("invoice_amount", seen.id, known.invoice_id, ours, _shown(seen), made_at)
    elif seen.status == "paid" and known.state not in SETTLED and not _is_charged_back(known, seen):
        yield Found("invoice_paid", seen.id, known.invoice_id, ours, _shown(seen), made_at)
    elif known.state in SETTLED and seen.status in OPEN_AT_STRIPE:
        yield Found("invoice_open", seen.id, known.invoice_id, ours, _shown(seen), made_at)


def _is_charged_back(known: OurInvoice, seen: StripeInvoice) -> bool:
    """What was booked and taken back again, by a chargeback say, is owed here and stays paid at Stripe."""
    return 0 < seen.amount_paid_minor <= known.paid_by_stripe_minor


def _shown(seen: StripeInvoice) -> Side:
    return Side(seen.number or "", seen.status, seen.amount_paid_minor, seen.total_minor, seen.currency)


@dataclass(frozen=True, slots=True)
class Moved:
    """A movement of Stripe's that ours should have: `source_id` is the charge, refund or transfer."""

    source_id: str
    amount_minor: int
    currency: str
    at: datetime


def compare_amounts(
    booked: Mapping[str, tuple[int, UUID | None]], moved: Iterable[Moved], *, unbooked: str, differs: str
) -> Iterator[Found]:
    """Compare what moved at Stripe with what was booked of the same source, in Stripe's integers.

    Several movements of one source count together.
    """
    sums: dict[str, list[Moved]] = {}
    for one in moved:
        sums.setdefault(one.source_id, []).append(one)
    for source_id, parts in sums.items():
        total = sum(part.amount_minor for part in parts)
        known = booked.get(source_id)
        theirs = Side(amount_minor=total, currency=parts[0].currency)
        if known is None:
            yield Found(unbooked, source_id, None, None, theirs, parts[0].at)
        elif known[0] != total:
            ours = Side(amount_minor=known[0], currency=parts[0].currency)
            yield Found(differs, source_id, known[1], ours, theirs, parts[0].at)
