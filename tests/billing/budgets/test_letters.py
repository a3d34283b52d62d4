"""Letters about alerts over real SMTP: what they say, once, tried again when the server refuses them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.budgets.letters import claim_letters, send_letter
from billing.budgets.noting import write_letters
from billing.budgets.tasks import send_letters
from billing.models import SpendAlert, SpendMail
from billing.queries.usage import Side
from billing.unsent import ATTEMPTS_MAX, note_failed
from tests.billing.budgets.spent import NOW, look, make_spent, set_budget
from tests.billing.chinese import english_in, read_chinese
from tests.servers.smtp import letter_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.mail import EmailMessage
    from pytest_django import Settings

    from tests.factories import Cast
    from tests.servers.smtp import Letters

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings: Settings) -> Iterator[Letters]:
    with letter_server() as letters:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", letters.port, False
        settings.MAIL_READY = True
        settings.PUBLIC_URL = "https://forecourt.example"
        yield letters


def test_a_used_up_budget_is_written_of_once_to_each_over_smtp(cast: Cast, server: Letters) -> None:
    make_spent(cast)
    budget = set_budget(cast, amount=Decimal(90), stops=True)
    look(cast)
    for _sweep in range(2):
        send_letters(unknown_argument_of_a_later_version=1)
    assert [readers for readers, _letter in server.taken] == [["billing@tenant.example.com"], ["alice@example.com"]]
    _readers, letter = server.taken[0]
    assert str(letter["Subject"]).strip() == "Budget “All of it” is used up: new use is stopped"
    body = letter.get_content()
    assert "Tenant, All use, March 2026:" in body
    assert "$100.00 of $90.00 used: new use stopped." in body
    assert "The budget: $90.00 per month." in body
    assert "Requests, leases and sessions that run go on, and are billed." in body
    assert f"More: https://forecourt.example/t/budgets/{budget.pk}/" in body
    assert len({letter["Message-ID"] for _readers, letter in server.taken}) == 2
    assert not SpendMail.objects.filter(sent_at__isnull=True).exists()


def test_a_refused_letter_is_tried_later(cast: Cast, server: Letters, caplog: pytest.LogCaptureFixture) -> None:
    make_spent(cast)
    set_budget(cast)
    look(cast)
    server.refuses = True
    send_letters()
    mail = SpendMail.objects.earliest("pk")
    assert (mail.attempts, mail.sent_at) == (1, None)
    assert "nobody here" in mail.last_error
    assert "letter" in caplog.text
    assert mail.due_at > datetime.now(UTC) + timedelta(minutes=1)
    server.refuses = False
    send_letters()
    assert server.taken == []
    SpendMail.objects.update(due_at=NOW)
    send_letters()
    assert len(server.taken) == 2


def test_without_a_server_letters_wait(cast: Cast, settings: Settings, mailoutbox: list[EmailMessage]) -> None:
    settings.MAIL_READY = False
    make_spent(cast)
    set_budget(cast)
    look(cast)
    send_letters()
    assert mailoutbox == []
    assert SpendMail.objects.filter(sent_at__isnull=True).count() == 2


def test_a_letter_is_given_up_after_many_tries(cast: Cast) -> None:
    make_spent(cast)
    set_budget(cast)
    look(cast)
    now = NOW
    for attempt in range(ATTEMPTS_MAX):
        claimed = claim_letters(now=now, limit=10)
        assert len(claimed) == 2, attempt
        assert claim_letters(now=now, limit=10) == []
        for mail in claimed:
            note_failed(mail, error="x" * 400, now=now)
        now += timedelta(days=2)
    assert claim_letters(now=now, limit=10) == []
    assert len(SpendMail.objects.earliest("pk").last_error) == 300


@pytest.mark.parametrize(
    ("kind", "side", "words"),
    [
        (
            "threshold",
            Side.TENANT,
            ("Budget “All of it”: 50% is used", "$100.00 of $200.00 used: 50% reached.", "tells only"),
        ),
        (
            "forecast",
            Side.TENANT,
            ("Budget “All of it” is on course to be passed", "On course for $100.00", "/t/budgets/"),
        ),
        ("anomaly", Side.TENANT, ("Model m: use unlike before", "$100.00 in an hour, usually $200.00", "/t/budgets/")),
        ("anomaly", Side.PROVIDER, ("Model m: use unlike before", "Nothing is stopped.", "/p/alerts/")),
    ],
)
def test_each_kind_has_its_own_words(
    cast: Cast, mailoutbox: list[EmailMessage], kind: str, side: Side, words: tuple[str, ...]
) -> None:
    organization = cast.tenant if side is Side.TENANT else cast.provider
    alert = SpendAlert.objects.create(
        organization=organization, side=side, budget=None if kind == "anomaly" else set_budget(cast), kind=kind,
        scope="model" if kind == "anomaly" else "organization", subject="m" if kind == "anomaly" else "",
        measure="cost", currency="USD", from_at=NOW, to_at=NOW + timedelta(hours=1), percent=50,
        amount=Decimal(200), used=Decimal(100), at=NOW,
    )  # fmt: skip
    write_letters(alert, NOW)
    send_letter(mail=SpendMail.objects.select_related("alert__budget").earliest("pk"), public_url="https://f.example")
    [letter] = mailoutbox
    for word in words:
        assert word in f"{letter.subject}\n{letter.body}"


@pytest.mark.parametrize(("stops", "words"), [(True, "已停止新的使用。"), (False, "不停止任何使用")])
def test_who_reads_chinese_is_written_to_in_chinese(
    cast: Cast, settings: Settings, mailoutbox: list[EmailMessage], stops: bool, words: str
) -> None:
    settings.MAIL_READY = True
    read_chinese(cast.tenant)
    make_spent(cast)
    set_budget(cast, "三月", amount=Decimal(90), stops=stops)
    look(cast)
    send_letters()
    letters = {tuple(letter.to): letter for letter in mailoutbox}
    chinese, english = letters[("alice@example.com",)], letters[("billing@tenant.example.com",)]
    assert english_in(chinese) == []
    assert words in f"{chinese.subject}\n{chinese.body}"
    assert "$100.00" in chinese.body
    assert "The budget: $90.00 per month." in english.body
