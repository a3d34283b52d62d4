"""Setting and ending a tenant's rule about credit that runs low."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from billing.models import BalanceRule, Contract, Term, TopUp, TopUpState
from billing.money import minor_digits
from billing.rating.rated import TermKind
from billing.stripe_amounts import AmountNotRepresentable, minor_units
from billing.topups.buying import AMOUNT_MAX, WrongTopUp, check_amount
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from billing.refilling.rules import Figures

REPLACED = "another rule was set"


class WrongBalanceRule(Problem):
    """The figures make no rule, or the contract holds no prepaid credit."""

    status = 422
    code = "wrong_balance_rule"
    title = "This rule about low credit cannot be set"


class NoBalanceRule(Problem):
    """There is no rule to end."""

    status = 404
    code = "no_balance_rule"
    title = "There is no rule about low credit"


@transaction.atomic
def set_rule(*, contract: Contract, figures: Figures, term_ref: str = "", by: str, now: datetime) -> BalanceRule:
    """Set what is told, and bought, as a contract's credit falls below an amount; a rule that ran is replaced.

    The same figures again change nothing. What a replaced rule bought counts for the month's most of the new one.
    Raises `WrongBalanceRule`.
    """
    held = Contract.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant").get(pk=contract.pk)
    terms = Term.objects.filter(contract=held, kind=TermKind.CREDIT).order_by("ref")
    term = (terms.filter(ref=term_ref) if term_ref else terms).first()
    if term is None:
        raise WrongBalanceRule(
            sentence("%(number)s has no such term of prepaid credit.", number=held.number), field="term"
        )
    check_figures(figures, held.currency)
    running = running_rule(held)
    if running is not None and (running.term_id, *_figures(running)) == (
        term.pk,
        figures.below_amount,
        figures.buy_amount,
        figures.month_max_amount,
    ):
        return running
    if running is not None:
        end(running, by=by, reason=REPLACED, now=now)
    made = BalanceRule.objects.create(
        contract=held,
        term=term,
        below_amount=figures.below_amount,
        buy_amount=figures.buy_amount,
        month_max_amount=figures.month_max_amount,
        set_by=by,
        set_at=now,
        next_look_at=now,
    )
    _audit(held, by, running, made, now)
    return made


@transaction.atomic
def end_rule(*, contract: Contract, by: str, reason: str = "", now: datetime) -> BalanceRule:
    """End a contract's rule: what it is about to buy is not bought, unless its charge was begun already.

    Raises `NoBalanceRule`.
    """
    held = Contract.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant").get(pk=contract.pk)
    running = running_rule(held)
    if running is None:
        raise NoBalanceRule(sentence("%(number)s has no rule about low credit.", number=held.number))
    end(running, by=by, reason=reason, now=now)
    _audit(held, by, running, None, now)
    return running


def running_rule(contract: Contract) -> BalanceRule | None:
    """Return the rule that stands for a contract."""
    return BalanceRule.objects.filter(contract=contract, ended_at=None).select_related("term").first()


def end(rule: BalanceRule, *, by: str, reason: str, now: datetime) -> None:
    """End a rule; must run in a transaction that has locked its contract."""
    BalanceRule.objects.filter(pk=rule.pk, ended_at=None).update(ended_at=now, ended_by=by, end_reason=reason)
    unbegun = TopUp.objects.filter(rule=rule, state=TopUpState.OPEN, begun_at=None)
    unbegun.update(state=TopUpState.STOPPED, finished_at=now)


def check_figures(figures: Figures, currency: str) -> None:
    """Check a rule's figures in a currency. Raises `WrongBalanceRule`, which names the field."""
    _check_amount("below", figures.below_amount, currency)
    if figures.buy_amount is None and figures.month_max_amount is None:
        return
    if figures.buy_amount is None or figures.month_max_amount is None:
        missing = "buy" if figures.buy_amount is None else "month_max"
        raise WrongBalanceRule(
            sentence("%(missing)s: give both what to buy and the most a month, or neither.", missing=missing),
            field=missing,
        )
    try:
        check_amount(figures.buy_amount, currency)
    except WrongTopUp as wrong:
        raise WrongBalanceRule(sentence("buy: %(detail)s", detail=wrong.args[0]), field="buy") from wrong
    _check_amount("month_max", figures.month_max_amount, currency)
    if figures.month_max_amount < figures.buy_amount:
        raise WrongBalanceRule(sentence("month_max: expected at least what is bought at once."), field="month_max")


def _check_amount(field: str, amount: Decimal, currency: str) -> None:
    if not amount.is_finite() or not 0 < amount <= AMOUNT_MAX:
        raise WrongBalanceRule(
            sentence("%(field)s: expected more than 0 and at most %(most)s.", field=field, most=AMOUNT_MAX), field=field
        )
    try:
        minor_units(amount, currency)
    except (AmountNotRepresentable, ValueError) as wrong:
        digits = minor_digits(currency)
        raise WrongBalanceRule(
            sentence("%(field)s: expected at most %(digits)s decimals.", field=field, digits=digits), field=field
        ) from wrong


def _figures(rule: BalanceRule) -> tuple[Decimal, Decimal | None, Decimal | None]:
    return rule.below_amount, rule.buy_amount, rule.month_max_amount


def _audit(contract: Contract, by: str, before: BalanceRule | None, after: BalanceRule | None, now: datetime) -> None:
    AuditEntry.objects.create(
        organization=contract.tenant,
        actor=by,
        action="balance_rule.set" if after else "balance_rule.ended",
        subject=f"contract {contract.number}",
        before=_kept(before),
        after=_kept(after),
        at=now,
    )


def _kept(rule: BalanceRule | None) -> dict[str, str] | None:
    if rule is None:
        return None
    names = ("below_amount", "buy_amount", "month_max_amount")
    given = {name: value for name, value in zip(names, _figures(rule), strict=True) if value is not None}
    return {**{name: str(value) for name, value in given.items()}, "term": rule.term.ref}


def amounts_by_rules(contract_id: UUID, from_at: datetime, to_at: datetime) -> list[Decimal]:
    """Return what rules of a contract bought, or are buying, in an interval."""
    bought = TopUp.objects.filter(rule__contract=contract_id, created_at__gte=from_at, created_at__lt=to_at).exclude(
        state__in=(TopUpState.FAILED, TopUpState.STOPPED, TopUpState.EXPIRED)
    )
    return list(bought.values_list("amount", flat=True))
