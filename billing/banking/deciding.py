"""Saying what a movement was: by its own words where they are sure, by hand otherwise; and taking that back."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Sum

from billing.banking.candidates import proposals_for
from billing.banking.importing import booked_at
from billing.ledger import Entry, post
from billing.models import (
    AccountKind,
    BalanceKind,
    BankLine,
    BankLineState,
    BankMatch,
    BankMatchKind,
    BankUnmatch,
    Contract,
    Invoice,
)
from billing.money import minor_digits, round_to_minor
from billing.payment_reversals import reverse_payment
from billing.payments import PaymentMethod, record_payment
from billing.tenant_balances import locked_balance, move_balance
from tenants.ids import new_id
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from billing.banking.matching import Part
    from tenants.models import Organization

logger = logging.getLogger(__name__)

NOTE_CHARACTERS_MAX: Final = 200
PARTS_MAX: Final = 100
BY_HAND: Final = "by_hand"
SWEEP: Final = "bank matching"


class WrongMatch(Problem):
    """What was asked for cannot be what the movement was."""

    status = 422
    code = "wrong_bank_match"
    title = "The movement cannot be that"


class BankLineUnknown(Problem):
    """The provider has no such movement."""

    status = 404
    code = "bank_line_unknown"
    title = "There is no such movement"


class AlreadyUnmatched(Problem):
    """The match was taken back before."""

    status = 409
    code = "already_unmatched"
    title = "The match was taken back before"


@transaction.atomic
def match_line(*, line_id: UUID, now: datetime) -> BankLineState:
    """Look at a movement that came in; match it where its words name for sure what it paid. Return its state after.

    What comes above all that is named goes to the tenant's balance.

    The invoices that it could pay are locked after the movement, in the order of their keys, and weighed as they are
    then. What is matched already, or by now, is left as it is.
    """
    line = BankLine.objects.select_for_update(of=("self",)).select_related("account__provider").get(pk=line_id)
    left = left_of_line(line)
    if line.amount <= 0 or not left:
        return BankLineState(line.state)
    best = next(iter(proposals_for(line, left, lock=True)), None)
    if best is not None and best.is_sure and left == line.amount:
        _pay(line, best.parts, rule=best.rule, by=SWEEP, now=now)
        if best.surplus:
            _keep(line, best.tenant_id, best.surplus, rule=best.rule, by=SWEEP, now=now)
    return _settle_state(line, now, suggested=best is not None)


def match_new(*, now: datetime, limit: int, import_id: UUID | None = None) -> int:
    """Look at movements that nobody has looked at, those of one file or all, the oldest first; return how many.

    Each is a transaction of its own: one that fails is logged, and looked at again the next time.
    """
    waiting = BankLine.objects.filter(state=BankLineState.NEW)
    if import_id is not None:
        waiting = waiting.filter(imported=import_id)
    ids = list(waiting.order_by("created_at", "pk").values_list("pk", flat=True)[:limit])
    for line_id in ids:
        try:
            match_line(line_id=line_id, now=now)
        except Exception:
            logger.exception("matching bank movement %s", line_id)
    return len(ids)


@transaction.atomic
def match_by_hand(
    *, provider: Organization, line_id: UUID, parts: Sequence[Part], by: str, now: datetime, note: str = ""
) -> BankLine:
    """Pay invoices of the provider with parts of a movement, as a person says; what is left of it stays unmatched.

    Raises `BankLineUnknown`, `WrongMatch` for parts that are none of it, and what `record_payment` raises for an
    invoice that does not take its part.
    """
    line = _locked_line(provider, line_id)
    if not 0 < len(parts) <= PARTS_MAX or len({part.invoice_id for part in parts}) != len(parts):
        raise WrongMatch(
            sentence("parts: expected 1 to %(most)s, each of another invoice.", most=PARTS_MAX), field="parts"
        )
    _require_note(note)
    for part in parts:
        _require_amount(line, part.amount)
    left = left_of_line(line)
    whole = sum((part.amount for part in parts), Decimal(0))
    if whole > left:
        raise _too_much(line, whole, left)
    ids = [part.invoice_id for part in parts]
    found = set(Invoice.objects.filter(pk__in=ids, issuer=provider).values_list("pk", flat=True))
    if found != set(ids):
        raise WrongMatch(sentence("parts: an invoice is none that you issued."), field="parts")
    _pay(line, parts, rule=BY_HAND, by=by, now=now, note=note)
    _settle_state(line, now)
    return line


@transaction.atomic
def keep_for_tenant(
    *,
    provider: Organization,
    line_id: UUID,
    tenant_id: UUID,
    by: str,
    now: datetime,
    amount: Decimal | None = None,
    note: str = "",
) -> BankMatch:
    """Put what is left of a movement, or an amount of it, to a tenant's balance with the provider: it pays what comes.

    Raises `BankLineUnknown`, and `WrongMatch` for an organization that never had a contract with the provider.
    """
    line = _locked_line(provider, line_id)
    _require_note(note)
    if not Contract.objects.filter(provider=provider, tenant_id=tenant_id).exists():
        raise WrongMatch(sentence("tenant: no contract of yours is with this organization."), field="tenant")
    taken = _taken(line, amount)
    match = _keep(line, tenant_id, taken, rule=BY_HAND, by=by, now=now, note=note)
    _settle_state(line, now)
    return match


@transaction.atomic
def set_aside(
    *, provider: Organization, line_id: UUID, note: str, by: str, now: datetime, amount: Decimal | None = None
) -> BankMatch:
    """Say that a movement, or an amount of it, is no money of a tenant, and what it is; it leaves these books.

    Raises `BankLineUnknown` and `WrongMatch`.
    """
    line = _locked_line(provider, line_id)
    if not note.strip():
        raise WrongMatch(sentence("note: say what the money is."), field="note")
    _require_note(note)
    taken = _taken(line, amount)
    match = BankMatch.objects.create(
        line=line, kind=BankMatchKind.ASIDE, amount=taken, rule=BY_HAND, note=note.strip(), by=by, at=now
    )
    post(
        key=f"bank_match:{match.pk}",
        cause="bank_match",
        cause_id=match.pk,
        memo=f"No money of a tenant: {match.note}"[:200],
        at=now,
        entries=_aside(line, taken),
    )
    _note(line, "bank_line.set_aside", by, now, {"amount": _shown(taken, line), "note": match.note})
    _settle_state(line, now)
    return match


@transaction.atomic
def unmatch(*, provider: Organization, match_id: UUID, reason: str, by: str, now: datetime) -> BankUnmatch:
    """Take a match back by the opposite of what it booked; the money is unmatched again, an invoice owed again.

    Raises `BankLineUnknown` where the provider has no such match, `AlreadyUnmatched`, `WrongMatch` without a reason,
    and `BalanceTooLow` for money of a tenant's balance that has paid something since.
    """
    found = BankMatch.objects.filter(pk=match_id, line__account__provider=provider).values_list("line_id").first()
    if found is None:
        raise BankLineUnknown(sentence("No match of yours has this id."))
    line = _locked_line(provider, found[0])
    match = BankMatch.objects.get(pk=match_id)
    if BankUnmatch.objects.filter(pk=match_id).exists():
        raise AlreadyUnmatched(sentence("The match was taken back before; what the movement is now stands beside it."))
    if not reason.strip():
        raise WrongMatch(sentence("reason: say why the match was wrong."), field="reason")
    _require_note(reason)
    reversal = None
    if match.payment_id is not None:
        reversal = reverse_payment(
            payment_id=match.payment_id, reference=f"bank_match:{match.pk}:undone", reason=reason, by=by, now=now
        )
    elif match.tenant_id is not None:
        _take_from_balance(line, match, now)
    else:
        post(
            key=f"bank_match:{match.pk}:undone",
            cause="bank_match",
            cause_id=match.pk,
            memo=f"Taken back: {reason}"[:200],
            at=now,
            entries=_aside(line, -match.amount),
        )
    undone = BankUnmatch.objects.create(match=match, reversal=reversal, reason=reason.strip(), by=by, at=now)
    _note(line, "bank_line.unmatched", by, now, {"amount": _shown(match.amount, line), "reason": undone.reason})
    _settle_state(line, now)
    return undone


def left_of_line(line: BankLine) -> Decimal:
    """Return what of a movement that came in no match has."""
    matched = BankMatch.objects.filter(line=line, unmatch__isnull=True).aggregate(sum=Sum("amount"))["sum"]
    return max(line.amount, Decimal(0)) - (matched or Decimal(0))


def _pay(line: BankLine, parts: Sequence[Part], *, rule: str, by: str, now: datetime, note: str = "") -> None:
    """Record the payments of a locked movement; invoices are locked in the order of their keys."""
    for part in sorted(parts, key=lambda one: one.invoice_id):
        match_id = new_id()
        payment = record_payment(
            invoice_id=part.invoice_id,
            method=PaymentMethod.BANK_TRANSFER,
            reference=f"bank_match:{match_id}",
            amount=part.amount,
            currency=line.currency,
            received_at=booked_at(line, now),
            now=now,
            paid_from=AccountKind.BANK_UNMATCHED,
        )
        BankMatch.objects.create(
            pk=match_id,
            line=line,
            kind=BankMatchKind.INVOICE,
            amount=part.amount,
            invoice_id=part.invoice_id,
            payment=payment,
            tenant_id=payment.invoice.tenant_id,
            rule=rule,
            note=note.strip(),
            by=by,
            at=now,
        )
        _note(
            line,
            "bank_line.matched",
            by,
            now,
            {"amount": _shown(part.amount, line), "invoice": payment.invoice.number, "rule": str(rule)},
        )


def _keep(
    line: BankLine, tenant_id: UUID, amount: Decimal, *, rule: str, by: str, now: datetime, note: str = ""
) -> BankMatch:
    """Put an amount of a locked movement to a tenant's balance; invoices that it pays are locked before."""
    match_id = new_id()
    account = locked_balance(tenant_id=tenant_id, issuer_id=line.account.provider_id, currency=line.currency)
    move_balance(
        account=account,
        kind=BalanceKind.OVERPAID,
        amount=amount,
        key=f"bank_match:{match_id}",
        cause_id=match_id,
        memo="Received by bank, more than was owed",
        at=now,
        against=(Entry(line.account.provider_id, AccountKind.BANK_UNMATCHED, line.currency, amount),),
    )
    match = BankMatch.objects.create(
        pk=match_id,
        line=line,
        kind=BankMatchKind.BALANCE,
        amount=amount,
        tenant_id=tenant_id,
        rule=rule,
        note=note.strip(),
        by=by,
        at=now,
    )
    _note(line, "bank_line.kept", by, now, {"amount": _shown(amount, line), "tenant": str(tenant_id)})
    return match


