"""Stopped steps: each kind is listed with its reason, tried again once, and refused where it goes on by itself."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from billing.models import (
    CollectionNotice,
    DocumentState,
    DocumentStep,
    Invoice,
    PriceMail,
    Settlement,
    SettlementState,
)
from billing.models.collecting import NoticeKind
from billing.pipeline.failures import LETTER_TRIES_MAX, FailedStep, NotFailed, StepKind, failed_steps, retry_step
from tenants.hook_models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from tenants.ids import new_id
from tenants.models import AuditEntry
from tests.billing.corrections.kept import by_hand
from tests.billing.issued import ISSUED_AT, make_issued
from tests.factories import Cast, make_price_book, make_price_version
from tests.kept import kept

pytestmark = pytest.mark.django_db
NOW = ISSUED_AT + timedelta(days=1)
NOBODY = UUID(int=9)


@kept
def invoice(cast: Cast) -> Invoice:
    return make_issued(parties=(cast.provider, cast.tenant), number="S-1")


def collection(invoice: Invoice, state: SettlementState = SettlementState.FAILED) -> UUID:
    row = by_hand(invoice, state)
    Settlement.objects.filter(pk=row.pk).update(last_error="No such customer", attempts=3)
    return invoice.pk


def document(invoice: Invoice, state: DocumentState = DocumentState.FAILED) -> UUID:
    DocumentStep.objects.create(
        subject_id=invoice.pk,
        subject="invoice",
        issuer=invoice.issuer,
        recipient=invoice.tenant,
        state=state,
        last_error="BR-CO-25",
        attempts=1,
        next_try_at=ISSUED_AT,
        updated_at=ISSUED_AT,
    )
    return invoice.pk


def letters(invoice: Invoice, tries: int = LETTER_TRIES_MAX) -> dict[StepKind, UUID]:
    version = make_price_version(
        make_price_book(invoice.issuer), effective_at=ISSUED_AT, gpus={"NVIDIA H100 80GB HBM3": "2"}
    )
    told = PriceMail.objects.create(
        version=version,
        tenant=invoice.tenant,
        address="alice@example.com",
        created_at=ISSUED_AT,
        due_at=ISSUED_AT,
        attempts=tries,
        last_error="refused",
    )
    asked = CollectionNotice.objects.create(
        invoice=invoice,
        kind=NoticeKind.values[0],
        attempt=1,
        reason="declined",
        created_at=ISSUED_AT,
        due_at=ISSUED_AT,
        attempts=tries,
        last_error="refused",
    )
    return {StepKind.PRICE_LETTER: told.pk, StepKind.COLLECTION_LETTER: asked.pk}


def webhook(cast: Cast, state: DeliveryState = DeliveryState.GIVEN_UP) -> UUID:
    endpoint = WebhookEndpoint.objects.create(
        organization=cast.tenant, url="https://hooks.example/in", secret="whsec_x", kinds=[], created_at=ISSUED_AT
    )
    event = WebhookEvent.objects.create(
        organization=cast.tenant, kind="invoice.issued", subject_id=new_id(), body={}, at=ISSUED_AT
    )
    delivery = WebhookDelivery.objects.create(endpoint=endpoint, event=event, state=state, attempts=9, due_at=ISSUED_AT)
    for place, status in enumerate((500, 503)):
        WebhookAttempt.objects.create(
            delivery=delivery, at=ISSUED_AT + timedelta(minutes=place), status=status, error="", duration_ms=9
        )
    return delivery.pk


def retry(cast: Cast, kind: StepKind, step_id: UUID) -> None:
    retry_step(kind=kind, step_id=step_id, operator=cast.operator, actor="owen@example.com", now=NOW)


def test_every_kind_is_listed_with_whose_it_is_and_why_it_stopped(cast: Cast, invoice: Invoice) -> None:
    collection(invoice)
    document(invoice)
    letters(invoice)
    webhook(cast)
    found = {step.kind: step for step in failed_steps(NOW)}
    assert found[StepKind.COLLECTION] == FailedStep(
        StepKind.COLLECTION, invoice.pk, "S-1", "Provider", "No such customer", 3, ISSUED_AT
    )
    assert (found[StepKind.DOCUMENT].about, found[StepKind.DOCUMENT].error) == ("S-1", "BR-CO-25")
    assert (found[StepKind.PRICE_LETTER].about[0], found[StepKind.PRICE_LETTER].organization) == ("v", "Tenant")
    assert (found[StepKind.COLLECTION_LETTER].about, found[StepKind.COLLECTION_LETTER].attempts) == ("S-1", 10)
    hook = found[StepKind.WEBHOOK]
    assert (hook.about, hook.error) == ("invoice.issued → https://hooks.example/in", "HTTP 503")
    assert [step.at for step in failed_steps(NOW)] == sorted((step.at for step in failed_steps(NOW)), reverse=True)
    assert len(failed_steps(NOW, limit=2)) == 2


def test_what_goes_on_by_itself_is_not_listed(cast: Cast, invoice: Invoice) -> None:
    collection(invoice, SettlementState.WAIT)
    document(invoice, DocumentState.WAITING)
    letters(invoice, tries=LETTER_TRIES_MAX - 1)
    webhook(cast, DeliveryState.WAITING)
    assert failed_steps(NOW) == []
    assert failed_steps(NOW + timedelta(days=40)) == []


def test_a_stopped_step_is_tried_again_once_and_it_is_on_record(cast: Cast, invoice: Invoice) -> None:
    steps = {
        StepKind.COLLECTION: collection(invoice),
        StepKind.DOCUMENT: document(invoice),
        StepKind.WEBHOOK: webhook(cast),
        **letters(invoice),
    }
    for kind, step_id in steps.items():
        retry(cast, kind, step_id)
        with pytest.raises(NotFailed):
            retry(cast, kind, step_id)
    assert failed_steps(NOW) == []
    assert Settlement.objects.get().next_try_at == NOW
    assert DocumentStep.objects.get().state == DocumentState.WAITING
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.due_at) == (DeliveryState.WAITING, 0, NOW)
    assert set(PriceMail.objects.values_list("attempts", "due_at")) == {(0, NOW)}
    noted = AuditEntry.objects.filter(actor="owen@example.com").values_list("organization__slug", "action")
    assert sorted(noted) == [
        *[("operator", "step.retried")] * 3,
        ("provider", "document.retried"),
        ("provider", "settlement.retried"),
    ]


@pytest.mark.parametrize("kind", StepKind)
def test_what_is_not_there_cannot_be_tried_again(cast: Cast, kind: StepKind) -> None:
    with pytest.raises(NotFailed):
        retry(cast, kind, NOBODY)
    assert AuditEntry.objects.count() == 0


def test_a_receiver_that_is_turned_off_is_left_alone(cast: Cast) -> None:
    delivery = webhook(cast)
    WebhookEndpoint.objects.update(disabled_at=ISSUED_AT, disabled_because="gone")
    assert failed_steps(NOW) == []
    with pytest.raises(NotFailed):
        retry(cast, StepKind.WEBHOOK, delivery)
