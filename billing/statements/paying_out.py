"""Paying providers out: a payout is made and booked at once, and then it is paid, it fails, or it comes back.

A payout moves its amount from `provider_payable` to `payout_in_transit`, and back where it fails. Paid by a transfer at
Stripe it leaves the provider's `stripe_clearing`. Paid by bank it leaves the operator's `bank_clearing`, and what is
held at Stripe for the provider becomes the operator's. What comes back is booked the other way round, and owed again.

What is below zero is carried: nothing goes out until what is earned later has made up for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Sum

from billing.ledger import Entry, post
from billing.models import (
    AccountKind,
    LedgerAccount,
    Payout,
    PayoutMethod,
    PayoutReversal,
    PayoutSchedule,
    PayoutState,
    PayoutTerms,
    ProviderStatement,
    StripePayee,
)
from billing.money import minor_digits, round_to_minor
from billing.statements.available import available, too_little
from billing.statements.gathering import CAUSE_BANK, CAUSE_PAYOUT
from billing.states import in_state
from billing.stripe_amounts import chargeable
from billing.telling import tell_payout
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

TOLD = {"payout.made": "payout.created", "payout.paid": "payout.paid", "payout.failed": "payout.failed"}
"""What of a payout's life programs are told, by what the audit log says."""
NUMBER_DIGITS_MIN = 4
TEXT_CHARACTERS_MAX = 200
MONDAY = 0


class NoPayout(Problem):
    """Nothing can be paid out now; the detail says why."""

    status = 409
    code = "no_payout"
    title = "Nothing can be paid out now"


class WrongPayout(Problem):
    """The amount or reference cannot be one of this payout."""

    status = 422
    code = "wrong_payout"
    title = "This cannot be said of the payout"


class PayoutSettled(Problem):
    """The payout is in a state in which this cannot happen to it any more, or not by hand."""

    status = 409
    code = "payout_settled"
    title = "The payout is in another state"


@dataclass(frozen=True, slots=True)
class DuePayout:
    """A payout that the provider's schedule asks for now."""

    provider_id: UUID
    currency: str


def due_payouts(*, now: datetime) -> list[DuePayout]:
    """Return which providers are to be paid out by their schedules, and in which currencies."""
    held = LedgerAccount.objects.filter(
        kind=AccountKind.STRIPE_CLEARING, organization__is_provider=True, organization__is_operator=False
    ).order_by("organization_id", "currency")
    return [
        DuePayout(provider_id, currency)
        for provider_id, currency in held.values_list("organization_id", "currency")
        if _is_time(provider_id, currency, now)
    ]


def _is_time(provider_id: UUID, currency: str, now: datetime) -> bool:
    terms = PayoutTerms.objects.filter(pk=provider_id).first() or PayoutTerms(provider_id=provider_id)
    if terms.held_reason:
        return False
    last = Payout.objects.filter(provider_id=provider_id, currency=currency).order_by("-created_at").first()
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match terms.schedule:
        case PayoutSchedule.DAILY:
            since = today
        case PayoutSchedule.WEEKLY:
            since = today - timedelta(days=today.weekday() - MONDAY)
        case _:
            made = ProviderStatement.objects.filter(provider_id=provider_id, currency=currency)
            latest = made.order_by("-month").values_list("made_at", flat=True).first()
            if latest is None:
                return False
            since = latest
    return last is None or last.created_at < since


def terms_of(provider_id: UUID) -> PayoutTerms:
    """Return the terms of a provider, locked until the transaction ends; made where it has none."""
    PayoutTerms.objects.bulk_create([PayoutTerms(provider_id=provider_id)], ignore_conflicts=True)
    return PayoutTerms.objects.select_for_update().get(pk=provider_id)


@transaction.atomic
def make_payout(*, provider_id: UUID, currency: str, by: str, now: datetime, scheduled: bool = False) -> Payout:
    """Pay out all that is available to a provider, and book it as in transit; raises `NoPayout` where nothing is.

    The provider's terms are locked, and what is in transit is not available any more, so nothing goes out twice. A
    payout that the schedule asked for is made once per turn, however often and by whomever it is asked for.
    """
    terms = terms_of(provider_id)
    provider = Organization.objects.get(pk=provider_id)
    if scheduled and not _is_time(provider_id, currency, now):
        raise NoPayout(sentence("It is not time for a payout by the schedule."))
    account_id = _require_ready(provider, terms)
    found = available(terms=terms, currency=currency, now=now)
    # By transfer goes what Stripe has an integer for; the rest stays owed.
    amount = chargeable(found.amount, currency) if terms.method == PayoutMethod.STRIPE else found.amount
    if amount <= 0 or amount < terms.minimum_amount:
        raise NoPayout(too_little(found, terms), available=str(amount))
    return _make(terms, terms.method, currency=currency, amount=amount, account_id=account_id, by=by, now=now)


