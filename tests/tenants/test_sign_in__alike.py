"""Guesses at one person count as one person's, in whatever letters the address is typed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from tenants.models import SignInAttempt
from tenants.sign_in import (
    ADDRESS_FAILURES_MAX,
    EMAIL_FAILURES_MAX,
    PAIR_FAILURES_MAX,
    WINDOW,
    TooManyAttempts,
    _digest,
    forget_failures,
    network_of,
    note_attempt,
)
from tests.tenants.members.people import NOW

if TYPE_CHECKING:
    from collections.abc import Iterable


def attempts(tries: Iterable[tuple[str, str]]) -> int:
    """How many of the tries (address, e-mail) pass before one is stopped."""
    passed = 0
    for address, email in tries:
        try:
            note_attempt(address=address, email=email, now=NOW)
        except TooManyAttempts:
            break
        passed += 1
    return passed


@pytest.mark.parametrize(
    "typed",
    [
        "Alice@Example.com",
        " alice@example.com ",
        "ALICE@EXAMPLE.COM",
        "al\u0131ce@example.com",
        "\talice@example.com\n",
    ],
    ids=ascii,
)
def test_one_person_has_one_count(typed: str) -> None:
    assert _digest(typed) == _digest("alice@example.com")


@given(st.text(st.sampled_from("abis\u0131\u017f\u00e9\u0130."), max_size=12))
def test_what_is_one_address_to_large_letters_is_one_count(text: str) -> None:
    assert _digest(text) == _digest(text.upper()) == _digest(text.lower().upper())


@pytest.mark.parametrize(("one", "other"), [("a@b.de", "a@b.dk"), ("a@b.de", "aa@b.de"), ("code a@b.de", "a@b.de")])
def test_different_ones_have_their_own(one: str, other: str) -> None:
    assert _digest(one) != _digest(other)


@pytest.mark.django_db
def test_letters_that_look_alike_give_no_more_guesses() -> None:
    typed = ["alice@example.com", "al\u0131ce@example.com", "ALICE@example.com"]
    assert attempts(("203.0.113.7", typed[number % 3]) for number in range(40)) == PAIR_FAILURES_MAX


@pytest.mark.django_db
def test_many_addresses_give_one_person_no_more_guesses() -> None:
    tries = ((f"203.0.{number}.7", "alice@example.com") for number in range(200))
    assert attempts(tries) == EMAIL_FAILURES_MAX


@pytest.mark.django_db
def test_one_address_does_not_try_everybody() -> None:
    assert attempts(("203.0.113.7", f"p{number}@example.com") for number in range(200)) == ADDRESS_FAILURES_MAX


@pytest.mark.django_db
def test_a_network_of_the_sixth_version_is_one_address() -> None:
    tries = ((f"2001:db8::{number:x}", f"p{number}@example.com") for number in range(200))
    assert attempts(tries) == ADDRESS_FAILURES_MAX
    assert network_of("::ffff:203.0.113.7") == network_of("203.0.113.7")
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8:0:2::1")


@pytest.mark.django_db
def test_a_right_password_elsewhere_forgives_no_guesses_here() -> None:
    attempts([("203.0.113.7", "alice@example.com")] * PAIR_FAILURES_MAX)
    own = note_attempt(address="198.51.100.1", email="alice@example.com", now=NOW)
    forget_failures(attempt=own)
    with pytest.raises(TooManyAttempts):
        note_attempt(address="203.0.113.7", email="alice@example.com", now=NOW)


@pytest.mark.django_db
def test_waiting_as_long_as_is_said_is_enough_and_no_shorter() -> None:
    attempts([("203.0.113.7", "alice@example.com")] * PAIR_FAILURES_MAX)
    with pytest.raises(TooManyAttempts) as refused:
        note_attempt(address="203.0.113.7", email="alice@example.com", now=NOW)
    wait = timedelta(seconds=refused.value.retry_after_s)
    assert wait == WINDOW
    with pytest.raises(TooManyAttempts):
        note_attempt(address="203.0.113.7", email="alice@example.com", now=NOW + wait - timedelta(seconds=1))
    assert note_attempt(address="203.0.113.7", email="alice@example.com", now=NOW + wait).pk


@pytest.mark.django_db
def test_nothing_that_was_typed_is_kept() -> None:
    note_attempt(address="203.0.113.7", email="my very secret password", now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM tenants_signinattempt t")
        [(row,)] = cursor.fetchall()
    assert "secret" not in row
    assert SignInAttempt.objects.count() == 1