def _take_from_balance(line: BankLine, match: BankMatch, now: datetime) -> None:
    assert match.tenant_id is not None
    owner = line.account.provider_id
    account = locked_balance(tenant_id=match.tenant_id, issuer_id=owner, currency=line.currency)
    move_balance(
        account=account,
        kind=BalanceKind.OVERPAID_BACK,
        amount=-match.amount,
        key=f"bank_match:{match.pk}:undone",
        cause_id=match.pk,
        memo="Received by bank, and not of this tenant",
        at=now,
        against=(Entry(owner, AccountKind.BANK_UNMATCHED, line.currency, -match.amount),),
    )


def _aside(line: BankLine, amount: Decimal) -> tuple[Entry, Entry]:
    owner = line.account.provider_id
    return (
        Entry(owner, AccountKind.BANK_UNMATCHED, line.currency, amount),
        Entry(owner, AccountKind.BANK_CLEARING, line.currency, -amount),
    )


def _locked_line(provider: Organization, line_id: UUID) -> BankLine:
    rows = BankLine.objects.select_for_update(of=("self",)).select_related("account")
    line = rows.filter(pk=line_id, account__provider=provider).first()
    if line is None:
        raise BankLineUnknown(sentence("No movement of yours has this id."))
    return line


def _settle_state(line: BankLine, now: datetime, *, suggested: bool | None = None) -> BankLineState:
    """Store where a locked movement stands; what is left of one is suggested where something is known of it."""
    left = left_of_line(line)
    if not left:
        state = BankLineState.MATCHED
    else:
        known = bool(proposals_for(line, left)) if suggested is None else suggested
        state = BankLineState.SUGGESTED if known else BankLineState.UNMATCHED
    BankLine.objects.filter(pk=line.pk).update(state=state, looked_at=now)
    line.state, line.looked_at = state, now
    return state


