"""The steps of an issued invoice: each state of collecting and of the papers leads to one answer for each step."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from billing.models import DocumentState, DocumentStep, Settlement, SettlementState
from billing.queries.invoice_steps import (
    InvoiceStep,
    StepName,
    StepState,
    collection_steps,
    document_step,
    invoice_steps,
)
from tests.billing.issued import make_issued

NEXT_AT = datetime(2026, 4, 3, 10, tzinfo=UTC)
PAGE = "https://pay.example.com/i/1"
NEEDLESS, WAITING, DONE, FAILED = StepState


def settled(state: SettlementState, *, pushed: bool = False, stripe_id: str = "", error: str = "") -> Settlement:
    return Settlement(
        state=state,
        hosted_url=PAGE if pushed else "",
        stripe_invoice_id=stripe_id,
        last_error=error,
        attempts=3,
        next_try_at=NEXT_AT,
    )


def told(state: SettlementState, **parts: object) -> tuple[InvoiceStep, InvoiceStep]:
    return collection_steps(settled(state, **parts))  # type: ignore[arg-type]  # passed through by name


@pytest.mark.parametrize(
    ("state", "pushed", "stripe_id", "push", "collect"),
    [
        (SettlementState.CUSTOMER, False, "", WAITING, WAITING),
        (SettlementState.DRAFT, False, "", WAITING, WAITING),
        (SettlementState.LINES, False, "in_1", WAITING, WAITING),
        (SettlementState.GUARD, False, "in_1", WAITING, WAITING),
        (SettlementState.FINALIZE, False, "in_1", WAITING, WAITING),
        (SettlementState.COLLECT, True, "in_1", DONE, WAITING),
        (SettlementState.WAIT, True, "in_1", DONE, WAITING),
        (SettlementState.ACTION, True, "in_1", DONE, WAITING),
        (SettlementState.PAID, True, "in_1", DONE, DONE),
        (SettlementState.PAID, False, "", NEEDLESS, DONE),
        (SettlementState.BY_HAND, False, "", NEEDLESS, WAITING),
        (SettlementState.BELOW_MINIMUM, False, "", NEEDLESS, WAITING),
        (SettlementState.FAILED, False, "in_1", FAILED, WAITING),
        (SettlementState.FAILED, True, "in_1", DONE, FAILED),
    ],
)
def test_each_state_says_how_far_both_steps_are(
    state: SettlementState, pushed: bool, stripe_id: str, push: StepState, collect: StepState
) -> None:
    first, second = told(state, pushed=pushed, stripe_id=stripe_id)
    assert (first.name, second.name) == (StepName.STRIPE_PUSH, StepName.COLLECT)
    assert (first.state, second.state) == (push, collect)


@pytest.mark.parametrize("state", SettlementState)
@pytest.mark.parametrize("pushed", [False, True])
def test_at_most_one_step_tells_of_errors_attempts_and_the_next_try(state: SettlementState, *, pushed: bool) -> None:
    both = told(state, pushed=pushed, stripe_id="in_1", error="card_declined")
    current = [one for one in both if one.error]
    assert len(current) <= 1
    for one in both:
        assert (one.attempts, bool(one.detail)) == ((3, True) if one in current else (0, False))
        assert (one.next_try_at is not None) == (one in current and one.state is WAITING)


@pytest.mark.parametrize(
    ("state", "pushed", "error", "retries"),
    [
        (SettlementState.WAIT, True, "", (False, False)),
        (SettlementState.WAIT, True, "card_declined", (False, True)),
        (SettlementState.ACTION, True, "authentication_required", (False, True)),
        (SettlementState.COLLECT, True, "card_declined", (False, False)),
        (SettlementState.LINES, False, "api_error", (True, False)),
        (SettlementState.FAILED, False, "api_error", (True, False)),
        (SettlementState.FAILED, True, "card_declined", (False, True)),
        (SettlementState.PAID, True, "card_declined", (False, False)),
    ],
)
def test_a_person_may_try_again_what_failed_or_was_declined(
    state: SettlementState, pushed: bool, error: str, retries: tuple[bool, bool]
) -> None:
    first, second = told(state, pushed=pushed, stripe_id="in_1", error=error)
    assert (first.retry, second.retry) == retries


def test_who_must_consent_is_waited_for_and_a_void_invoice_for_nothing() -> None:
    asked = told(SettlementState.ACTION, pushed=True, stripe_id="in_1", error="authentication_required")[1]
    assert (asked.detail, asked.error) == ("wait for the card holder's consent", "authentication_required")
    void = collection_steps(settled(SettlementState.BY_HAND, pushed=True, stripe_id="in_1"), is_void=True)
    assert void[1].state is NEEDLESS


@pytest.mark.parametrize(
    ("state", "stands", "next_try_at"),
    [
        (DocumentState.WAITING, WAITING, NEXT_AT),
        (DocumentState.DONE, DONE, None),
        (DocumentState.FAILED, FAILED, None),
    ],
)
def test_papers_that_are_made_or_given_up_are_not_tried_again(
    state: DocumentState, stands: StepState, next_try_at: datetime | None
) -> None:
    step = document_step(DocumentStep(state=state, last_error="no font", attempts=2, next_try_at=NEXT_AT))
    assert (step.name, step.state, step.next_try_at) == (StepName.DOCUMENT, stands, next_try_at)
    assert (step.error, step.attempts, step.retry) == ("no font", 2, False)


@pytest.mark.django_db
def test_the_steps_stand_in_their_order_as_far_as_there_are_rows_of_them() -> None:
    invoice = make_issued()
    Settlement.objects.filter(invoice=invoice).delete()
    DocumentStep.objects.filter(pk=invoice.pk).delete()
    assert [step.name for step in invoice_steps(invoice.pk)] == [StepName.TAX]
    DocumentStep.objects.create(
        subject_id=invoice.pk,
        subject="invoice",
        issuer=invoice.issuer,
        recipient=invoice.tenant,
        next_try_at=NEXT_AT,
        updated_at=NEXT_AT,
    )
    assert [step.name for step in invoice_steps(invoice.pk)] == [StepName.TAX, StepName.DOCUMENT]
    Settlement.objects.create(invoice=invoice, state=SettlementState.WAIT, next_try_at=NEXT_AT, updated_at=NEXT_AT)
    assert [step.name for step in invoice_steps(invoice.pk)] == list(StepName)


@pytest.mark.django_db
def test_an_unknown_invoice_has_no_step_of_its_own() -> None:
    assert [step.name for step in invoice_steps(uuid4())] == [StepName.TAX]
