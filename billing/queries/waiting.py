"""What waits for a provider's people: each line is a count of stored rows, with since when and how much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Min, Q, Sum

from billing.models import (
    Amendment,
    AmendmentState,
    BankLine,
    BankLineState,
    BillingPeriod,
    Dispute,
    DisputeState,
    DocumentState,
    DocumentStep,
    InvoiceState,
    PeriodState,
    Refund,
    RefundMethod,
    RefundState,
    Settlement,
    SettlementState,
    UnpricedUsage,
)
from billing.money import exact_sum
from billing.queries.inversions import inversions_of
from billing.queries.receivables import owed_to
from metering.adjustment_models import Substitution, SubstitutionState
from metering.alerts import alerts_of
from metering.control_models import AlertKind, AlertState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

    from billing.queries.receivables import Owed
    from tenants.models import Organization

CLOSES_WITHIN: Final = timedelta(hours=1)
"""A period that is over for longer waits for somebody: its readings, its approval or its tax."""


class WaitKind(StrEnum):
    """What waits, the costliest to leave first."""

    UNPRICED = "unpriced"
    BELOW_COST = "below_cost"
    COLLECTION_FAILED = "collection_failed"
    OVERDUE = "overdue"
    PERIODS = "periods"
    DISPUTES = "disputes"
    OFFERS = "offers"
    BANK = "bank"
    REFUNDS = "refunds"
    ALERTS = "alerts"
    SUBSTITUTIONS = "substitutions"
    DOCUMENTS = "documents"


SEVERE: Final = (WaitKind.UNPRICED, WaitKind.BELOW_COST, WaitKind.COLLECTION_FAILED, WaitKind.OVERDUE)
MONEY: Final = (
    WaitKind.COLLECTION_FAILED, WaitKind.OVERDUE, WaitKind.PERIODS, WaitKind.DISPUTES, WaitKind.BANK, WaitKind.REFUNDS,
    WaitKind.DOCUMENTS, WaitKind.BELOW_COST,
)  # fmt: skip
"""Kinds that say amounts or lead to pages of money."""


@dataclass(frozen=True, slots=True)
class Wait:
    """One kind of thing that waits: how many, since when the oldest does, and what they come to by currency."""

    kind: WaitKind
    count: int
    since: datetime | None = None
    amounts: tuple[tuple[str, Decimal], ...] = ()

    @property
    def severe(self) -> bool:
        """Whether money is lost or late because of it."""
        return self.kind in SEVERE


def waits_of(provider: Organization, now: datetime, owed: Sequence[Owed] | None = None) -> tuple[Wait, ...]:
    """Return what waits for a provider, in the order of `WaitKind`; kinds of which nothing waits are left out.

    `owed` is what tenants owe now, where it was read already (`owed_to`).
    """
    found = [
        _unpriced(provider),
        _below_cost(provider, now),
        _counted(WaitKind.COLLECTION_FAILED, _failed_collections(provider), "updated_at"),
        _overdue(owed_to(provider, now) if owed is None else owed),
        _counted(WaitKind.PERIODS, _unclosed(provider, now), "to_at"),
        _counted(WaitKind.DISPUTES, Dispute.objects.filter(issuer=provider, state=DisputeState.OPEN), "opened_at"),
        _counted(WaitKind.OFFERS, _offers(provider), "offered_at"),
        _bank(provider),
        _refunds(provider),
        _counted(WaitKind.ALERTS, _alerts(provider), "found_at"),
        _counted(WaitKind.SUBSTITUTIONS, _substitutions(provider), "proposed_at"),
        _counted(WaitKind.DOCUMENTS, _failed_documents(provider), "updated_at"),
    ]
    return tuple(wait for wait in found if wait.count)


def _counted(kind: WaitKind, rows: QuerySet[Any], since: str) -> Wait:
    said = rows.aggregate(count=Count("pk"), since=Min(since))
    return Wait(kind, said["count"], said["since"])


def _summed(kind: WaitKind, rows: QuerySet[Any], *, currency: str, amount: str, since: str) -> Wait:
    """One line of several currencies: how many in all, since the oldest of them, and a sum of each."""
    found = list(
        rows.order_by(currency).values_list(currency).annotate(count=Count("pk"), sum=Sum(amount), at=Min(since))
    )
    return Wait(
        kind,
        sum(count for _code, count, _sum, _at in found),
        min((at for *_rest, at in found), default=None),
        tuple((code, total) for code, _count, total, _at in found if total),
    )


def _unpriced(provider: Organization) -> Wait:
    waiting = UnpricedUsage.objects.filter(period__contract__provider=provider, resolved_at__isnull=True)
    return _counted(WaitKind.UNPRICED, waiting, "first_seen_at")


def _below_cost(provider: Organization, now: datetime) -> Wait:
    found = inversions_of(provider, now)
    losses = {
        code: exact_sum(one.run.loss for one in found if one.currency == code)
        for code in sorted({one.currency for one in found})
    }
    since = min((one.run.since for one in found), default=None)
    began_at = datetime(since.year, since.month, since.day, tzinfo=UTC) if since else None
    return Wait(WaitKind.BELOW_COST, len(found), began_at, tuple(losses.items()))


def _failed_collections(provider: Organization) -> QuerySet[Settlement]:
    return Settlement.objects.filter(
        invoice__issuer=provider, invoice__state=InvoiceState.ISSUED, state=SettlementState.FAILED
    )


def _overdue(owed: Sequence[Owed]) -> Wait:
    return Wait(
        WaitKind.OVERDUE,
        sum(one.overdue_invoices for one in owed),
        min((one.overdue_since for one in owed if one.overdue_since), default=None),
        tuple((one.currency, one.overdue) for one in owed if one.overdue),
    )


def _unclosed(provider: Organization, now: datetime) -> QuerySet[BillingPeriod]:
    return BillingPeriod.objects.filter(
        contract__provider=provider, state=PeriodState.OPEN, to_at__lte=now - CLOSES_WITHIN
    )


def _offers(provider: Organization) -> QuerySet[Amendment]:
    """Offers of tenants, which the provider has to accept or decline."""
    offered = Amendment.objects.filter(contract__provider=provider, state=AmendmentState.OFFERED)
    return offered.exclude(acceptances__organization=provider)


def _bank(provider: Organization) -> Wait:
    waits = BankLine.objects.filter(
        account__provider=provider, state__in=(BankLineState.SUGGESTED, BankLineState.UNMATCHED)
    )
    return _summed(WaitKind.BANK, waits, currency="currency", amount="amount", since="created_at")


def _refunds(provider: Organization) -> Wait:
    waits = Refund.objects.filter(
        account__issuer=provider, method=RefundMethod.BANK_TRANSFER, state=RefundState.PENDING
    )
    return _summed(WaitKind.REFUNDS, waits, currency="account__currency", amount="amount", since="requested_at")


def _alerts(provider: Organization) -> QuerySet[Any]:
    """Alerts nobody answered; usage without a price and what sells below cost are lines of their own."""
    waits = alerts_of(provider).filter(Q(provider=provider), state=AlertState.OPEN)
    return waits.exclude(kind__in=(AlertKind.UNPRICED, AlertKind.INVERSION)).exclude(seen__organization=provider)


def _substitutions(provider: Organization) -> QuerySet[Substitution]:
    return Substitution.objects.filter(provider=provider, state=SubstitutionState.PROPOSED)


def _failed_documents(provider: Organization) -> QuerySet[DocumentStep]:
    return DocumentStep.objects.filter(issuer=provider, state=DocumentState.FAILED)
