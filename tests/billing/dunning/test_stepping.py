"""Steps in their order and once; suspension never without notice; lifted as it is paid; held, disputed, taken back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import IntegrityError, InternalError, connection, transaction

from billing.dunning.policies import WrongDunning, set_policy
from billing.dunning.stepping import (
    DunningUnknown,
    StepTakenBack,
    begin_cases,
    hold,
    lift_paid,
    take_back,
    take_step,
)
from billing.holding import hold_slices
from billing.models import (
    DunningCase,
    DunningMail,
    DunningStep,
    Invoice,
    Suspension,
    SuspensionEnd,
)
from billing.payment_reversals import reverse_payment
from billing.payments import PaymentMethod, record_payment
from billing.standing import standing_of
from billing.suspensions import ContractSuspended, is_suspended
from tenants.hook_models import WebhookEndpoint, WebhookEvent
from tenants.hooks.signing import new_secret
from tenants.models import AuditEntry
from tests.billing.dunning.overdue import BY, STEPS, after, make_overdue, send_all, sweep, taken
from tests.billing.killed import Killed, at_write, die
from tests.billing.world import MARCH
from tests.factories import make_cast
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def pay(invoice: Invoice, now: datetime, amount: str = "100.00") -> None:
    record_payment(
        invoice_id=invoice.pk, method=PaymentMethod.BANK_TRANSFER, reference=f"paid {amount} {now}",
        amount=Decimal(amount), currency="USD", received_at=now, now=now,
    )  # fmt: skip


def suspended(cast: Cast) -> Invoice:
    """An invoice that went all the way."""
    invoice = make_overdue(cast)
    WebhookEndpoint.objects.create(
        organization=cast.tenant, url="https://hooks.example/", kinds=[], secret=new_secret(), created_at=MARCH
    )
    for days in (3, 5, 10):
        sweep(after(invoice, days))
    send_all(after(invoice, 10))
    assert sweep(after(invoice, 17)) == ["suspend"]
    return invoice


def lifted_because(invoice: Invoice) -> list[str]:
    """What the tenant was told of why its suspensions ended."""
    told = WebhookEvent.objects.filter(kind="dunning.lifted", organization=invoice.tenant_id)
    return [event.body["reason"] for event in told]


invoice = kept(make_overdue)
invoice_made = kept(suspended)


def test_steps_come_on_their_days_and_once(invoice: Invoice) -> None:
    assert sweep(after(invoice, -1)) == []
    assert sweep(after(invoice, 2.9)) == []
    assert sweep(after(invoice, 3)) == ["remind"]
    assert sweep(after(invoice, 3.1)) == []
    assert DunningMail.objects.count() == 2
    assert set(DunningMail.objects.values_list("address", flat=True)) == {
        "billing@tenant.example.com",
        "alice@example.com",
    }
    assert sweep(after(invoice, 5)) == ["retry_card"]
    assert DunningStep.objects.get(action="retry_card").detail == "no card is charged for this contract"
    assert AuditEntry.objects.filter(action__startswith="dunning.").count() == 3


def test_after_a_worker_was_down_steps_follow_in_order_and_the_notice_keeps_its_days(invoice: Invoice) -> None:
    late = after(invoice, 40)
    assert sweep(late) == ["remind", "retry_card", "notice"]
    assert DunningCase.objects.get().waits_for == "notice_not_out"
    notice = DunningStep.objects.get(action="notice")
    assert notice.announces_at == late + timedelta(days=7)
    send_all(late)
    assert sweep(late + timedelta(days=6, hours=23)) == []
    assert sweep(late + timedelta(days=7)) == ["suspend"]
    assert is_suspended(invoice.contract_id)


def test_without_a_letter_that_went_out_nobody_is_suspended(invoice: Invoice) -> None:
    for days in (3, 5, 10, 17, 30, 300):
        sweep(after(invoice, days))
    assert ("suspend", 17) not in taken()
    step = DunningStep.objects.get(action="notice")
    forged = DunningStep.objects.create(invoice=invoice, action="suspend", after_days=1, at=after(invoice, 300))
    with pytest.raises((IntegrityError, InternalError), match="without notice"), transaction.atomic():
        Suspension.objects.create(step=forged, contract=invoice.contract, at=after(invoice, 300))
    send_all(after(invoice, 299))
    with pytest.raises((IntegrityError, InternalError), match="without notice"), transaction.atomic():
        Suspension.objects.create(step=forged, contract=invoice.contract, at=after(invoice, 300))
    assert step.mails.count() == 2


def test_a_suspension_stops_use_and_is_lifted_as_the_invoice_is_paid(invoice_made: Invoice) -> None:
    invoice = invoice_made
    now = after(invoice, 18)
    standing = standing_of(invoice.contract, now)
    assert (standing.allowed, standing.suspended) == (False, True)
    with pytest.raises(ContractSuspended):
        hold_slices(None, invoice.contract, (), now, accelerator_model="x")  # type: ignore[arg-type]  # not looked at
    pay(invoice, now, "40.00")
    assert lift_paid(now=now) == 0
    pay(invoice, now, "60.00")
    assert lift_paid(now=now) == 1
    assert lift_paid(now=now) == 0
    assert standing_of(invoice.contract, now).allowed
    assert SuspensionEnd.objects.get().reason == "invoice S-0001 is settled"
    assert lifted_because(invoice) == ["paid"]
    sweep(now)
    assert not DunningCase.objects.get().is_open


def test_an_invoice_owed_again_is_followed_again_and_no_step_comes_twice(invoice: Invoice) -> None:
    sweep(after(invoice, 3))
    pay(invoice, after(invoice, 4))
    sweep(after(invoice, 5))
    assert not DunningCase.objects.get().is_open
    reverse_payment(payment_id=invoice.payments.get().pk, reference="r", reason="wrong", by=BY, now=after(invoice, 6))
    assert sweep(after(invoice, 6)) == ["retry_card"]
    assert taken() == [("remind", 3), ("retry_card", 5)]


def test_a_hold_keeps_steps_back_until_it_is_over(cast: Cast, invoice: Invoice) -> None:
    begin_cases(now=after(invoice, 1), limit=1)
    hold(
        provider=cast.provider, invoice_id=invoice.pk, until=after(invoice, 8), reason="they called", by=BY,
        now=after(invoice, 1),
    )  # fmt: skip
    assert sweep(after(invoice, 4)) == []
    assert DunningCase.objects.get().waits_for == "held"
    assert sweep(after(invoice, 8)) == ["remind", "retry_card"]


def test_a_step_taken_back_lifts_what_it_did_and_does_not_come_again(cast: Cast, invoice_made: Invoice) -> None:
    invoice = invoice_made
    step = DunningStep.objects.get(action="suspend")
    now = after(invoice, 18)
    take_back(provider=cast.provider, step_id=step.pk, reason="our mistake", by=BY, now=now)
    assert not is_suspended(invoice.contract_id)
    assert lifted_because(invoice) == ["taken_back"]
    assert sweep(after(invoice, 30)) == []
    with pytest.raises(StepTakenBack):
        take_back(provider=cast.provider, step_id=step.pk, reason="again", by=BY, now=now)


def test_a_notice_taken_back_suspends_nobody(cast: Cast, invoice: Invoice) -> None:
    for days in (3, 5, 10):
        sweep(after(invoice, days))
    send_all(after(invoice, 10))
    notice = DunningStep.objects.get(action="notice")
    take_back(provider=cast.provider, step_id=notice.pk, reason="sent to the wrong one", by=BY, now=after(invoice, 11))
    assert sweep(after(invoice, 17)) == []
    assert not is_suspended(invoice.contract_id)


def test_what_cannot_be_is_refused(cast: Cast, invoice: Invoice) -> None:
    now = after(invoice, 4)
    sweep(now)
    step = DunningStep.objects.get()
    calls: list[tuple[type[Exception], Callable[[], object]]] = [
        (DunningUnknown, lambda: take_back(provider=cast.outsider, step_id=step.pk, reason="a", by=BY, now=now)),
        (WrongDunning, lambda: take_back(provider=cast.provider, step_id=step.pk, reason=" ", by=BY, now=now)),
        (DunningUnknown, lambda: hold(
            provider=cast.outsider, invoice_id=invoice.pk, until=now, reason="a", by=BY, now=now)),
        (WrongDunning, lambda: hold(
            provider=cast.provider, invoice_id=invoice.pk, until=now, reason="x" * 201, by=BY, now=now)),
        (WrongDunning, lambda: set_policy(provider=cast.provider, steps=[{"after_days": 1}], by=BY, now=now)),
    ]  # fmt: skip
    for expected, call in calls:
        with pytest.raises(expected), transaction.atomic():
            call()


def test_a_schedule_of_one_contract_goes_before_the_providers(cast: Cast, invoice: Invoice) -> None:
    set_policy(
        provider=cast.provider, contract=invoice.contract, steps=[{"after_days": 30, "action": "remind"}], by=BY,
        now=after(invoice, 0),
    )  # fmt: skip
    assert sweep(after(invoice, 29)) == []
    assert sweep(after(invoice, 30)) == ["remind"]
    set_policy(provider=cast.provider, contract=invoice.contract, steps=[], by=BY, now=after(invoice, 31))
    assert sweep(after(invoice, 90)) == []


def test_the_database_keeps_steps_as_they_were(cast: Cast, invoice_made: Invoice) -> None:
    invoice = invoice_made
    take_back(
        provider=cast.provider, step_id=DunningStep.objects.get(action="remind").pk, reason="a", by=BY,
        now=after(invoice, 18),
    )  # fmt: skip
    for table in ("dunningpolicy", "dunningstep", "dunningtakenback", "suspension"):
        with (
            pytest.raises((IntegrityError, InternalError), match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"DELETE FROM billing_{table}")


@pytest.mark.unmeasured
def test_a_step_that_dies_before_any_write_is_taken_whole_the_next_time(invoice: Invoice) -> None:
    now, place = after(invoice, 3), 0
    begin_cases(now=now, limit=1)
    while True:
        place += 1
        try:
            with connection.execute_wrapper(at_write(place, die)):
                take_step(invoice_id=invoice.pk, now=now)
        except Killed:
            assert taken() == []
            assert not DunningMail.objects.exists()
        else:
            break
    assert place > 4
    assert (taken(), DunningMail.objects.count()) == ([("remind", 3)], 2)


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_take_each_step_once() -> None:
    cast = make_cast()
    invoice = make_overdue(cast)
    now = after(invoice, 6)
    begin_cases(now=now, limit=1)

    def attempt(_number: int) -> None:
        try:
            take_step(invoice_id=invoice.pk, now=now)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(attempt, range(4)))
    assert sorted(taken()) == [("remind", 3), ("retry_card", 5)]
    assert len(STEPS) == 4
