"""Letters about a price change: sent once by the sweep, tried again after a failure, waiting without a server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from billing.models import Contract, PriceMail, PriceNotice
from billing.tasks import tell_price_changes
from tests.billing.announced import announce
from tests.billing.chinese import english_in, read_chinese
from tests.factories import make_contract, make_organization

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


def test_everyone_told_gets_one_letter_that_says_what_when_and_where(
    cast: Cast, ready: Settings, mailoutbox: list[EmailMessage]
) -> None:
    announced = announce(cast, datetime.now(UTC))
    tell_price_changes(unknown_argument_of_a_later_version=1)
    tell_price_changes()
    assert {tuple(letter.to) for letter in mailoutbox} == {("billing@tenant.example.com",), ("alice@example.com",)}
    letter = mailoutbox[0]
    assert f"Contract {announced.world.contract.number} pays them from" in letter.body
    assert f"https://forecourt.example/t/prices/changes/{announced.notice.id}/" in letter.body
    assert "3 prices rise, 0 fall, 0 are new, 0 are gone." in letter.body
    assert "Prices change on" in letter.subject
    assert letter.extra_headers["Message-ID"].endswith("@forecourt.example>")
    assert not PriceMail.objects.filter(sent_at__isnull=True).exists()


def test_without_a_server_letters_wait(cast: Cast, settings: Settings, mailoutbox: list[EmailMessage]) -> None:
    settings.MAIL_READY = False
    announce(cast, datetime.now(UTC))
    tell_price_changes()
    assert mailoutbox == []
    assert set(PriceMail.objects.values_list("attempts", "sent_at")) == {(0, None)}


def test_a_letter_that_cannot_be_sent_says_why_and_is_tried_later(
    cast: Cast, ready: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    ready.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    ready.EMAIL_HOST, ready.EMAIL_PORT, ready.EMAIL_USE_TLS = "127.0.0.1", 1, False
    now = datetime.now(UTC)
    announce(cast, now)
    tell_price_changes()
    waiting = list(PriceMail.objects.all())
    assert len(waiting) == 2
    for mail in waiting:
        assert mail.sent_at is None
        assert mail.attempts == 1
        assert "Refused" in mail.last_error
        assert mail.due_at >= now + timedelta(minutes=2)
    assert "letter" in caplog.text


def test_who_signs_after_the_announcement_is_told_too(
    cast: Cast, ready: Settings, mailoutbox: list[EmailMessage]
) -> None:
    announced = announce(cast, datetime.now(UTC))
    late = make_contract(cast.provider, make_organization("late"), announced.world.book)
    tell_price_changes()
    assert set(PriceNotice.objects.values_list("contract", flat=True)) == set(
        Contract.objects.values_list("pk", flat=True)
    )
    assert any(late.number in letter.body for letter in mailoutbox)


def test_who_reads_chinese_is_written_to_in_chinese(
    cast: Cast, ready: Settings, mailoutbox: list[EmailMessage]
) -> None:
    read_chinese(cast.tenant)
    announced = announce(cast, datetime.now(UTC))
    tell_price_changes()
    letters = {tuple(letter.to): letter for letter in mailoutbox}
    assert english_in(letters[("alice@example.com",)], announced.notice.version.book.name) == []
    assert "prices rise" in letters[("billing@tenant.example.com",)].body
