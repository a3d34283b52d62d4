"""Letters about budgets beside the others: waited for, stopped after ten tries, and tried again by a person."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.budgets.letters import claim_letters
from billing.models import SpendMail
from billing.pipeline.backlog import Backlog, Stage, backlogs
from billing.pipeline.failures import LETTER_TRIES_MAX, NotFailed, StepKind, failed_steps, retry_step
from billing.unsent import ATTEMPTS_MAX
from tenants.models import AuditEntry
from tests.billing.budgets.spent import NOW, look, make_spent, set_budget
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)


@kept
def mail(cast: Cast) -> SpendMail:
    """A letter about a used-up budget that ten tries could not send; another has one try left."""
    make_spent(cast)
    set_budget(cast, amount=Decimal(90), thresholds=(100,))
    look(cast)
    SpendMail.objects.filter(address="alice@example.com").update(attempts=ATTEMPTS_MAX, last_error="nobody here")
    SpendMail.objects.exclude(address="alice@example.com").update(attempts=ATTEMPTS_MAX - 1)
    return SpendMail.objects.get(address="alice@example.com")


def waiting() -> Backlog:
    return next(one for one in backlogs(LATER) if one.stage is Stage.LETTERS)


def retry(cast: Cast, mail: SpendMail) -> None:
    retry_step(kind=StepKind.BUDGET_LETTER, step_id=mail.pk, operator=cast.operator, actor="olga", now=LATER)


def test_both_count_the_same_tries() -> None:
    assert ATTEMPTS_MAX == LETTER_TRIES_MAX


def test_letters_that_wait_are_counted_with_the_others(mail: SpendMail) -> None:
    assert waiting() == Backlog(Stage.LETTERS, 2, NOW)
    SpendMail.objects.update(sent_at=NOW)
    assert waiting() == Backlog(Stage.LETTERS, 0, None)


def test_one_that_was_given_up_is_shown_with_whose_it_is_and_why(mail: SpendMail) -> None:
    [step] = failed_steps(LATER)
    assert (step.kind, step.id, step.about, step.organization) == (
        StepKind.BUDGET_LETTER,
        mail.pk,
        "threshold",
        "Tenant",
    )
    assert (step.error, step.attempts, step.at) == ("nobody here", 10, NOW)


def test_it_is_tried_again_as_if_it_never_had_been_once(cast: Cast, mail: SpendMail) -> None:
    assert mail not in claim_letters(now=NOW, limit=10)
    retry(cast, mail)
    assert mail.pk not in {step.id for step in failed_steps(LATER)}
    assert mail in claim_letters(now=LATER, limit=10)
    assert AuditEntry.objects.get(action="step.retried").subject == f"budget_letter {mail.pk}"
    with pytest.raises(NotFailed):
        retry(cast, mail)


def test_one_that_was_sent_or_has_tries_left_is_not_tried_again(cast: Cast, mail: SpendMail) -> None:
    other = SpendMail.objects.exclude(pk=mail.pk).get()
    SpendMail.objects.filter(pk=mail.pk).update(sent_at=LATER)
    for one in (mail, other):
        with pytest.raises(NotFailed, match="is tried by itself"):
            retry(cast, one)
    assert not AuditEntry.objects.filter(action="step.retried").exists()
