"""Payouts by transfer at Stripe: a sweep sends what is in transit, through stored intents, and takes back on demand.

A transfer that our balance at Stripe does not cover waits and is tried again; one that is refused for another reason
fails, and its amount is owed again.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from billing.models import Payout, PayoutMethod, PayoutReversal, PayoutState, StripePayee
from billing.money import round_to_minor
from billing.statements.paying_out import PayoutSettled, WrongPayout, record_failed, record_paid, record_reversal
from billing.states import in_state
from billing.stripe_amounts import AmountNotRepresentable, from_minor_units, minor_units
from billing.stripe_answers import BalanceInsufficient, StripeRefused, StripeUnavailable
from billing.stripe_intents import Result, carry_out
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from decimal import Decimal

    from billing.stripe_seen import StripeReversal, StripeTransfer

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
BACKOFF_FIRST = timedelta(seconds=10)
BACKOFF_MAX = timedelta(minutes=15)
UNCOVERED_RETRY = timedelta(hours=1)
LONG_AGO = timedelta(days=1)
"""For longer than this no account is left without a look."""
ERROR_CHARACTERS_MAX = 500
ACTOR = "payouts"
STRIPE = "stripe"


class Transferring(Protocol):
    """What is asked of Stripe; `billing.stripe_gateway.StripeGateway` has it."""

    def transfer(
        self,
        *,
        account_id: str,
        amount_minor: int,
        currency: str,
        group: str,
        reference: str,
        idempotency_key: str,
        description: str = "",
    ) -> StripeTransfer:
        """Move money to a provider's account."""

    def find_transfer(self, group: str, reference: str) -> StripeTransfer | None:
        """Find the transfer made for a payout."""

    def get_transfer(self, transfer_id: str) -> StripeTransfer:
        """Read a transfer."""

    def reverse_transfer(
        self, *, transfer_id: str, amount_minor: int, reference: str, idempotency_key: str
    ) -> StripeReversal:
        """Take back part or all of a transfer."""

    def find_reversal(self, transfer_id: str, reference: str) -> StripeReversal | None:
        """Find what was taken back of a transfer."""


def due_transfers(*, now: datetime, limit: int) -> list[UUID]:
    """Return the payouts whose transfer is to be tried now, the longest waiting first."""
    due = Payout.objects.filter(state=PayoutState.IN_TRANSIT, method=PayoutMethod.STRIPE, next_try_at__lte=now)
    return list(due.order_by("next_try_at", "pk").values_list("pk", flat=True)[:limit])


def send_transfer(*, payout_id: UUID, gateway: Transferring, now: datetime) -> Payout | None:
    """Send the transfer of a payout and record what came of it; None where another worker has it.

    The claim is a lease on `next_try_at`. No transaction is open over the call; a worker that died between the call and
    the record finds the transfer by the payout's id, so it is sent once.
    """
    due = Payout.objects.filter(pk=payout_id, state=PayoutState.IN_TRANSIT, next_try_at__lte=now)
    if not due.update(next_try_at=now + LEASE):
        return None
    payout = Payout.objects.get(pk=payout_id)
    try:
        amount_minor = minor_units(payout.amount, payout.currency)
        sent = _carry_out(payout, amount_minor, gateway, now)
    except BalanceInsufficient as error:
        return _try_later(payout, f"Our balance at Stripe does not cover it: {error}", UNCOVERED_RETRY, now)
    except StripeUnavailable as error:
        backoff = min(BACKOFF_FIRST * 2 ** min(payout.attempts, 10), BACKOFF_MAX)
        wait = max(backoff, timedelta(seconds=error.retry_after_s))
        return _try_later(payout, f"Stripe is unavailable: {error}", wait, now)
    except (StripeRefused, AmountNotRepresentable) as error:
        # The account may not stand as we have it: the next sweep looks.
        StripePayee.objects.filter(pk=payout.provider_id).update(seen_at=now - LONG_AGO)
        return record_failed(payout_id=payout_id, reason=str(error)[:200], by=ACTOR, now=now)
    return record_paid(payout_id=payout_id, reference=sent["id"], by=ACTOR, at=now, now=now)


def _carry_out(payout: Payout, amount_minor: int, gateway: Transferring, now: datetime) -> Result:
    def look_up() -> Result | None:
        found = gateway.find_transfer(payout.number, str(payout.pk))
        return {"id": found.id} if found else None

    def call(key: str) -> Result:
        made = gateway.transfer(
            account_id=payout.account_id,
            amount_minor=amount_minor,
            currency=payout.currency,
            group=payout.number,
            reference=str(payout.pk),
            idempotency_key=key,
            description=f"Payout {payout.number}",
        )
        return {"id": made.id}

    def key_of(generation: int) -> str:
        return f"po:{payout.pk}:{generation}"

    return carry_out(key_of=key_of, step="transfer", subject_id=payout.pk, look_up=look_up, call=call, now=now)