@transaction.atomic
def record_paid_elsewhere(
    *,
    provider_id: UUID,
    account_id: str,
    currency: str,
    amount: Decimal,
    reference: str,
    by: str,
    at: datetime,
    now: datetime,
) -> Payout:
    """Record a transfer to a provider's account that nobody made here, once by its reference: a payout that was paid.

    What is owed may come out below zero; it is carried then.
    """
    terms = terms_of(provider_id)
    known = Payout.objects.filter(provider_id=provider_id, method=PayoutMethod.STRIPE, reference=reference).first()
    if known is not None:
        return known
    payout = _make(terms, PayoutMethod.STRIPE, currency=currency, amount=amount, account_id=account_id, by=by, now=now)
    return record_paid(payout_id=payout.pk, reference=reference, by=by, at=at, now=now)


def _make(
    terms: PayoutTerms, method: str, *, currency: str, amount: Decimal, account_id: str, by: str, now: datetime
) -> Payout:
    """Store a payout under the next number of terms that are locked, and book it as in transit."""
    made = ProviderStatement.objects.filter(provider_id=terms.pk, currency=currency)
    payout = Payout.objects.create(
        provider_id=terms.pk,
        number=f"{Payout.PREFIX}{terms.next_number:0{NUMBER_DIGITS_MIN}d}",
        currency=currency,
        amount=amount,
        method=method,
        statement=made.order_by("-month").first(),
        account_id=account_id,
        created_at=now,
        created_by=by,
        next_try_at=now if method == PayoutMethod.STRIPE else None,
        updated_at=now,
    )
    PayoutTerms.objects.filter(pk=terms.pk).update(next_number=terms.next_number + 1)
    _book(
        payout,
        "made",
        now,
        (AccountKind.PROVIDER_PAYABLE, payout.amount),
        (AccountKind.PAYOUT_IN_TRANSIT, -payout.amount),
    )
    note(payout, by=by, action="payout.made", now=now)
    return payout


def _require_ready(provider: Organization, terms: PayoutTerms) -> str:
    """Return the account at Stripe that it goes to, if it goes there."""
    if provider.is_operator:
        raise NoPayout(sentence("%(name)s is the operator: it holds its money itself.", name=provider.name))
    if terms.held_reason:
        raise NoPayout(
            sentence("Payouts are held: %(held_reason)s", held_reason=terms.held_reason), held=terms.held_reason
        )
    if terms.method != PayoutMethod.STRIPE:
        return ""
    payee = StripePayee.objects.filter(pk=provider.pk).first()
    if payee is None or not payee.can_receive:
        raise NoPayout(sentence("The provider's account at Stripe cannot receive transfers yet."))
    return payee.account_id


@transaction.atomic
def record_paid(*, payout_id: UUID, reference: str, by: str, at: datetime, now: datetime) -> Payout:
    """Record that a payout reached the provider, under the reference of the bank or the transfer; the same again is
    no-op. Raises Payout.DoesNotExist, `WrongPayout` for a reference that is none, `PayoutSettled` from another state.
    """
    payout = _locked(payout_id)
    _require_text(reference, "reference")
    if payout.state in (PayoutState.PAID, PayoutState.REVERSED) and payout.reference == reference:
        return payout
    if payout.state != PayoutState.IN_TRANSIT:
        reason = sentence(
            "%(number)s is %(state)s, by %(reference)s.",
            number=payout.number,
            state=in_state(payout.state),
            reference=payout.reference or "nobody",
        )
        raise PayoutSettled(reason, state=payout.state)
    _move(payout, PayoutState.PAID, reference=reference, settled_at=at, now=now)
    _book(
        payout,
        "paid",
        at,
        (AccountKind.PAYOUT_IN_TRANSIT, payout.amount),
        (AccountKind.STRIPE_CLEARING, -payout.amount),
    )
    _book_bank(payout, "paid", at, payout.amount)
    note(payout, by=by, action="payout.paid", now=now)
    return payout


@transaction.atomic
def record_failed(*, payout_id: UUID, reason: str, by: str, now: datetime) -> Payout:
    """Record that a payout did not go out: it is owed again. The same again is no-op; raises like `record_paid`."""
    payout = _locked(payout_id)
    _require_text(reason, "reason")
    if payout.state == PayoutState.FAILED:
        return payout
    if payout.state != PayoutState.IN_TRANSIT:
        reason = sentence(
            "%(number)s is %(state)s: record what came back of it.", number=payout.number, state=in_state(payout.state)
        )
        raise PayoutSettled(reason, state=payout.state)
    payout.last_error = reason
    _move(payout, PayoutState.FAILED, reference="", settled_at=now, now=now)
    _book(
        payout,
        "failed",
        now,
        (AccountKind.PAYOUT_IN_TRANSIT, payout.amount),
        (AccountKind.PROVIDER_PAYABLE, -payout.amount),
    )
    note(payout, by=by, action="payout.failed", now=now)
    return payout


