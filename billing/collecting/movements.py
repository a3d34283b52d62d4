"""Stripe's own books kept beside ours: every movement once, and its fee, payout or top-up booked."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from django.db import transaction

from billing.ledger import Entry, post
from billing.models import AccountKind, StripeMovement
from billing.stripe_amounts import from_minor_units
from tenants.models import Organization

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from decimal import Decimal

    from billing.stripe_seen import StripeMovement as Seen

CAUSE = "stripe"
FAMILY = UUID("6f0c2f57-6a55-5a7b-9d2e-0d8f2b9a7c11")
"""Makes a cause's id out of Stripe's id of a movement."""
TO_BANK = frozenset({"payout", "payout_cancel", "payout_failure", "topup", "topup_reversal"})
FEES = frozenset({"stripe_fee", "stripe_fx_fee", "tax_fee"})


def keep_movements(seen: Iterable[Seen], *, now: datetime) -> int:
    """Keep movements that are new, and book what nobody else books of them; how many were new.

    Each in a transaction of its own: a stop in the middle loses nothing, repeating changes nothing.
    """
    operator = Organization.objects.filter(is_operator=True).first()
    return sum(_keep(one, operator, now) for one in seen)


@transaction.atomic
def _keep(seen: Seen, operator: Organization | None, now: datetime) -> bool:
    row, is_new = StripeMovement.objects.get_or_create(
        id=seen.id,
        defaults={
            "kind": seen.kind,
            "currency": seen.currency,
            "amount": from_minor_units(seen.amount_minor, seen.currency),
            "fee": from_minor_units(seen.fee_minor, seen.currency),
            "net": from_minor_units(seen.net_minor, seen.currency),
            "source_id": seen.source_id or "",
            "created_at": seen.created,
            "available_at": seen.available_at,
            "kept_at": now,
        },
    )
    if operator is not None:
        _book(row, operator)
    return is_new


def _book(row: StripeMovement, operator: Organization) -> None:
    """Stripe takes its fees of the operator's account; what goes to the bank and comes from it is the operator's."""
    fee = row.fee - (row.amount if row.kind in FEES else 0)
    if fee:
        _post(row, operator, "fee", AccountKind.STRIPE_FEES, fee)
    if row.kind in TO_BANK and row.amount:
        _post(row, operator, "bank", AccountKind.BANK_CLEARING, -row.amount)


def _post(row: StripeMovement, operator: Organization, what: str, kind: AccountKind, amount: Decimal) -> None:
    post(
        key=f"stripe:{row.pk}:{what}",
        cause=CAUSE,
        cause_id=uuid5(FAMILY, row.pk),
        memo=f"Stripe: {row.kind} {row.source_id}"[:200],
        at=row.created_at,
        entries=(
            Entry(operator.pk, kind, row.currency, amount),
            Entry(operator.pk, AccountKind.STRIPE_CLEARING, row.currency, -amount),
        ),
    )
