"""A waiting letter is one sweep's at a time, is noted as sent once, and is tried again later and later."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import SpendMail
from billing.unsent import ATTEMPTS_MAX, LEASE, RETRY, claim_unsent, note_failed, note_sent, send_each
from tests.billing.budgets.spent import NOW, look, make_spent, set_budget
from tests.factories import Cast
from tests.kept import kept

pytestmark = pytest.mark.django_db
WHOSE = "alice@example.com"


@kept
def letter(cast: Cast) -> SpendMail:
    make_spent(cast)
    set_budget(cast)
    look(cast)
    return SpendMail.objects.get(address=WHOSE)


def claim_one(at: timedelta = timedelta(), **asked: int) -> list[SpendMail]:
    return claim_unsent(SpendMail.objects.filter(address=WHOSE), now=NOW + at, limit=9, **asked)  # type: ignore[arg-type]  # numbers only


def test_a_claimed_letter_is_nobody_elses_until_its_lease_is_over(letter: SpendMail) -> None:
    assert claim_one() == [letter]
    assert claim_one(LEASE - timedelta(seconds=1)) == []
    assert claim_one(LEASE) == [letter]


def test_a_letter_is_not_due_before_its_time_nor_after_too_many_tries(letter: SpendMail) -> None:
    assert claim_one(-timedelta(seconds=1)) == []
    assert claim_one(attempts_max=0) == []
    SpendMail.objects.filter(pk=letter.pk).update(attempts=ATTEMPTS_MAX)
    assert claim_one() == []


def test_no_more_are_claimed_than_asked_for_and_none_of_other_rows(letter: SpendMail) -> None:
    assert claim_unsent(SpendMail.objects.all(), now=NOW, limit=0) == []
    assert claim_unsent(SpendMail.objects.exclude(pk=letter.pk), now=NOW, limit=1)[0].address != WHOSE
    letter.refresh_from_db()
    assert letter.attempts == 0


def test_a_sent_letter_stays_as_it_was_noted(letter: SpendMail) -> None:
    note_failed(letter, error="refused", now=NOW)
    note_sent(letter, now=NOW)
    note_sent(letter, now=NOW + LEASE)
    note_failed(letter, error="late", now=NOW + LEASE)
    letter.refresh_from_db()
    assert (letter.sent_at, letter.last_error) == (NOW, "")
    assert claim_one(9 * LEASE) == []


def test_each_failure_waits_twice_as_long_and_its_words_are_cut(letter: SpendMail) -> None:
    for attempt in range(3):
        letter.attempts = attempt
        note_failed(letter, error="x" * 400, now=NOW)
        assert SpendMail.objects.get(pk=letter.pk).due_at == NOW + RETRY * 2**attempt
    assert len(SpendMail.objects.get(pk=letter.pk).last_error) == 300


def test_one_that_cannot_be_sent_stops_no_other_and_each_is_noted(letter: SpendMail) -> None:
    others = SpendMail.objects.exclude(pk=letter.pk)
    assert others.exists()
    seen = []

    def send(one: SpendMail) -> None:
        seen.append(one.pk)
        if one == letter:
            raise OSError("no way there")

    send_each([letter, *others], send, clock=lambda: NOW)
    assert seen == [letter.pk, *(one.pk for one in others)]
    letter.refresh_from_db()
    assert (letter.sent_at, letter.last_error) == (None, "OSError: no way there")
    assert all(one.sent_at == NOW for one in others.all())
