"""What can be paid out to a provider: what it is owed, less what tenants have not paid and what is held back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db.models import Sum

from billing.dues import with_dues
from billing.models import (
    AccountKind,
    Invoice,
    InvoiceState,
    LedgerEntry,
    Payment,
    PaymentReversal,
    PayoutMethod,
    PayoutTerms,
    ProviderStatement,
)
from billing.money import from_minor, round_to_minor
from billing.statements.gathering import CAUSE_INVOICE, FEE, entries_by_account
from billing.stripe_amounts import smallest_amount
from tenants.limits.said_once import SaidOnce
from tenants.sentences import Sentence, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

OPEN = (InvoiceState.ISSUED, InvoiceState.UNCOLLECTIBLE)
NOTHING = Decimal(0)
# Of a part payment the operator's fee is taken first: no more than the total less the fee is the provider's.
UNCOLLECTED: Final = """
    WITH unpaid AS MATERIALIZED ({rows}), fees AS (
        SELECT posting.cause_id, -sum(entry.amount) AS fee
        FROM billing_ledgerentry entry JOIN billing_ledgeraccount account ON account.id = entry.account_id
        JOIN billing_ledgerposting posting ON posting.id = entry.posting_id
        WHERE posting.cause = %s AND posting.cause_id IN (SELECT id FROM unpaid) AND account.kind = %s
        GROUP BY posting.cause_id
    )
    SELECT sum(least(greatest(unpaid.left_amount, 0), unpaid.total - coalesce(fees.fee, 0)))
    FROM unpaid LEFT JOIN fees ON fees.cause_id = unpaid.id
"""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose invoices, in which currency."""

    provider_id: UUID
    currency: str


_UNPAID: Final[Sequence[str]] = ("id", "total", "left_amount")
"""What `UNCOLLECTED` takes of an invoice; the last is an annotation, which the type does not know."""
_SOMEBODY: Final = _Asked(UUID(int=1), "some-currency")
"""Stands for what is asked in the statement, which is written once."""


@dataclass(frozen=True, slots=True)
class Available:
    """How what can be paid out comes about, in one currency.

    `owed` is the provider's balance, below zero where it owes; `uncollected` is what of it tenants have not paid yet;
    `recent` are card payments of the last days, which may be taken back; `reserve` always stays; `held` is the money
    that the operator holds for the provider, and no more than that goes out.
    """

    currency: str
    owed: Decimal
    uncollected: Decimal
    recent: Decimal
    reserve: Decimal
    held: Decimal

    @property
    def amount(self) -> Decimal:
        """What can be paid out now; never below zero."""
        free = min(self.owed - self.uncollected, self.held) - self.recent - self.reserve
        return round_to_minor(max(free, NOTHING), self.currency)


def available(*, terms: PayoutTerms, currency: str, now: datetime) -> Available:
    """Return what can be paid out to a provider; lock its terms before if the answer is acted upon."""
    provider_id = terms.provider_id
    held = LedgerEntry.objects.filter(
        account__organization_id=provider_id,
        account__kind__in=(AccountKind.STRIPE_CLEARING, AccountKind.PAYOUT_IN_TRANSIT),
        currency=currency,
    )
    return Available(
        currency=currency,
        owed=owed_to(provider_id, currency),
        uncollected=_uncollected(provider_id, currency),
        recent=_recent(provider_id, currency, now - timedelta(days=terms.hold_days)),
        reserve=terms.reserve_amount,
        held=held.aggregate(sum=Sum("amount"))["sum"] or NOTHING,
    )


def too_little(found: Available, terms: PayoutTerms) -> Sentence:
    """Say how what is available comes about, so that nobody looks for money that is only held back."""
    by_transfer = terms.method == PayoutMethod.STRIPE
    smallest = smallest_amount(found.currency) if by_transfer else from_minor(1, found.currency)
    least = max(round_to_minor(terms.minimum_amount, found.currency), round_to_minor(smallest, found.currency))
    return sentence(
        "%(amount)s %(currency)s is available, and the least is %(least)s. Owed: %(owed)s, of which not collected yet: "
        "%(uncollected)s; held by the operator: %(held)s; card payments, held back for %(days)s days: %(recent)s; "
        "reserve: %(reserve)s.",
        amount=found.amount,
        currency=found.currency,
        least=least,
        days=terms.hold_days,
        **{
            name: round_to_minor(getattr(found, name), found.currency)
            for name in ("owed", "uncollected", "held", "recent", "reserve")
        },
    )


def owed_to(provider_id: UUID, currency: str) -> Decimal:
    """Return the balance of a provider: that of its last statement and all that was booked since."""
    last = ProviderStatement.objects.filter(provider_id=provider_id, currency=currency).order_by("-month").first()
    booked = (found.filter(statement_entry__isnull=True) for found in entries_by_account(provider_id, currency))
    since = sum((found.aggregate(sum=Sum("amount"))["sum"] or NOTHING for found in booked), NOTHING)
    return (last.closing if last else NOTHING) - since


def _uncollected(provider_id: UUID, currency: str) -> Decimal:
    """What unpaid invoices have left of the provider's part: of a part payment the operator's fee is taken first."""
    [(amount,)] = _uncollected_said().rows(_Asked(provider_id, currency), CAUSE_INVOICE, FEE)
    return Decimal(amount or NOTHING)


@cache
def _uncollected_said() -> SaidOnce:
    unpaid = Invoice.objects.filter(issuer_id=_SOMEBODY.provider_id, currency=_SOMEBODY.currency, state__in=OPEN)
    return SaidOnce(_SOMEBODY, with_dues(unpaid).order_by().values(*_UNPAID)).within(UNCOLLECTED)


def _recent(provider_id: UUID, currency: str, since: datetime) -> Decimal:
    """What of late card payments can still be taken back; what was taken back is held by nobody any more."""
    payments = Payment.objects.filter(
        invoice__issuer_id=provider_id, currency=currency, method="stripe", received_at__gt=since
    )
    taken_back = PaymentReversal.objects.filter(payment__in=payments)
    came, went = (found.aggregate(sum=Sum("amount"))["sum"] or NOTHING for found in (payments, taken_back))
    return came - went
