"""Late fees at their borders: what they come to, when there is none, and how a fee and its step are taken back."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.corrections.debits import DebitBilled, take_back_debit
from billing.dunning.policies import WrongDunning, set_policy
from billing.dunning.schedule import (
    DAYS_MAX,
    FEE_AMOUNT_MAX,
    FEE_PERCENT_MAX,
    STEPS_MAX,
    Action,
    WrongSchedule,
    announces_nothing,
    days_of_notice,
    next_step,
    read_schedule,
    write_schedule,
)
from billing.dunning.stepping import StepTakenBack, take_back, take_step
from billing.models import (
    Debit,
    DebitTakenBack,
    DunningCase,
    DunningMail,
    DunningStep,
    DunningTakenBack,
    Term,
)
from tenants.models import AuditEntry
from tests.billing.collected import pay_by_hand
from tests.billing.dunning.overdue import BY, after, make_overdue, sweep
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.billing.killed import killed_everywhere
from tests.examples import examples
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import Invoice
    from tests.factories import Cast

FEE: dict[str, Any] = {"after_days": 10, "action": "late_fee"}
TABLES = (
    DunningStep,
    DunningCase,
    DunningMail,
    DunningTakenBack,
    Debit,
    DebitTakenBack,
    Term,
    AuditEntry,
)

fee_steps = st.builds(
    lambda day, amount, percent: {"after_days": day, "action": "late_fee", "amount": amount, "percent": percent},
    st.integers(0, DAYS_MAX),
    st.decimals("0.001", FEE_AMOUNT_MAX, places=3).map(str),
    st.decimals(0, FEE_PERCENT_MAX, places=3).map(str),
)
plain_steps = st.builds(
    lambda day, action: {"after_days": day, "action": action},
    st.integers(0, DAYS_MAX),
    st.sampled_from(["remind", "retry_card"]),
)


def charged(cast: Cast, **fee: str) -> Invoice:
    """An overdue invoice of 100.00 whose fee was charged."""
    invoice = make_overdue(cast)
    set_policy(provider=cast.provider, steps=[{**FEE, **fee}], by=BY, now=ISSUED_AT)
    sweep(after(invoice, 10))
    return invoice


invoice = kept(make_overdue)


@kept
def invoice_made(cast: Cast) -> Invoice:
    return charged(cast, amount="5")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fee", "expected"),
    [
        ({"amount": "40"}, ["40"]),
        ({"percent": "9.5"}, ["9.5"]),
        ({"amount": "40", "percent": "1"}, ["41"]),
        ({"amount": "0.015"}, ["0.02"]),
        ({"amount": "0.006"}, ["0.01"]),
        ({"amount": "0.005"}, []),
        ({"amount": "0.004"}, []),
        ({"percent": "0.004"}, []),
        ({"percent": "20"}, ["20"]),
    ],
)
def test_it_comes_to_its_amount_and_its_part_rounded_once_and_nothing_is_no_fee(
    cast: Cast, fee: dict[str, str], expected: list[str]
) -> None:
    charged(cast, **fee)
    assert [debit.amount for debit in Debit.objects.all()] == [Decimal(one) for one in expected]
    assert DunningStep.objects.count() == 1, "the step stands, and its letter, also where the fee is nothing"
    assert DunningMail.objects.exists()


@pytest.mark.django_db
def test_it_is_of_what_is_left_and_not_of_what_was_paid(cast: Cast, invoice: Invoice) -> None:
    set_policy(provider=cast.provider, steps=[{**FEE, "percent": "10"}], by=BY, now=ISSUED_AT)
    pay_by_hand(invoice, "37.50")
    sweep(after(invoice, 10))
    assert Debit.objects.get().amount == Decimal("6.25")


@pytest.mark.django_db
def test_what_is_paid_has_no_fee(cast: Cast, invoice: Invoice) -> None:
    set_policy(provider=cast.provider, steps=[{**FEE, "amount": "5"}], by=BY, now=ISSUED_AT)
    pay_by_hand(invoice, "100.00")
    assert sweep(after(invoice, 30)) == []
    assert not Debit.objects.exists()


@pytest.mark.django_db
def test_a_currency_without_decimals_has_whole_fees(cast: Cast) -> None:
    invoice = make_issued([Line("1234")], parties=(cast.provider, cast.tenant), currency="JPY")
    set_policy(provider=cast.provider, steps=[{**FEE, "percent": "1"}], by=BY, now=ISSUED_AT)
    sweep(after(invoice, 10))
    assert Debit.objects.get().amount == 12


@pytest.mark.django_db
def test_two_fees_of_one_invoice_come_each_on_their_day(cast: Cast, invoice: Invoice) -> None:
    steps = [{**FEE, "amount": "5"}, {"after_days": 20, "action": "late_fee", "amount": "7"}]
    set_policy(provider=cast.provider, steps=steps, by=BY, now=ISSUED_AT)
    for days in (9.9, 10, 19.9, 20, 40):
        sweep(after(invoice, days))
    assert [debit.amount for debit in Debit.objects.order_by("at")] == [5, 7]
    assert [debit.at for debit in Debit.objects.order_by("at")] == [after(invoice, 10), after(invoice, 20)]


@pytest.mark.django_db
def test_a_fee_that_was_taken_back_by_itself_does_not_hold_its_step(cast: Cast, invoice_made: Invoice) -> None:
    invoice = invoice_made
    step = DunningStep.objects.get()
    take_back_debit(debit_id=Debit.objects.get().pk, reason="Goodwill", by=BY, now=after(invoice, 11))
    take_back(provider=cast.provider, step_id=step.pk, reason="All of it", by=BY, now=after(invoice, 12))
    assert DunningTakenBack.objects.get().reason == "All of it"
    assert DebitTakenBack.objects.get().reason == "Goodwill"
    with pytest.raises(StepTakenBack):
        take_back(provider=cast.provider, step_id=step.pk, reason="Again", by=BY, now=after(invoice, 12))


@pytest.mark.django_db
def test_a_fee_that_its_step_took_back_is_taken_back_once(cast: Cast, invoice_made: Invoice) -> None:
    invoice = invoice_made
    take_back(
        provider=cast.provider, step_id=DunningStep.objects.get().pk, reason="Paid", by=BY, now=after(invoice, 11)
    )
    with pytest.raises(DebitBilled, match="taken back before"):
        take_back_debit(debit_id=Debit.objects.get().pk, reason="Again", by=BY, now=after(invoice, 12))


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["", "   ", "x" * 201])
def test_without_a_reason_step_and_fee_stay(cast: Cast, reason: str, invoice_made: Invoice) -> None:
    invoice = invoice_made
    with pytest.raises(WrongDunning, match="reason: expected 1 to 200 characters"):
        take_back(
            provider=cast.provider, step_id=DunningStep.objects.get().pk, reason=reason, by=BY, now=after(invoice, 11)
        )
    assert not DebitTakenBack.objects.exists()
    assert not DunningTakenBack.objects.exists()


@pytest.mark.unmeasured
@pytest.mark.django_db
def test_a_step_with_its_fee_is_taken_whole_or_not_at_all(cast: Cast, invoice: Invoice) -> None:
    set_policy(provider=cast.provider, steps=[{**FEE, "amount": "5"}], by=BY, now=ISSUED_AT)
    sweep(after(invoice, 9))
    now = after(invoice, 10)
    killed_everywhere(lambda: take_step(invoice_id=invoice.pk, now=now), TABLES, least=12, every=3)
    assert (DunningStep.objects.count(), Debit.objects.count()) == (1, 1)
    assert Debit.objects.get().step == DunningStep.objects.get()


@pytest.mark.unmeasured
@pytest.mark.django_db
def test_a_step_with_its_fee_is_taken_back_whole_or_not_at_all(cast: Cast, invoice_made: Invoice) -> None:
    invoice = invoice_made
    step = DunningStep.objects.get()

    def act() -> None:
        take_back(provider=cast.provider, step_id=step.pk, reason="Paid in time", by=BY, now=after(invoice, 11))

    killed_everywhere(act, TABLES, least=8, every=2)
    assert (DunningTakenBack.objects.count(), DebitTakenBack.objects.count()) == (1, 1)


@settings(max_examples=examples(25))
@given(st.lists(st.one_of(fee_steps, plain_steps), max_size=STEPS_MAX))
def test_a_schedule_is_read_in_any_order_and_written_as_it_is_read(steps: list[dict[str, Any]]) -> None:
    if len({(step["after_days"], step["action"]) for step in steps}) != len(steps):
        with pytest.raises(WrongSchedule, match="one action stands twice on one day"):
            read_schedule(steps)
        return
    planned = read_schedule(steps)
    assert planned == read_schedule(list(reversed(steps)))
    assert [step.after_days for step in planned] == sorted(step["after_days"] for step in steps)
    assert read_schedule(write_schedule(planned)) == planned
    fees = {step["after_days"]: step for step in steps if step["action"] == "late_fee"}
    for step in planned:
        said = fees.get(step.after_days, {}) if step.action is Action.LATE_FEE else {}
        assert step.amount == Decimal(said.get("amount", 0))
        assert Fraction(step.percent) == Fraction(said.get("percent", 0))


@settings(max_examples=examples(25))
@given(st.lists(plain_steps, max_size=6, unique_by=lambda step: (step["after_days"], step["action"])))
def test_steps_come_one_after_the_other_until_none_is_left(steps: list[dict[str, Any]]) -> None:
    planned = read_schedule(steps)
    done: list[tuple[str, int]] = []
    while (step := next_step(planned, done)) is not None:
        done.append((step.action.value, step.after_days))
    assert [days for _action, days in done] == [step.after_days for step in planned]
    assert len(done) == len(steps)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"action": "late_fee", "amount": "1"}, "step 1: after_days: expected 0 to 365."),
        ({**FEE, "after_days": 366, "amount": "1"}, "step 1: after_days: expected 0 to 365."),
        ({**FEE, "after_days": True, "amount": "1"}, "step 1: after_days: expected 0 to 365."),
        ({**FEE, "after_days": 1.0, "amount": "1"}, "step 1: after_days: expected 0 to 365."),
        ({**FEE, "after_days": -1, "amount": "1"}, "step 1: after_days: expected 0 to 365."),
        ({"after_days": 1, "action": "sue"}, "step 1: action: expected one of remind, retry_card, notice, suspend,"),
        ({"after_days": 1}, "step 1: action: expected one of remind"),
        ({**FEE, "amount": "1000000.001"}, "step 1: amount: expected 0 to 1000000, with at most 3 decimals."),
        ({**FEE, "amount": "1e-9"}, "step 1: amount: expected 0 to 1000000, with at most 3 decimals."),
        ({**FEE, "amount": "1e999999"}, "step 1: amount: expected 0 to 1000000, with at most 3 decimals."),
        ({**FEE, "amount": "NaN"}, "step 1: amount: expected 0 to 1000000, with at most 3 decimals."),
        ({**FEE, "percent": "20.001"}, "step 1: percent: expected 0 to 20, with at most 3 decimals."),
        ({**FEE, "percent": "Infinity"}, "step 1: percent: expected 0 to 20, with at most 3 decimals."),
        (
            {**FEE, "amount": "0", "percent": "0"},
            "step 1: a late fee, and nothing else, has an amount",
        ),
        ({"after_days": 1, "action": "notice", "percent": "1"}, "step 1: a late fee, and nothing else, has an amount"),
    ],
)
def test_a_step_that_cannot_be_says_which_and_what_is_expected(step: dict[str, Any], words: str) -> None:
    with pytest.raises(WrongSchedule) as refused:
        read_schedule([step])
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([(1, "remind")] * (STEPS_MAX + 1), "steps: at most 20."),
        ([(1, "remind"), (1, "remind")], "steps: one action stands twice on one day."),
        ([(1, "notice"), (2, "notice"), (9, "suspend")], "notice: at most one step."),
        ([(1, "notice"), (8, "suspend"), (9, "suspend")], "suspend: at most one step."),
        ([(9, "suspend")], "suspend: expected a notice at least 3 days before it."),
        ([(7, "notice"), (9, "suspend")], "suspend: expected a notice at least 3 days before it."),
        ([(12, "notice"), (9, "suspend")], "suspend: expected a notice at least 3 days before it."),
    ],
)
def test_steps_that_do_not_go_together_are_refused(steps: list[tuple[int, str]], words: str) -> None:
    with pytest.raises(WrongSchedule) as refused:
        read_schedule([{"after_days": day, "action": action} for day, action in steps])
    assert str(refused.value) == words


def test_three_days_of_notice_are_enough_and_a_notice_alone_threatens_for_nothing() -> None:
    with_both = read_schedule([{"after_days": 6, "action": "notice"}, {"after_days": 9, "action": "suspend"}])
    assert days_of_notice(with_both) == 3
    assert not announces_nothing(with_both)
    alone = read_schedule([{"after_days": 6, "action": "notice"}])
    assert (days_of_notice(alone), announces_nothing(alone)) == (0, True)
