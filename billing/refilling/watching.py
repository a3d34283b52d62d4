"""The watch over credit: whoever falls below the amount is told once, and told beforehand of what is bought."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.api_words import money
from billing.models import (
    BalanceNotice,
    BalanceNoticeKind,
    BalanceRule,
    BillingPeriod,
    CardOnFile,
    Contract,
    PeriodState,
    TopUp,
    TopUpState,
)
from billing.money import exact_sum, round_to_minor
from billing.refilling.rules import NOTICE, Figures, Outcome, Watched, decide, is_below, month_of
from billing.refilling.setting import amounts_by_rules
from billing.standing import standing_of
from billing.telling import tell_subject
from billing.topups.charged_back import is_charged_back
from tenants.instants import instant_text
from tenants.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

LOOK_EVERY: Final = timedelta(minutes=1)
BY: Final = "refilling"


def claim_rules(*, now: datetime, limit: int) -> Sequence[UUID]:
    """Return rules to look at, each put off: whoever else looks meanwhile leaves them alone."""
    due = BalanceRule.objects.filter(ended_at=None, next_look_at__lte=now).order_by("next_look_at", "pk")
    claimed = []
    for rule_id, next_look_at in due.values_list("pk", "next_look_at")[:limit]:
        mine = BalanceRule.objects.filter(pk=rule_id, ended_at=None, next_look_at=next_look_at)
        if mine.update(next_look_at=now + LOOK_EVERY):
            claimed.append(rule_id)
    return claimed


@transaction.atomic
def look(*, rule_id: UUID, now: datetime) -> BalanceNotice | None:
    """See whether credit ran low, and tell the tenant; return the notice where there is a new one.

    Where no billing period is open at the instant nothing is known of what is left, and nothing is done.

    The contract is locked first, as it is by whoever grants credit: what is left is never what was left before a
    purchase that is in the books by now.
    """
    contract = (
        Contract.objects.select_for_update(no_key=True, of=("self",))
        .select_related("tenant", "provider")
        .get(balance_rules=rule_id)
    )
    rule = BalanceRule.objects.select_for_update(of=("self",)).select_related("term").get(pk=rule_id)
    if rule.ended_at is not None or not _is_billed(contract, now):
        return None
    left = standing_of(contract, now).left_amount
    figures = Figures(rule.below_amount, rule.buy_amount, rule.month_max_amount)
    outcome = decide(figures, left, _watched(rule, contract, now))
    if outcome in (Outcome.BUYS, Outcome.NO_CARD) and is_charged_back(contract.pk):
        outcome = Outcome.TOLD  # a card whose holder's bank takes money back is not charged by itself
    if outcome is None:
        if rule.is_low and not is_below(figures, left):
            BalanceRule.objects.filter(pk=rule.pk).update(is_low=False)
        return None
    crossing = rule.crossing + 1
    BalanceRule.objects.filter(pk=rule.pk).update(is_low=True, crossing=crossing)
    charge_at = now + NOTICE if outcome == Outcome.BUYS else None
    made = BalanceNotice.objects.create(
        rule=rule,
        kind=BalanceNoticeKind.LOW,
        crossing=crossing,
        left_amount=left,
        outcome=outcome,
        charge_at=charge_at,
        at=now,
        due_at=now,
    )
    if charge_at is not None:
        _plan(rule, contract, crossing, charge_at, now)
    _tell(rule, contract, made, left)
    return made


def _is_billed(contract: Contract, now: datetime) -> bool:
    periods = BillingPeriod.objects.filter(contract=contract, state=PeriodState.OPEN)
    return periods.filter(from_at__lte=now, to_at__gt=now).exists()


def _watched(rule: BalanceRule, contract: Contract, now: datetime) -> Watched:
    open_ones = TopUp.objects.filter(rule__contract=contract, state=TopUpState.OPEN)
    paid = TopUp.objects.filter(rule=rule, crossing=rule.crossing, state=TopUpState.PAID)
    last = BalanceNotice.objects.filter(rule=rule, kind=BalanceNoticeKind.LOW, crossing=rule.crossing)
    held = last.filter(outcome__in=(Outcome.MONTH_MAX, Outcome.NO_CARD))
    # Of a rule that stands, what was stopped was stopped by a chargeback.
    stopped = TopUp.objects.filter(rule=rule, crossing=rule.crossing, state=TopUpState.STOPPED)
    from_at, to_at = month_of(now, ZoneInfo(contract.time_zone))
    return Watched(
        is_low=rule.is_low,
        waits=open_ones.exists(),
        was_paid=paid.exists(),
        was_held=held.exists() or stopped.exists(),
        has_card=CardOnFile.objects.filter(pk=contract.tenant_id).exists(),
        month_amount=exact_sum(amounts_by_rules(contract.pk, from_at, to_at)),
    )


def _plan(rule: BalanceRule, contract: Contract, crossing: int, charge_at: datetime, now: datetime) -> None:
    """Keep what is going to be bought; the card is charged at an instant to come."""
    assert rule.buy_amount is not None
    top_up = TopUp.objects.create(
        term=rule.term,
        amount=rule.buy_amount,
        currency=contract.currency,
        started_by=rule.set_by,
        created_at=now,
        next_look_at=charge_at,
        rule=rule,
        crossing=crossing,
    )
    AuditEntry.objects.create(
        organization=contract.tenant,
        actor=BY,
        action="top_up.planned",
        subject=f"top-up {top_up.pk}",
        after={"amount": str(top_up.amount), "currency": top_up.currency, "set_by": rule.set_by},
        at=now,
    )


def _tell(rule: BalanceRule, contract: Contract, notice: BalanceNotice, left: Decimal) -> None:
    buys = rule.buy_amount if notice.outcome == Outcome.BUYS else None
    tell_subject(
        (contract.tenant_id,),
        "balance.low",
        subject_id=notice.pk,
        at=notice.at,
        contract_id=str(contract.pk),
        contract=contract.number,
        currency=contract.currency,
        left=money(round_to_minor(left, contract.currency), contract.currency),
        below=money(rule.below_amount, contract.currency),
        outcome=str(notice.outcome),
        buys=money(buys, contract.currency) if buys is not None else None,
        charge_at=instant_text(notice.charge_at),
    )
