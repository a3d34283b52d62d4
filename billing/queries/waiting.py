"""What waits for a provider's people: each line is a count of stored rows, with since when and how much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models import Count, F, Min, Sum, Value

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
from metering.control_models import Alert, AlertKind, AlertState
from tenants.limits.said_once import SaidOnce

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


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose people, and the instant up to which closing had its time."""

    provider_id: UUID
    closed_by: datetime


_SOMEBODY: Final = _Asked(UUID(int=1), datetime(1, 1, 1, tzinfo=UTC))
"""Stands for what is asked in the statement, which is written once."""


def waits_of(provider: Organization, now: datetime, owed: Sequence[Owed] | None = None) -> tuple[Wait, ...]:
    """Return what waits for a provider, in the order of `WaitKind`; kinds of which nothing waits are left out.

    `owed` is what tenants owe now, where it was read already (`owed_to`).
    """
    found = {
        **_stored(_Asked(provider.pk, now - CLOSES_WITHIN)),
        WaitKind.BELOW_COST: _below_cost(provider, now),
        WaitKind.OVERDUE: _overdue(owed_to(provider, now) if owed is None else owed),
    }
    return tuple(found[kind] for kind in WaitKind if kind in found and found[kind].count)


def _stored(asked: _Asked) -> dict[WaitKind, Wait]:
    """What one statement counts; one line of several currencies: how many in all, since the oldest, a sum of each."""
    rows = sorted(_statement().rows(asked), key=lambda row: row[:2])
    found: dict[WaitKind, Wait] = {}
    for name, currency, count, total, since in rows:
        if not count:
            continue
        kind = WaitKind(name)
        before = found.get(kind, Wait(kind, 0, since))
        amounts = (*before.amounts, (currency, total)) if currency and total else before.amounts
        found[kind] = Wait(kind, before.count + count, min(before.since or since, since), amounts)
    return found


@cache
def _statement() -> SaidOnce:
    """The statement that counts ten kinds."""
    provider = _SOMEBODY.provider_id
    first, *others = (
        _counted(WaitKind.UNPRICED, _unpriced(provider), "first_seen_at"),
        _counted(WaitKind.COLLECTION_FAILED, _failed_collections(provider), "updated_at"),
        _counted(WaitKind.PERIODS, _unclosed(provider, _SOMEBODY.closed_by), "to_at"),
        _counted(WaitKind.DISPUTES, Dispute.objects.filter(issuer=provider, state=DisputeState.OPEN), "opened_at"),
        _counted(WaitKind.OFFERS, _offers(provider), "offered_at"),
        _counted(WaitKind.BANK, _bank(provider), "created_at", F("currency"), Sum("amount")),
        _counted(WaitKind.REFUNDS, _refunds(provider), "requested_at", F("account__currency"), Sum("amount")),
        _counted(WaitKind.ALERTS, _alerts(provider), "found_at"),
        _counted(WaitKind.SUBSTITUTIONS, _substitutions(provider), "proposed_at"),
        _counted(WaitKind.DOCUMENTS, _failed_documents(provider), "updated_at"),
    )
    return SaidOnce(_SOMEBODY, first.union(*others, all=True))


def _counted(
    kind: WaitKind, rows: QuerySet[Any], since: str, currency: Any = None, amount: Any = None
) -> QuerySet[Any, Any]:
    """A kind's rows as how many there are, what they come to and since when, by currency where they have one."""
    by_currency = rows.order_by().values(waits=Value(kind.value), waits_in=currency or Value(""))
    told: QuerySet[Any, Any] = by_currency.annotate(
        waits_count=Count("pk"), waits_amount=amount or Value(Decimal(0)), waits_since=Min(since)
    )
    return told


def _unpriced(provider: UUID) -> QuerySet[UnpricedUsage]:
    return UnpricedUsage.objects.filter(period__contract__provider=provider, resolved_at__isnull=True)


def _below_cost(provider: Organization, now: datetime) -> Wait:
    found = inversions_of(provider, now)
    losses = {
        code: exact_sum(one.run.loss for one in found if one.currency == code)
        for code in sorted({one.currency for one in found})
    }
    since = min((one.run.since for one in found), default=None)
    began_at = datetime(since.year, since.month, since.day, tzinfo=UTC) if since else None
    return Wait(WaitKind.BELOW_COST, len(found), began_at, tuple(losses.items()))


def _failed_collections(provider: UUID) -> QuerySet[Settlement]:
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


def _unclosed(provider: UUID, closed_by: datetime) -> QuerySet[BillingPeriod]:
    return BillingPeriod.objects.filter(contract__provider=provider, state=PeriodState.OPEN, to_at__lte=closed_by)


def _offers(provider: UUID) -> QuerySet[Amendment]:
    """Offers of tenants, which the provider has to accept or decline."""
    offered = Amendment.objects.filter(contract__provider=provider, state=AmendmentState.OFFERED)
    return offered.exclude(acceptances__organization=provider)


def _bank(provider: UUID) -> QuerySet[BankLine]:
    return BankLine.objects.filter(
        account__provider=provider, state__in=(BankLineState.SUGGESTED, BankLineState.UNMATCHED)
    )


def _refunds(provider: UUID) -> QuerySet[Refund]:
    return Refund.objects.filter(account__issuer=provider, method=RefundMethod.BANK_TRANSFER, state=RefundState.PENDING)


def _alerts(provider: UUID) -> QuerySet[Alert]:
    """Alerts nobody answered; usage without a price and what sells below cost are lines of their own."""
    waits = Alert.objects.filter(provider=provider, state=AlertState.OPEN)
    return waits.exclude(kind__in=(AlertKind.UNPRICED, AlertKind.INVERSION)).exclude(seen__organization=provider)


def _substitutions(provider: UUID) -> QuerySet[Substitution]:
    return Substitution.objects.filter(provider=provider, state=SubstitutionState.PROPOSED)


def _failed_documents(provider: UUID) -> QuerySet[DocumentStep]:
    return DocumentStep.objects.filter(issuer=provider, state=DocumentState.FAILED)
