"""Letters by the sweep: what they say, once, tried again, not after they were taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from billing.corrections.debits import take_back_debit
from billing.dunning.letters import send_letter
from billing.dunning.policies import set_policy
from billing.dunning.stepping import take_back
from billing.models import Debit, DunningMail, DunningStep
from billing.tasks import dun_invoices
from billing.unsent import note_failed
from tests.billing.banking.statements import make_account
from tests.billing.chinese import english_in, read_chinese
from tests.billing.collected import pay_by_hand
from tests.billing.dunning.overdue import BY, after, make_overdue, send_all, sweep
from tests.billing.issued import ISSUED_AT

if TYPE_CHECKING:
    from django.core.mail import EmailMessage
    from pytest_django import Settings

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def ready(settings: Settings) -> Settings:
    settings.MAIL_READY = True
    settings.PUBLIC_URL = "https://forecourt.example"
    return settings


def test_the_sweep_reminds_each_reader_once_and_says_how_to_pay(
    cast: Cast, ready: Settings, mailoutbox: list[EmailMessage]
) -> None:
    make_overdue(cast)
    make_account(cast.provider)
    for _sweep in range(4):
        dun_invoices(unknown_argument_of_a_later_version=1)
    reminders = [letter for letter in mailoutbox if letter.subject == "Reminder: invoice S-0001 is overdue"]
    assert {tuple(letter.to) for letter in reminders} == {("billing@tenant.example.com",), ("alice@example.com",)}
    body = reminders[0].body
    assert "$100.00 of invoice S-0001 from Provider were due on" in body
    assert "DE89 3704 0044 0532 0130 00, with the reference RF" in body
    assert "https://forecourt.example/t/invoices/S-0001/" in body
    # All that was missed follows in its order; the suspension waits for the notice that went out just now.
    assert any(letter.subject.startswith("Notice: use will be suspended") for letter in mailoutbox)
    assert not DunningStep.objects.filter(action="suspend").exists()
    assert len({letter.extra_headers["Message-ID"] for letter in mailoutbox}) == len(mailoutbox) == 4


def test_the_notice_names_the_day_and_the_suspension_says_so(
    cast: Cast, ready: Settings, mailoutbox: list[EmailMessage]
) -> None:
    invoice = make_overdue(cast)
    for days in (3, 5, 10):
        sweep(after(invoice, days))
    send_all(after(invoice, 10))
    sweep(after(invoice, 17))
    for mail in DunningMail.objects.select_related("step__invoice__issuer", "step__invoice__contract"):
        send_letter(mail=mail, public_url="https://forecourt.example")
    bodies = {letter.subject: letter.body for letter in mailoutbox}
    assert "If it is not paid by" in bodies["Notice: use will be suspended for invoice S-0001"]
    assert "is suspended from now on" in bodies["Use is suspended: invoice S-0001 is not paid"]
    assert "Please name the reference RF" in bodies["Reminder: invoice S-0001 is overdue"]


def test_without_a_server_letters_wait_and_nobody_is_suspended(
    cast: Cast, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.MAIL_READY = False
    make_overdue(cast)
    for _sweep in range(4):
        dun_invoices()
    assert mailoutbox == []
    assert DunningMail.objects.filter(sent_at__isnull=True).count() == 4


def test_a_letter_that_cannot_be_sent_is_tried_later_and_not_once_taken_back(
    cast: Cast, ready: Settings, mailoutbox: list[EmailMessage], caplog: pytest.LogCaptureFixture
) -> None:
    ready.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    ready.EMAIL_HOST, ready.EMAIL_PORT, ready.EMAIL_USE_TLS = "127.0.0.1", 1, False
    invoice = make_overdue(cast)
    sweep(after(invoice, 3))
    dun_invoices()
    first = DunningMail.objects.earliest("pk")
    assert (first.attempts, first.sent_at) == (1, None)
    assert "Refused" in first.last_error
    assert "letter" in caplog.text
    now = datetime.now(UTC)
    note_failed(first, error="x" * 400, now=now)
    first.refresh_from_db()
    assert len(first.last_error) == 300
    assert first.due_at == now + timedelta(minutes=4)
    for step in DunningStep.objects.all():
        take_back(provider=cast.provider, step_id=step.pk, reason="wrong", by=BY, now=now)
    DunningMail.objects.update(due_at=now - timedelta(days=1))
    dun_invoices()
    assert not DunningMail.objects.filter(attempts__gt=1).exists()


def test_a_letter_that_waited_until_the_invoice_was_paid_is_not_sent(
    cast: Cast, ready: Settings, mailoutbox: list[EmailMessage]
) -> None:
    invoice = make_overdue(cast)
    sweep(after(invoice, 3))
    pay_by_hand(invoice, str(invoice.total))
    dun_invoices()
    assert mailoutbox == []


def test_a_fee_that_is_not_charged_is_not_spoken_of(
    cast: Cast, ready: Settings, mailoutbox: list[EmailMessage]
) -> None:
    invoice = make_overdue(cast)
    fee = {"after_days": 3, "action": "late_fee", "amount": "40"}
    set_policy(provider=cast.provider, steps=[fee], by=BY, now=ISSUED_AT)
    sweep(after(invoice, 3))
    mail = DunningMail.objects.first()
    assert mail is not None
    send_letter(mail=mail, public_url="https://forecourt.example")
    take_back_debit(debit_id=Debit.objects.get().pk, reason="They called", by=BY, now=after(invoice, 3))
    send_letter(mail=mail, public_url="https://forecourt.example")
    assert [letter.subject.partition(":")[0] for letter in mailoutbox] == ["Late fee", "Reminder"]
    assert ["$40.00" in letter.body for letter in mailoutbox] == [True, False]


def test_who_reads_chinese_is_written_to_in_chinese(
    cast: Cast, ready: Settings, mailoutbox: list[EmailMessage]
) -> None:
    read_chinese(cast.tenant)
    invoice = make_overdue(cast)
    make_account(cast.provider)
    for days in (3, 5, 10):
        sweep(after(invoice, days))
    send_all(after(invoice, 10))
    sweep(after(invoice, 17))
    for mail in DunningMail.objects.select_related("step__invoice__issuer", "step__invoice__contract"):
        send_letter(mail=mail, public_url="https://forecourt.example")
    chinese = [letter for letter in mailoutbox if letter.to == ["alice@example.com"]]
    assert len({letter.subject for letter in chinese}) == 3
    for letter in chinese:
        assert english_in(letter, "Sample Compute") == []
        assert "$100.00" in letter.body
