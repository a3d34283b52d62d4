"""Credit whose payment went back, by the card holder's bank or by a hand at Stripe: it leaves the balance.

What was used already stays used, so the balance may go below 0: use stops where a stop is agreed, nothing is bought by
a rule, and what is bought next makes it good before it pays for anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from billing.api_words import money
from billing.credit_books import CAUSE_MOVEMENT, post_movements
from billing.credit_grants import grants_of
from billing.credits import grant_credit, period_open_for
from billing.ledger import Entry, post
from billing.models import AccountKind, Chargeback, Contract, CreditMovement, MovementKind, TopUp, TopUpState
from billing.rating.credit import Grant
from billing.telling import tell_subject
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from billing.stripe_seen import StripeDispute, StripeRefund

BY = "stripe"
REFUNDED, CHARGED_BACK = "refunded", "charged_back"
REFUNDED_BY_HAND = "refunded:"
"""Before the id of a refund at Stripe: what credit was taken back for where somebody gave its payment back there."""


def top_up_of(seen: StripeDispute | StripeRefund) -> TopUp | None:
    """Return the purchase that the charge of a dispute or a refund paid, or None."""
    paid = TopUp.objects.filter(state=TopUpState.PAID)
    found = paid.filter(charge_id=seen.charge_id).first() if seen.charge_id else None
    if found is None and seen.payment_intent_id:
        found = paid.filter(payment_intent_id=seen.payment_intent_id).first()
    return found


def taken_of(contract_id: UUID) -> dict[tuple[UUID, str], list[CreditMovement]]:
    """Return what was taken back of a contract's bought credit, by its term and grant, the first one first."""
    found: dict[tuple[UUID, str], list[CreditMovement]] = {}
    taken = CreditMovement.objects.filter(term__contract=contract_id, kind=MovementKind.TAKEN)
    for each in taken.order_by("at", "pk"):
        found.setdefault((each.term_id, each.grant), []).append(each)
    return found


def reason_of(taken: CreditMovement) -> str:
    """Return why credit was taken back: by a hand at Stripe, or by the card holder's bank."""
    return REFUNDED if taken.reference.startswith(REFUNDED_BY_HAND) else CHARGED_BACK


@transaction.atomic
def take_credit(
    *,
    top_up: TopUp,
    reference: str,
    amount: Decimal,
    now: datetime,
    by: str = BY,
) -> None:
    """Take credit back whose payment went back, once a reference. Dr `prepaid_credit`; Cr `stripe_clearing`.

    Where the card holder's bank did it, what rules are about to buy and did not begin to charge is not bought.
    """
    contract = _locked(top_up)
    if CreditMovement.objects.filter(reference=reference).exists():
        return
    moved = CreditMovement.objects.create(
        term_id=top_up.term_id,
        grant=top_up.grant_name,
        period=period_open_for(contract),
        kind=MovementKind.TAKEN,
        amount=amount,
        at=now,
        reference=reference,
    )
    post_movements(contract=contract, movements=[moved], now=now)
    tell_subject(
        (contract.provider_id, contract.tenant_id),
        "payment.reversed",
        subject_id=moved.pk,
        at=now,
        payment_id=None,
        invoice_id=None,
        invoice=None,
        top_up_id=str(top_up.pk),
        contract_id=str(contract.pk),
        contract=contract.number,
        currency=contract.currency,
        amount=money(amount, contract.currency),
        reason=reason_of(moved),
    )
    by_hand = reason_of(moved) == REFUNDED
    if not by_hand:
        planned = TopUp.objects.filter(rule__contract=contract, state=TopUpState.OPEN, begun_at=None)
        planned.update(state=TopUpState.STOPPED, finished_at=now)
    _audit("top_up.refunded_by_hand" if by_hand else "top_up.charged_back", top_up, amount, by, now)


@transaction.atomic
def give_again(*, top_up: TopUp, reference: str, now: datetime) -> None:
    """Grant what was taken under a reference once more, since the bank returned it; harmless said twice.

    Booked as a grant, and beside it Dr `stripe_clearing`; Cr `bank_clearing`, for Stripe has the money again.
    """
    contract = _locked(top_up)
    moved = CreditMovement.objects.filter(reference=reference).first()
    if moved is None:
        return
    name = f"won-{moved.pk.hex[-12:]}"
    grants = grants_of([top_up.term_id])[top_up.term_id]
    if name in grants:
        return
    before = grants[top_up.grant_name]
    grant = Grant(name=name, amount=moved.amount, from_at=now, expires_at=before.expires_at, bought=True)
    grant_credit(term=top_up.term, grant=grant, recorded_by=BY, now=now)
    post(
        key=f"credit:{moved.pk}:won",
        cause=CAUSE_MOVEMENT,
        cause_id=moved.pk,
        memo=f"Chargeback of {top_up.grant_name} won",
        at=now,
        entries=(
            Entry(contract.provider_id, AccountKind.STRIPE_CLEARING, contract.currency, moved.amount),
            Entry(contract.provider_id, AccountKind.BANK_CLEARING, contract.currency, -moved.amount),
        ),
    )
    _audit("top_up.chargeback_won", top_up, moved.amount, BY, now)


def is_charged_back(contract_id: UUID) -> bool:
    """Whether a bank holds back a payment for credit of a contract now."""
    return Chargeback.objects.filter(top_up__term__contract=contract_id, withdrawn__gt=0).exists()


def _locked(top_up: TopUp) -> Contract:
    locked = Contract.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant", "provider")
    return locked.get(terms__top_ups=top_up)


def _audit(action: str, top_up: TopUp, amount: Decimal, by: str, now: datetime) -> None:
    contract = top_up.term.contract
    for organization in (contract.provider, contract.tenant):
        AuditEntry.objects.create(
            organization=organization,
            actor=by,
            action=action,
            subject=f"top-up {top_up.pk}",
            after={"contract": contract.number, "amount": str(amount), "currency": contract.currency},
            at=now,
        )
