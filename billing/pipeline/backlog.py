"""What waits at each stage from a reading to a payment, over the whole installation: a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, F, Min, Q, Sum

from billing.models import (
    BalanceNotice,
    BankLine,
    BankLineState,
    BillingPeriod,
    CollectionNotice,
    DocumentState,
    DocumentStep,
    DunningMail,
    InvoiceState,
    LeaseNotice,
    OfferNotice,
    Payout,
    PayoutState,
    PeriodState,
    PriceMail,
    Refund,
    RefundMethod,
    RefundState,
    Settlement,
    SpendMail,
    StripeEvent,
    TaxQuestion,
    TaxQuestionState,
)
from billing.settlement import ACTIVE
from metering.completeness import expected_nodes
from metering.event_models import WaitingEvents
from tenants.hook_models import DeliveryState, WebhookDelivery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from django.db.models import QuerySet

CHARGED_WITHIN: Final = timedelta(hours=1, minutes=10)
"""An hour is charged when it is full, at a sweep that comes every few seconds."""


class Stage(StrEnum):
    """Where something can wait, in the order of its way."""

    BATCHES = "batches"
    EVENTS = "events"
    CHARGING = "charging"
    CLOSING = "closing"
    TAXES = "taxes"
    DOCUMENTS = "documents"
    COLLECTING = "collecting"
    STRIPE_EVENTS = "stripe_events"
    BANK = "bank"
    REFUNDS = "refunds"
    TRANSFERS = "transfers"
    LETTERS = "letters"
    WEBHOOKS = "webhooks"


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many wait at a stage now, and since when the one that waits longest could have been worked on."""

    stage: Stage
    count: int
    oldest_at: datetime | None


def backlogs(now: datetime) -> tuple[Backlog, ...]:
    """Return what waits at every stage, also where nothing does."""
    return tuple(_backlogs(now))


def _backlogs(now: datetime) -> Iterator[Backlog]:
    behind = expected_nodes().filter(cursor__last_seq__gt=F("rollup_cursor__rolled_seq"))
    batches = behind.aggregate(
        count=Sum(F("cursor__last_seq") - F("rollup_cursor__rolled_seq")), oldest=Min("rollup_cursor__rolled_to_at")
    )
    yield Backlog(Stage.BATCHES, batches["count"] or 0, batches["oldest"])
    events = WaitingEvents.objects.aggregate(count=Sum("events"), oldest=Min("received_at"))
    yield Backlog(Stage.EVENTS, events["count"] or 0, events["oldest"])
    open_periods = BillingPeriod.objects.filter(state=PeriodState.OPEN)
    uncharged = Q(rated_at__lt=now - CHARGED_WITHIN) & Q(rated_at__lt=F("to_at"))
    yield _waiting(Stage.CHARGING, open_periods.filter(uncharged), "rated_at")
    yield _waiting(Stage.CLOSING, open_periods.filter(to_at__lte=now), "to_at")
    asked = TaxQuestion.objects.filter(state=TaxQuestionState.WAITING, period__state=PeriodState.OPEN)
    yield _waiting(Stage.TAXES, asked, "created_at")
    papers = DocumentStep.objects.filter(state=DocumentState.WAITING, next_try_at__lte=now)
    yield _waiting(Stage.DOCUMENTS, papers, "next_try_at")
    collected = Settlement.objects.filter(state__in=ACTIVE, next_try_at__lte=now)
    yield _waiting(Stage.COLLECTING, collected, "next_try_at")
    yield _waiting(Stage.STRIPE_EVENTS, StripeEvent.objects.filter(processed_at__isnull=True), "received_at")
    yield _waiting(Stage.BANK, BankLine.objects.filter(state=BankLineState.NEW), "created_at")
    refunds = Refund.objects.filter(method=RefundMethod.CARD, state=RefundState.PENDING, next_try_at__lte=now)
    yield _waiting(Stage.REFUNDS, refunds, "next_try_at")
    transfers = Payout.objects.filter(state=PayoutState.IN_TRANSIT, next_try_at__lte=now)
    yield _waiting(Stage.TRANSFERS, transfers, "next_try_at")
    yield _letters(now)
    hooks = WebhookDelivery.objects.filter(state=DeliveryState.WAITING, due_at__lte=now)
    yield _waiting(Stage.WEBHOOKS, hooks, "due_at")


def _letters(now: datetime) -> Backlog:
    """Letters of price changes, of collecting, of dunning, of budgets, of offers, of leases and of credit together."""
    due = Q(sent_at__isnull=True, due_at__lte=now)
    parts = [
        _waiting(Stage.LETTERS, PriceMail.objects.filter(due), "due_at"),
        _waiting(Stage.LETTERS, CollectionNotice.objects.filter(due, invoice__state=InvoiceState.ISSUED), "due_at"),
        _waiting(Stage.LETTERS, DunningMail.objects.filter(due, step__taken_back__isnull=True), "due_at"),
        _waiting(Stage.LETTERS, SpendMail.objects.filter(due), "due_at"),
        _waiting(Stage.LETTERS, OfferNotice.objects.to_tell().filter(due), "due_at"),
        _waiting(Stage.LETTERS, LeaseNotice.objects.to_tell().filter(due), "due_at"),
        _waiting(Stage.LETTERS, BalanceNotice.objects.filter(due), "due_at"),
    ]
    oldest = min((part.oldest_at for part in parts if part.oldest_at is not None), default=None)
    return Backlog(Stage.LETTERS, sum(part.count for part in parts), oldest)


def _waiting(stage: Stage, rows: QuerySet[Any], since: str) -> Backlog:
    found = rows.aggregate(count=Count("pk"), oldest=Min(since))
    return Backlog(stage, found["count"], found["oldest"])
