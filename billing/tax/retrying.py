"""The `tax` step of a bill that is not issued yet: what its taxes wait for, and having that tried again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db import transaction

from billing.models import BillingPeriod, Contract, PeriodState, TaxQuestion, TaxQuestionState
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from billing.tax.deciding import TaxWaits


class TaxNotRetryable(Problem):
    """The draft does not wait for its taxes."""

    status = 409
    code = "tax_not_retryable"
    title = "The taxes of this draft do not wait for anything"


class TaxStepState(StrEnum):
    """How far the taxes of a draft are: not asked for yet, waited for, or stopped until somebody does something."""

    NOT_DUE = "not_due"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TaxStep:
    """The step as it stands. `error` is a tax service's words; `country` and `on` name the rate that is missing."""

    state: TaxStepState
    error: str = ""
    country: str = ""
    on: str = ""
    attempts: int = 0
    next_try_at: datetime | None = None

    @property
    def retry(self) -> bool:
        """Whether a person may have it tried again now."""
        return self.state is not TaxStepState.NOT_DUE


NOT_DUE = TaxStep(TaxStepState.NOT_DUE)


def note_wait(*, period: BillingPeriod, waits: TaxWaits) -> None:
    """Keep on a locked period what its taxes wait for, so that people see it; unchanged, nothing is written."""
    if period.tax_wait != waits.missing:
        period.tax_wait = dict(waits.missing)
        period.save(update_fields=["tax_wait"])


def tax_step(period: BillingPeriod) -> TaxStep:
    """Return what the taxes of a draft wait for; one query where that is a tax service."""
    wait = period.tax_wait
    if period.state != PeriodState.OPEN or not wait:
        return NOT_DUE
    if wait["kind"] == "tax_rate":
        return TaxStep(TaxStepState.FAILED, country=wait["country"], on=wait["on"])
    question = TaxQuestion.objects.get(pk=wait["question"])
    refused = question.state == TaxQuestionState.REFUSED
    return TaxStep(
        TaxStepState.FAILED if refused else TaxStepState.WAITING,
        error=question.last_error,
        attempts=question.attempts,
        next_try_at=question.next_try_at if question.state == TaxQuestionState.WAITING else None,
    )


@transaction.atomic
def retry_tax(*, period_id: UUID, actor: str, now: datetime) -> TaxStep:
    """Have what the taxes of a draft wait for tried again at the next sweeps; return the step as it stands then.

    A question that was refused is asked once more, under a key of its own. A rate that was missing is looked for
    whenever the period is closed again, so there is nothing to change for it. Raises `TaxNotRetryable`.
    """
    contract_id = BillingPeriod.objects.values_list("contract_id", flat=True).get(pk=period_id)
    contract = Contract.objects.select_for_update(no_key=True).get(pk=contract_id)
    period = BillingPeriod.objects.select_for_update().get(pk=period_id)
    before = tax_step(period)
    if not before.retry:
        raise TaxNotRetryable(
            sentence("The taxes of the draft of %(number)s do not wait for anything.", number=contract.number)
        )
    if period.tax_wait["kind"] != "tax_rate":
        question = TaxQuestion.objects.filter(pk=period.tax_wait["question"], answer__isnull=True)
        question.update(state=TaxQuestionState.WAITING, attempts=before.attempts + 1, next_try_at=now)
    AuditEntry.objects.create(
        organization_id=contract.provider_id,
        actor=actor,
        action="tax.retried",
        subject=f"contract {contract.number}",
        before={"state": str(before.state), "error": before.error},
        after={"period": period.from_at.isoformat()},
        at=now,
    )
    return tax_step(period)