def _taken(line: BankLine, amount: Decimal | None) -> Decimal:
    """What is left of a locked movement, or the amount of it that was asked for."""
    left = left_of_line(line)
    taken = left if amount is None else amount
    _require_amount(line, taken)
    if taken > left:
        raise _too_much(line, taken, left)
    return taken


def _require_amount(line: BankLine, amount: Decimal) -> None:
    if line.amount <= 0:
        raise WrongMatch(sentence("The movement went out: it pays nothing here."))
    if not amount.is_finite() or amount <= 0 or amount != round(amount, minor_digits(line.currency)):
        found = {"amount": amount, "currency": line.currency}
        raise WrongMatch(
            sentence("amount: %(amount)s is no positive amount in whole minor units of %(currency)s.", **found)
        )


def _require_note(note: str) -> None:
    if len(note.strip()) > NOTE_CHARACTERS_MAX:
        raise WrongMatch(sentence("At most %(most)s characters of words are kept.", most=NOTE_CHARACTERS_MAX))


def _too_much(line: BankLine, asked: Decimal, left: Decimal) -> WrongMatch:
    found = {"left": _shown(left, line), "currency": line.currency, "asked": _shown(asked, line)}
    said = sentence("%(left)s %(currency)s of the movement are left; %(asked)s are more.", **found)
    return WrongMatch(said, left=_shown(left, line))


def _shown(amount: Decimal, line: BankLine) -> str:
    return f"{round_to_minor(amount, line.currency):f}"


def _note(line: BankLine, action: str, by: str, now: datetime, after: dict[str, object]) -> None:
    AuditEntry.objects.create(
        organization_id=line.account.provider_id,
        actor=by,
        action=action,
        subject=f"{line.reference[:100]} {line.booked_on}",
        after=after,
        at=now,
    )
