"""Letters that are asked for at the door: noted alike for everybody, sent by a sweep, tried again, and forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tenants.accounts import asked
from tenants.models import AskedLetter, User
from tenants.tasks import send_asked_letters

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ALICE = "alice@example.com"
PASSWORD = AskedLetter.Kind.PASSWORD


def ask(email: str = ALICE, kind: AskedLetter.Kind = PASSWORD, language: str = "en") -> AskedLetter:
    asked.ask_letter(kind=kind, email=email, language=language, now=NOW)
    return AskedLetter.objects.latest("id")


@pytest.mark.parametrize("path", ["/sign-in/forgotten/", "/sign-in/organization/"])
def test_the_door_does_the_same_for_who_is_there_and_who_is_not(cast: Cast, path: str) -> None:
    client = Client()
    client.post(path, {"email": "first@example.com"})  # what a process keeps from its first request
    done = []
    for email in (ALICE, "nobody@example.com"):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.post(path, {"email": email})
        done.append([query["sql"].partition(" VALUES")[0].replace(email, "") for query in queries.captured_queries])
    assert [len(one) for one in done] == [len(done[0])] * 2
    assert not [sql for sql in done[0] if "tenants_user" in sql], "nobody is looked up"
    assert mail.outbox == []


def test_a_letter_goes_to_the_stored_address_in_the_language_of_its_reader(cast: Cast) -> None:
    ((letter, address),) = asked.letters_of(ask("ALICE@EXAMPLE.com", language="zh-hans"))
    assert address == ALICE
    assert letter.subject == "设置新密码"
    User.objects.filter(pk=cast.alice.pk).update(language="en")
    ((letter, _),) = asked.letters_of(ask(language="zh-hans"))
    assert letter.subject == "Choose a new password"


@pytest.mark.parametrize("kind", AskedLetter.Kind)
def test_nothing_is_sent_to_who_is_nobody_or_was_shut_out(cast: Cast, kind: AskedLetter.Kind) -> None:
    User.objects.filter(pk=cast.alice.pk).update(is_active=False)
    assert [*asked.letters_of(ask(kind=kind)), *asked.letters_of(ask("nobody@example.com", kind=kind))] == []


def test_one_worker_sends_a_letter_and_a_later_try_is_later_each_time(cast: Cast) -> None:
    ask()
    (mine,) = asked.claim_asked(now=NOW, limit=9)
    assert asked.claim_asked(now=NOW, limit=9) == []
    asked.put_off(mine, NOW)
    assert asked.claim_asked(now=NOW + timedelta(seconds=119), limit=9) == []
    (again,) = asked.claim_asked(now=NOW + timedelta(seconds=120), limit=9)
    asked.put_off(again, NOW)
    assert AskedLetter.objects.get().due_at == NOW + timedelta(minutes=4)
    (died,) = asked.claim_asked(now=NOW + timedelta(minutes=4), limit=9)
    assert asked.claim_asked(now=NOW + timedelta(minutes=4) + asked.LEASE, limit=9) == [died], "who claimed it died"


def test_what_could_not_be_sent_in_a_day_is_forgotten(cast: Cast) -> None:
    ask()
    assert asked.claim_asked(now=NOW + asked.KEPT, limit=9)
    assert asked.claim_asked(now=NOW + asked.KEPT + timedelta(seconds=1), limit=9) == []
    assert not AskedLetter.objects.exists()


def test_the_sweep_waits_for_a_server_of_letters_and_sends_each_once(cast: Cast, settings: Settings) -> None:
    client = Client()
    client.post("/sign-in/forgotten/", {"email": ALICE})
    client.post("/sign-in/forgotten/", {"email": "nobody@example.com"})
    settings.MAIL_READY = False
    send_asked_letters()
    assert [one.email for one in AskedLetter.objects.all()] == [ALICE], "what is nobody's is done at once"
    AskedLetter.objects.update(due_at=NOW)
    settings.MAIL_READY = True
    send_asked_letters()
    send_asked_letters()
    assert [letter.to for letter in mail.outbox] == [[ALICE]]
    assert not AskedLetter.objects.exists()
