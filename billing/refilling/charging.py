"""Charging the card on file for what a rule buys: once a crossing, whoever dies at any step; a refusal ends it.

1. The purchase is marked as begun, in a transaction: from here on it cannot be taken back.
2. The card is charged under a key made from the purchase; who comes after a crash first looks the charge up. A refusal
   is kept with the intent before anything else: who dies after it finds it there, and the card is not tried again.
3. What was paid is granted and booked in one transaction. What was refused ends the rule, and says so.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import connection, transaction

from billing.api_words import money
from billing.collecting.declines import told_code
from billing.models import (
    BalanceNotice,
    BalanceNoticeKind,
    BalanceRule,
    CardOnFile,
    Contract,
    TopUp,
    TopUpState,
)
from billing.refilling.setting import end
from billing.standing import standing_of
from billing.stripe_amounts import minor_units
from billing.stripe_answers import StripeCardDeclined, StripeRefused
from billing.stripe_customers import ensure_customer
from billing.stripe_intents import Result, carry_out, refusal_of
from billing.telling import tell_subject
from billing.topups.buying import take
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from billing.stripe_gateway import StripeGateway
    from billing.stripe_seen import StripeCharge

STEP: Final = "top_up_charge"
BY: Final = "refilling"
RETRY: Final = timedelta(minutes=5)
REASON_CHARACTERS_MAX: Final = 300
TAKEN: Final = "succeeded"
UNDECIDED: Final = frozenset({TAKEN, "processing"})
"""States of a payment at Stripe that took money or may still take it."""
NO_CARD: Final = "no_card"


def due_charges(*, now: datetime, limit: int) -> Sequence[UUID]:
    """Return what rules buy and is to be charged now, the longest waiting first."""
    due = TopUp.objects.filter(state=TopUpState.OPEN, rule__isnull=False, next_look_at__lte=now)
    return list(due.order_by("next_look_at", "pk").values_list("pk", flat=True)[:limit])


def charge(*, top_up_id: UUID, gateway: StripeGateway, now: datetime) -> bool:
    """Charge one purchase and grant it; whether it is over. Raises StripeUnavailable: then it is tried again.

    No transaction may be open. The same call again does nothing twice.
    """
    assert not connection.in_atomic_block, "the card is charged outside of transactions"
    top_up = _begin(top_up_id, now)
    if top_up is None:
        return True
    refused_before = refusal_of(step=STEP, subject_id=top_up.pk)
    if refused_before is not None:
        return _refuse(top_up_id, refused_before, now)
    try:
        made = _charged(top_up, gateway, now)
    except StripeRefused as refused:
        return _refuse(top_up_id, _reason(refused), now)
    seen = gateway.get_charge(made["id"])
    if seen.status not in UNDECIDED:
        return _refuse(top_up_id, seen.status, now)
    return seen.status == TAKEN and take(
        top_up_id=top_up_id,
        amount_minor=seen.received_minor,
        currency=seen.currency,
        payment_intent_id=seen.id,
        charge_id=seen.charge_id or "",
        now=now,
    )


def _charged(top_up: TopUp, gateway: StripeGateway, now: datetime) -> Result:
    """Charge the card, unless that was begun before and Stripe knows of it: then whatever it came to counts."""
    contract, asked = top_up.term.contract, [False]
    customer_id = ensure_customer(organization=contract.tenant, gateway=gateway, now=now)

    def call(key: str) -> Result:
        asked[0] = True
        return _charge(top_up, contract, customer_id, gateway, key)

    return carry_out(
        key_of=lambda generation: f"refill:{top_up.pk}:{generation}",
        step=STEP,
        subject_id=top_up.pk,
        look_up=lambda: _found(gateway.find_charge(customer_id, str(top_up.pk)), was_asked=asked[0]),
        call=call,
        kept_refusal=_reason,
        now=now,
    )


@transaction.atomic
def _begin(top_up_id: UUID, now: datetime) -> TopUp | None:
    """Mark a purchase as begun, and put the next try off; None where there is nothing to charge any more."""
    Contract.objects.select_for_update(no_key=True, of=("self",)).get(terms__top_ups=top_up_id)
    held = TopUp.objects.select_for_update(of=("self",)).select_related("rule", "term__contract__tenant")
    top_up = held.get(pk=top_up_id)
    assert top_up.rule is not None, top_up
    if top_up.state != TopUpState.OPEN:
        return None
    begun_at = top_up.begun_at or now
    TopUp.objects.filter(pk=top_up.pk).update(begun_at=begun_at, next_look_at=now + RETRY)
    return top_up


def _charge(top_up: TopUp, contract: Contract, customer_id: str, gateway: StripeGateway, key: str) -> Result:
    card = CardOnFile.objects.filter(pk=contract.tenant_id).first()
    if card is None:
        raise StripeCardDeclined(NO_CARD, "there is no card on file", None)
    made = gateway.charge(
        customer_id=customer_id,
        payment_method_id=card.payment_method_id,
        amount_minor=minor_units(top_up.amount, top_up.currency),
        currency=top_up.currency,
        description=f"Prepaid credit, contract {contract.number}",
        reference=str(top_up.pk),
        idempotency_key=key,
    )
    return {"id": made.id}


def _found(charge: StripeCharge | None, *, was_asked: bool) -> Result | None:
    """Of a call of ours that was just refused, only money that moved all the same counts; of one before, anything."""
    if charge is None or (was_asked and charge.status not in UNDECIDED):
        return None
    return {"id": charge.id}


def _reason(refused: StripeRefused) -> str:
    """Why a card was not charged, as its holder may read it."""
    if not isinstance(refused, StripeCardDeclined):
        return refused.code
    return "consent_needed" if refused.needs_customer else told_code(refused.declined_for)


@transaction.atomic
def _refuse(top_up_id: UUID, reason: str, now: datetime) -> bool:
    """End the rule whose card was not charged, and say so; the tenant is told of low credit as before."""
    contracts = Contract.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant")
    contract = contracts.get(terms__top_ups=top_up_id)
    top_up = TopUp.objects.select_for_update(of=("self",)).select_related("rule__term").get(pk=top_up_id)
    rule, reason = top_up.rule, reason[:REASON_CHARACTERS_MAX]
    assert rule is not None, top_up
    assert top_up.crossing is not None, top_up
    if top_up.state != TopUpState.OPEN:
        return True
    TopUp.objects.filter(pk=top_up.pk).update(state=TopUpState.FAILED, finished_at=now)
    if rule.ended_at is None:
        end(rule, by=BY, reason="the card was not charged", now=now)
        _only_tell(rule, now)
    notice = BalanceNotice.objects.create(
        rule=rule,
        kind=BalanceNoticeKind.FAILED,
        crossing=top_up.crossing,
        left_amount=standing_of(contract, now).left_amount,
        reason=reason,
        at=now,
        due_at=now,
    )
    AuditEntry.objects.create(
        organization=contract.tenant,
        actor=BY,
        action="top_up.failed",
        subject=f"top-up {top_up.pk}",
        after={"amount": str(top_up.amount), "currency": top_up.currency, "reason": reason},
        at=now,
    )
    tell_subject(
        (contract.tenant_id,),
        "payment.failed",
        subject_id=notice.pk,
        at=now,
        invoice_id=None,
        invoice=None,
        top_up_id=str(top_up.pk),
        contract_id=str(contract.pk),
        contract=contract.number,
        currency=top_up.currency,
        amount=money(top_up.amount, top_up.currency),
        why=reason,
    )
    return True


def _only_tell(rule: BalanceRule, now: datetime) -> None:
    """Keep telling of low credit after buying was stopped; it is low now, and was told."""
    BalanceRule.objects.create(
        contract_id=rule.contract_id,
        term=rule.term,
        below_amount=rule.below_amount,
        set_by=BY,
        set_at=now,
        next_look_at=now,
        is_low=True,
    )