@transaction.atomic
def record_reversal(
    *, payout_id: UUID, amount: Decimal, reference: str, reason: str, by: str, at: datetime
) -> PayoutReversal:
    """Record that part or all of a paid payout came back, once by its reference: it is owed again.

    Raises `WrongPayout` for more than is left of the payout or another amount under the same reference, and
    `PayoutSettled` for a payout that was not paid.
    """
    payout = _locked(payout_id)
    _require_text(reference, "reference")
    known = payout.reversals.filter(reference=reference).first()
    if known is not None:
        if known.amount != amount:
            reason = sentence(
                "%(reference)s was recorded before as %(amount)s %(currency)s.",
                reference=reference,
                amount=known.amount,
                currency=payout.currency,
            )
            raise WrongPayout(reason)
        return known
    if payout.state != PayoutState.PAID:
        reason = sentence(
            "%(number)s is %(state)s: nothing of it can come back.", number=payout.number, state=in_state(payout.state)
        )
        raise PayoutSettled(reason, state=payout.state)
    left = payout.amount - (payout.reversals.aggregate(sum=Sum("amount"))["sum"] or Decimal(0))
    if not 0 < amount <= left or amount != round(amount, minor_digits(payout.currency)):
        left = round_to_minor(left, payout.currency)
        reason = sentence(
            "%(left)s %(currency)s of %(number)s can come back, not %(amount)s.",
            left=left,
            currency=payout.currency,
            number=payout.number,
            amount=amount,
        )
        raise WrongPayout(reason, left=str(left))
    reversal = PayoutReversal.objects.create(
        payout=payout, amount=amount, reason=reason[:TEXT_CHARACTERS_MAX], reference=reference, by=by, at=at
    )
    what = f"back:{reversal.pk}"
    _book(payout, what, at, (AccountKind.PROVIDER_PAYABLE, -amount), (AccountKind.STRIPE_CLEARING, amount))
    _book_bank(payout, what, at, -amount)
    if amount == left:
        _move(payout, PayoutState.REVERSED, reference=payout.reference, settled_at=at, now=at)
    else:
        Payout.objects.filter(pk=payout.pk).update(updated_at=at)  # whoever follows payouts reads it again
    note(payout, by=by, action="payout.reversed", now=at, amount=amount)
    return reversal


def note(payout: Payout, *, by: str, action: str, now: datetime, amount: Decimal | None = None) -> None:
    """Write to the provider's audit log what happened to a payout, and tell its programs."""
    told = TOLD.get(action)
    if told:
        tell_payout(payout, told, at=now)
    AuditEntry.objects.create(
        organization_id=payout.provider_id,
        actor=by,
        action=action,
        subject=f"payout {payout.number}",
        after={
            "state": payout.state,
            "amount": str(round_to_minor(payout.amount if amount is None else amount, payout.currency)),
            "currency": payout.currency,
            "reference": payout.reference,
            "reason": payout.last_error,
        },
        at=now,
    )


Side = tuple[AccountKind, Decimal]
"""An account kind of the provider and an amount, debit above zero."""


def _book(payout: Payout, what: str, at: datetime, *sides: Side) -> None:
    _post(payout, what, at, payout.provider_id, sides)


def _book_bank(payout: Payout, what: str, at: datetime, amount: Decimal) -> None:
    """Where the operator's bank pays, what Stripe holds of the provider becomes the operator's."""
    if payout.method == PayoutMethod.BANK:
        operator = Organization.objects.get(is_operator=True)
        sides = ((AccountKind.STRIPE_CLEARING, amount), (AccountKind.BANK_CLEARING, -amount))
        _post(payout, f"{what}:bank", at, operator.pk, sides)


def _post(payout: Payout, what: str, at: datetime, whose: UUID, sides: Sequence[Side]) -> None:
    post(
        key=f"payout:{payout.pk}:{what}",
        cause=CAUSE_PAYOUT if whose == payout.provider_id else CAUSE_BANK,
        cause_id=payout.pk,
        memo=f"Payout {payout.number} {what.partition(':')[0]}",
        at=at,
        entries=[Entry(whose, kind, payout.currency, amount) for kind, amount in sides],
        provider_id=whose,
    )


def _locked(payout_id: UUID) -> Payout:
    """The payout with its provider's terms locked first, as they are where one is made."""
    provider_id = Payout.objects.values_list("provider_id", flat=True).get(pk=payout_id)
    terms_of(provider_id)
    return Payout.objects.select_for_update().get(pk=payout_id)


def _move(payout: Payout, state: PayoutState, *, reference: str, settled_at: datetime, now: datetime) -> None:
    payout.state, payout.reference, payout.settled_at = state, reference, settled_at
    payout.next_try_at, payout.updated_at = None, now
    payout.save(update_fields=["state", "reference", "settled_at", "next_try_at", "last_error", "updated_at"])


def _require_text(text: str, name: str) -> None:
    if not 0 < len(text) <= TEXT_CHARACTERS_MAX:
        reason = sentence("The %(name)s must have 1 to %(most)s characters.", name=name, most=TEXT_CHARACTERS_MAX)
        raise WrongPayout(reason, field=name)
