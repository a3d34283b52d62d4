"""The steps of an issued invoice after it is issued: each stands, fails and is tried again by itself."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from billing.models import DocumentState, DocumentStep, InvoiceState, Settlement, SettlementState


class StepName(StrEnum):
    """What is done for an issued invoice."""

    TAX = "tax"
    DOCUMENT = "document"
    STRIPE_PUSH = "stripe_push"
    COLLECT = "collect"


class StepState(StrEnum):
    """How far a step is."""

    NOT_NEEDED = "not_needed"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class InvoiceStep:
    """One step: `error` says what went wrong last, `retry` whether a person may have it tried again now."""

    name: StepName
    state: StepState
    detail: str
    error: str
    attempts: int
    next_try_at: datetime | None
    retry: bool


PUSHING = (
    SettlementState.CUSTOMER,
    SettlementState.DRAFT,
    SettlementState.LINES,
    SettlementState.GUARD,
    SettlementState.FINALIZE,
)
COLLECTING = (SettlementState.COLLECT, SettlementState.WAIT, SettlementState.ACTION)
BY_HAND = (
    SettlementState.BY_HAND,
    SettlementState.BELOW_MINIMUM,
    SettlementState.GATHERING,
    SettlementState.TOGETHER,
)


def invoice_steps(invoice_id: UUID) -> tuple[InvoiceStep, ...]:
    """Return the steps of an issued invoice, in their order."""
    settlement = Settlement.objects.select_related("invoice").filter(pk=invoice_id).first()
    tax = InvoiceStep(StepName.TAX, StepState.DONE, "", "", 0, None, retry=False)
    document = DocumentStep.objects.filter(pk=invoice_id).first()
    found = [tax, *([document_step(document)] if document is not None else [])]
    if settlement is None:
        return tuple(found)
    return (*found, *collection_steps(settlement, is_void=settlement.invoice.state == InvoiceState.VOID))


def document_step(step: DocumentStep) -> InvoiceStep:
    """Return how far the papers of an invoice are."""
    state = DocumentState(step.state)
    stands = {
        DocumentState.WAITING: StepState.WAITING,
        DocumentState.DONE: StepState.DONE,
        DocumentState.FAILED: StepState.FAILED,
    }[state]
    next_try_at = step.next_try_at if stands is StepState.WAITING else None
    return InvoiceStep(StepName.DOCUMENT, stands, state.label, step.last_error, step.attempts, next_try_at, retry=False)


def collection_steps(settlement: Settlement, *, is_void: bool = False) -> tuple[InvoiceStep, InvoiceStep]:
    """Return how far an invoice is handed to Stripe, and how far its money is collected; of a void one none is."""
    state = SettlementState(settlement.state)
    pushed = bool(settlement.hosted_url)
    failed = state is SettlementState.FAILED
    if state in BY_HAND or (state is SettlementState.PAID and not settlement.stripe_invoice_id):
        push = StepState.NOT_NEEDED
    elif failed and not pushed:
        push = StepState.FAILED
    else:
        push = StepState.WAITING if state in PUSHING else StepState.DONE
    if state is SettlementState.PAID:
        collect = StepState.DONE
    elif is_void and state is SettlementState.BY_HAND:
        collect = StepState.NOT_NEEDED
    else:
        collect = StepState.FAILED if failed and pushed else StepState.WAITING
    return (
        _step(StepName.STRIPE_PUSH, push, settlement, is_current=state in PUSHING or (failed and not pushed)),
        _step(StepName.COLLECT, collect, settlement, is_current=state in COLLECTING or (failed and pushed)),
    )


def _step(name: StepName, state: StepState, settlement: Settlement, *, is_current: bool) -> InvoiceStep:
    """The row tells of one step at a time: the one that it is at."""
    waits = state is StepState.WAITING and is_current
    refused = settlement.state in (SettlementState.WAIT, SettlementState.ACTION) and bool(settlement.last_error)
    return InvoiceStep(
        name=name,
        state=state,
        detail=SettlementState(settlement.state).label if is_current else "",
        error=settlement.last_error if is_current else "",
        attempts=settlement.attempts if is_current else 0,
        next_try_at=settlement.next_try_at if waits else None,
        retry=(waits and refused) or state is StepState.FAILED or (waits and name is StepName.STRIPE_PUSH),
    )