def take_back(
    *, payout_id: UUID, amount: Decimal, reason: str, by: str, gateway: Transferring, now: datetime
) -> PayoutReversal:
    """Take part or all of a transfer back, once per sum taken back before; a worker that died is resumed.

    Raises `PayoutSettled` for a payout that was not paid by transfer, `WrongPayout` for more than is left, and what the
    gateway raises: BalanceInsufficient where the provider's account lacks it, and then the amount is better carried by
    what it earns next.
    """
    payout = Payout.objects.get(pk=payout_id)
    if payout.method != PayoutMethod.STRIPE or payout.state != PayoutState.PAID:
        raise PayoutSettled(
            sentence(
                "%(number)s is %(state)s by %(method)s.",
                number=payout.number,
                state=in_state(payout.state),
                method=payout.method,
            ),
            state=payout.state,
        )
    before = payout.reversals.aggregate(sum=Sum("amount"))["sum"] or 0
    if not 0 < amount <= payout.amount - before:
        raise WrongPayout(
            sentence(
                "%(amount)s %(currency)s of %(number)s can be taken back.",
                amount=round_to_minor(payout.amount - before, payout.currency),
                currency=payout.currency,
                number=payout.number,
            )
        )
    reference = f"{payout.pk}:{minor_units(payout.amount - before, payout.currency)}"

    def look_up() -> Result | None:
        found = gateway.find_reversal(payout.reference, reference)
        return {"id": found.id, "amount_minor": str(found.amount_minor)} if found else None

    def call(key: str) -> Result:
        made = gateway.reverse_transfer(
            transfer_id=payout.reference,
            amount_minor=minor_units(amount, payout.currency),
            reference=reference,
            idempotency_key=key,
        )
        return {"id": made.id, "amount_minor": str(made.amount_minor)}

    def key_of(generation: int) -> str:
        return f"rev:{reference}:{generation}"

    done = carry_out(key_of=key_of, step="reverse", subject_id=payout.pk, look_up=look_up, call=call, now=now)
    taken = from_minor_units(int(done["amount_minor"]), payout.currency)
    return record_reversal(
        payout_id=payout_id, amount=taken, reference=done["id"], reason=reason, by=by, at=now
    )  # fmt: skip


@transaction.atomic
def apply_transfer(*, seen: StripeTransfer, reversals: Iterable[StripeReversal], now: datetime) -> str:
    """Record of a payout's transfer what came back of it, whoever took it back; what came of that, in words.

    What Stripe has is compared with what is recorded, so it may come any number of times and in any order. A transfer
    that is faster than our record of it is recorded as paid first. What does not fit is logged for a person.
    """
    payout = _payout_of(seen)
    if payout is None:
        return f"unknown object: {seen.id} is no payout of ours"
    try:
        record_paid(payout_id=payout.pk, reference=seen.id, by=STRIPE, at=seen.created, now=now)
        for one in reversals:
            record_reversal(
                payout_id=payout.pk,
                amount=from_minor_units(one.amount_minor, one.currency),
                reference=one.id,
                reason="taken back at Stripe",
                by=STRIPE,
                at=one.created,
            )
    except (PayoutSettled, WrongPayout) as differs:
        logger.error("Transfer %s of payout %s differs from our books: %s", seen.id, payout.number, differs.detail)  # noqa: TRY400  what is wrong is known
        return f"differs from our books: {differs.detail}"
    payout.refresh_from_db()
    return f"payout is {payout.state}"


def _payout_of(seen: StripeTransfer) -> Payout | None:
    """Ours by what we stored, or by what we wrote on it, where Stripe was faster than our storing."""
    ours = Payout.objects.filter(method=PayoutMethod.STRIPE)
    stored = ours.filter(reference=seen.id).first()
    if stored is not None:
        return stored
    try:
        written = UUID(seen.reference)
    except ValueError:
        return None
    return ours.filter(pk=written, reference="").first()


def _try_later(payout: Payout, reason: str, wait: timedelta, now: datetime) -> Payout:
    """Leave it in transit with the reason."""
    held = Payout.objects.filter(pk=payout.pk, state=PayoutState.IN_TRANSIT)
    held.update(
        attempts=payout.attempts + 1,
        next_try_at=now + wait,
        last_error=reason[:ERROR_CHARACTERS_MAX],
        updated_at=now,
    )
    return Payout.objects.get(pk=payout.pk)
