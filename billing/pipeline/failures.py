"""Steps that stopped and wait for a person: what they were about, why they stopped, and having them tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from billing.documents.beginning import retry_documents
from billing.models import (
    BalanceNotice,
    CollectionNotice,
    DocumentState,
    DocumentStep,
    DunningMail,
    Invoice,
    InvoiceState,
    LeaseNotice,
    OfferNotice,
    PriceMail,
    Settlement,
    SettlementState,
    SpendMail,
)
from billing.settlement import retry_settlement
from tenants.hook_models import DeliveryState, WebhookDelivery
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from tenants.models import Organization

LETTER_TRIES_MAX: Final = 10
"""A letter that so many tries could not send is not tried any more."""
LOOKED_BACK: Final = timedelta(days=30)
"""What programs outside could not be told for longer is history: its receiver replays it, or does without."""
ROWS_MAX: Final = 200


class StepKind(StrEnum):
    """What stopped."""

    COLLECTION = "collection"
    DOCUMENT = "document"
    PRICE_LETTER = "price_letter"
    COLLECTION_LETTER = "collection_letter"
    DUNNING_LETTER = "dunning_letter"
    BUDGET_LETTER = "budget_letter"
    OFFER_LETTER = "offer_letter"
    LEASE_LETTER = "lease_letter"
    CREDIT_LETTER = "credit_letter"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class FailedStep:
    """One step: `about` is what people call its subject, `organization` whose it is, `at` when it was last tried."""

    kind: StepKind
    id: UUID
    about: str
    organization: str
    error: str
    attempts: int
    at: datetime


class NotFailed(Problem):
    """The step goes on by itself, was done meanwhile, or is not there."""

    status = 409
    code = "step_not_failed"
    title = "There is nothing to try again"


def failed_steps(now: datetime, *, limit: int = ROWS_MAX) -> list[FailedStep]:
    """Return what stopped, the latest first, at most so many; ten queries, and one for the numbers of invoices."""
    found = [
        *_collections(limit),
        *_documents(limit),
        *_letters(StepKind.PRICE_LETTER, limit),
        *_letters(StepKind.COLLECTION_LETTER, limit),
        *_letters(StepKind.DUNNING_LETTER, limit),
        *_letters(StepKind.BUDGET_LETTER, limit),
        *_letters(StepKind.OFFER_LETTER, limit),
        *_letters(StepKind.LEASE_LETTER, limit),
        *_letters(StepKind.CREDIT_LETTER, limit),
        *_webhooks(now, limit),
    ]
    return sorted(found, key=lambda step: (step.at, step.id), reverse=True)[:limit]


@transaction.atomic
def retry_step(*, kind: StepKind, step_id: UUID, operator: Organization, actor: str, now: datetime) -> None:
    """Have a stopped step tried again now, as if it never had been. Raises `NotFailed`.

    What belongs to one organization is noted in its audit log, a letter in the operator's.
    """
    if kind is StepKind.COLLECTION:
        if not _failed_collections().filter(pk=step_id).exists():
            raise NotFailed(sentence("The collection goes on, or is done."))
        retry_settlement(invoice_id=step_id, actor=actor, now=now)
        return
    if kind is StepKind.DOCUMENT:
        if not DocumentStep.objects.filter(pk=step_id, state=DocumentState.FAILED).exists():
            raise NotFailed(sentence("The document is made, or is being made."))
        retry_documents(subject_id=step_id, actor=actor, now=now)
        return
    if kind is StepKind.WEBHOOK:
        given_up = WebhookDelivery.objects.filter(pk=step_id, state=DeliveryState.GIVEN_UP)
        changed = given_up.filter(endpoint__disabled_at__isnull=True, endpoint__removed_at__isnull=True).update(
            state=DeliveryState.WAITING, attempts=0, due_at=now
        )
    else:
        changed = _stopped_letters(kind).filter(pk=step_id).update(attempts=0, due_at=now)
    if not changed:
        raise NotFailed(sentence("It was sent, is tried by itself, or its receiver is turned off."))
    AuditEntry.objects.create(
        organization=operator, actor=actor, action="step.retried", subject=f"{kind} {step_id}", before=None,
        after={"due_at": now.isoformat()}, at=now,
    )  # fmt: skip


def _failed_collections() -> QuerySet[Settlement]:
    return Settlement.objects.filter(state=SettlementState.FAILED, invoice__state=InvoiceState.ISSUED)


def _collections(limit: int) -> list[FailedStep]:
    rows = _failed_collections().select_related("invoice__issuer").order_by("-updated_at")
    return [
        FailedStep(
            StepKind.COLLECTION, row.pk, row.invoice.number or "", row.invoice.issuer.name, row.last_error,
            row.attempts, row.updated_at,
        )
        for row in rows[:limit]
    ]  # fmt: skip


def _documents(limit: int) -> list[FailedStep]:
    rows = list(
        DocumentStep.objects.filter(state=DocumentState.FAILED).select_related("issuer").order_by("-updated_at")[:limit]
    )
    numbers = dict(Invoice.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", "number"))
    return [
        FailedStep(
            StepKind.DOCUMENT, row.pk, numbers.get(row.pk) or row.subject, row.issuer.name, row.last_error,
            row.attempts, row.updated_at,
        )
        for row in rows
    ]  # fmt: skip


def _stopped_letters(kind: StepKind) -> QuerySet[Any]:
    tables: dict[StepKind, QuerySet[Any]] = {
        StepKind.PRICE_LETTER: PriceMail.objects.all(),
        StepKind.COLLECTION_LETTER: CollectionNotice.objects.filter(invoice__state=InvoiceState.ISSUED),
        StepKind.DUNNING_LETTER: DunningMail.objects.filter(step__taken_back__isnull=True),
        StepKind.BUDGET_LETTER: SpendMail.objects.all(),
        StepKind.OFFER_LETTER: OfferNotice.objects.to_tell(),
        StepKind.LEASE_LETTER: LeaseNotice.objects.to_tell(),
        StepKind.CREDIT_LETTER: BalanceNotice.objects.all(),
    }
    return tables[kind].filter(sent_at__isnull=True, attempts__gte=LETTER_TRIES_MAX)


def _letters(kind: StepKind, limit: int) -> list[FailedStep]:
    """To whom each was to go, and about what."""
    about: Sequence[str] = {
        StepKind.PRICE_LETTER: ("version__number", "tenant__name"),
        StepKind.COLLECTION_LETTER: ("invoice__number", "invoice__tenant__name"),
        StepKind.DUNNING_LETTER: ("step__invoice__number", "step__invoice__tenant__name"),
        StepKind.BUDGET_LETTER: ("alert__kind", "alert__organization__name"),
        StepKind.OFFER_LETTER: ("amendment__contract__number", "organization__name"),
        StepKind.LEASE_LETTER: ("term__ref", "organization__name"),
        StepKind.CREDIT_LETTER: ("rule__contract__number", "rule__contract__tenant__name"),
    }[kind]
    rows = _stopped_letters(kind).order_by("-due_at")
    prefix = "v" if kind is StepKind.PRICE_LETTER else ""
    return [
        FailedStep(kind, key, f"{prefix}{number}", tenant, error, attempts, at)
        for key, number, tenant, error, attempts, at in rows.values_list(
            "pk", *about, "last_error", "attempts", "due_at"
        )[:limit]
    ]


def _webhooks(now: datetime, limit: int) -> list[FailedStep]:
    rows = (
        WebhookDelivery.objects.filter(
            state=DeliveryState.GIVEN_UP,
            event__at__gte=now - LOOKED_BACK,
            endpoint__removed_at__isnull=True,
            endpoint__disabled_at__isnull=True,
        )
        .select_related("endpoint__organization", "event")
        .prefetch_related("tries")
        .order_by("-event__at")
    )
    return [_webhook(row) for row in rows[:limit]]


def _webhook(row: WebhookDelivery) -> FailedStep:
    tries = sorted(row.tries.all(), key=lambda one: one.at)
    error = (tries[-1].error or f"HTTP {tries[-1].status}") if tries else ""
    at = tries[-1].at if tries else row.due_at
    about = f"{row.event.kind} → {row.endpoint.url}"
    return FailedStep(StepKind.WEBHOOK, row.pk, about, row.endpoint.organization.name, error, row.attempts, at)
