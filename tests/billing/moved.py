"""Movements of the balance at Stripe, as the gateway gives them."""

from __future__ import annotations

from datetime import UTC, datetime

from billing.stripe_seen import StripeMovement

AT = datetime(2026, 4, 2, 3, tzinfo=UTC)


def movement(kind: str, amount: int, *, fee: int = 0, source: str = "", currency: str = "USD") -> StripeMovement:
    """A change of the balance; its id says what it is."""
    return StripeMovement(
        id=f"txn_{kind}_{source}_{amount}",
        kind=kind,
        amount_minor=amount,
        fee_minor=fee,
        net_minor=amount - fee,
        currency=currency,
        source_id=source or None,
        available_at=AT,
        created=AT,
    )
