"""A late fee is a step of dunning: once, on the next invoice, told by letter, taken back with its step."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.utils.translation import override

from billing.dunning.policies import WrongDunning, set_policy
from billing.dunning.schedule import Action, Planned, WrongSchedule, read_schedule, write_schedule
from billing.dunning.stepping import take_back
from billing.models import Contract, ContractState, Debit, DebitTakenBack, DunningMail, DunningStep
from billing.pages.invoice_files import correction_rows
from billing.queries.invoice_beside import beside
from tests.billing.dunning.overdue import BY, after, make_overdue, sweep
from tests.billing.issued import ISSUED_AT
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import Invoice
    from tests.factories import Cast

FEE: dict[str, Any] = {"after_days": 10, "action": "late_fee", "amount": "40", "percent": "1"}


@kept
def overdue(cast: Cast) -> Invoice:
    invoice = make_overdue(cast)
    set_policy(provider=cast.provider, steps=[FEE], by=BY, now=ISSUED_AT)
    return invoice


@pytest.mark.django_db
def test_it_is_charged_once_of_what_is_left_then(overdue: Invoice) -> None:
    assert sweep(after(overdue, 9)) == []
    for _ in range(2):
        sweep(after(overdue, 10))
    made = Debit.objects.get()
    expected = Decimal(40) + overdue.total / 100
    assert (made.cause, made.invoice_id, made.amount) == ("late_fee", overdue.pk, round(expected, 2))
    assert made.step == DunningStep.objects.get()
    assert DunningMail.objects.filter(step=made.step).exists()
    with override("zh-hans"):
        (row,) = correction_rows(overdue, beside(overdue.pk), "en", "tenant")
    assert row["detail"].endswith("到期 10 天后仍未支付")


@pytest.mark.django_db
def test_taking_the_step_back_takes_the_fee_back(cast: Cast, overdue: Invoice) -> None:
    sweep(after(overdue, 10))
    step = DunningStep.objects.get()
    take_back(provider=cast.provider, step_id=step.pk, reason="Paid in time", by=BY, now=after(overdue, 11))
    assert DebitTakenBack.objects.get().debit.step == step
    sweep(after(overdue, 12))
    assert Debit.objects.count() == 1


@pytest.mark.django_db
def test_where_no_invoice_follows_the_step_stands_and_no_fee(overdue: Invoice) -> None:
    Contract.objects.filter(pk=overdue.contract_id).update(state=ContractState.ENDED)
    sweep(after(overdue, 10))
    assert DunningStep.objects.count() == 1
    assert not Debit.objects.exists()


@pytest.mark.parametrize(
    "step",
    [
        {"after_days": 1, "action": "late_fee"},
        {"after_days": 1, "action": "late_fee", "amount": "-1"},
        {"after_days": 1, "action": "late_fee", "percent": "21"},
        {"after_days": 1, "action": "late_fee", "amount": "a"},
        {"after_days": 1, "action": "late_fee", "amount": "0.0001"},
        {"after_days": 1, "action": "remind", "amount": "1"},
    ],
)
def test_a_fee_that_cannot_be_is_no_schedule(step: dict[str, Any]) -> None:
    with pytest.raises(WrongSchedule, match="step 1"):
        read_schedule([step])


@pytest.mark.django_db
def test_a_fee_that_cannot_be_is_refused_with_its_field(cast: Cast) -> None:
    with pytest.raises(WrongDunning):
        set_policy(provider=cast.provider, steps=[{**FEE, "amount": "x"}], by=BY, now=ISSUED_AT)


def test_a_schedule_is_read_as_it_was_written() -> None:
    planned = read_schedule([FEE, {"after_days": 3, "action": "remind"}])
    assert planned == (Planned(3, Action.REMIND), Planned(10, Action.LATE_FEE, Decimal(40), Decimal(1)))
    assert read_schedule(write_schedule(planned)) == planned
    assert timedelta(days=planned[1].after_days) == timedelta(days=10)
