"""The limit of attempts to sign in: by pair, by address, by e-mail, over a sliding quarter of an hour."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.models import SignInAttempt
from tenants.sign_in import (
    ADDRESS_FAILURES_MAX,
    EMAIL_FAILURES_MAX,
    PAIR_FAILURES_MAX,
    WINDOW,
    TooManyAttempts,
    forget_failures,
    network_of,
    note_attempt,
)
from tests.factories import EPOCH

pytestmark = pytest.mark.django_db
NOW = EPOCH
SECOND = timedelta(seconds=1)


def fail(times: int, *, address: str = "192.0.2.1", email: str = "alice@example.com") -> None:
    for number in range(times):
        note_attempt(address=address, email=email, now=NOW + number * SECOND)


def test_ten_failures_are_let_through_and_the_eleventh_is_not() -> None:
    fail(PAIR_FAILURES_MAX)
    with pytest.raises(TooManyAttempts) as refused:
        note_attempt(address="192.0.2.1", email="alice@example.com", now=NOW + 60 * SECOND)
    assert refused.value.status == 429
    assert refused.value.retry_after_s == 14 * 60
    assert refused.value.extra == {"retry_after_s": 14 * 60}


def test_a_refused_attempt_leaves_nothing_behind() -> None:
    fail(PAIR_FAILURES_MAX)
    for _ in range(3):
        with pytest.raises(TooManyAttempts):
            note_attempt(address="192.0.2.1", email="alice@example.com", now=NOW + 60 * SECOND)
    assert SignInAttempt.objects.count() == PAIR_FAILURES_MAX


def test_waiting_as_long_as_it_says_is_enough() -> None:
    fail(PAIR_FAILURES_MAX)
    with pytest.raises(TooManyAttempts) as refused:
        note_attempt(address="192.0.2.1", email="alice@example.com", now=NOW + 60 * SECOND)
    wait = refused.value.retry_after_s * SECOND
    with pytest.raises(TooManyAttempts):
        note_attempt(address="192.0.2.1", email="alice@example.com", now=NOW + 60 * SECOND + wait - SECOND)
    note_attempt(address="192.0.2.1", email="alice@example.com", now=NOW + 60 * SECOND + wait)


def test_letter_case_and_blanks_do_not_make_another_person() -> None:
    fail(PAIR_FAILURES_MAX)
    with pytest.raises(TooManyAttempts):
        note_attempt(address="192.0.2.1", email=" ALICE@Example.com", now=NOW)


def test_a_stranger_elsewhere_does_not_keep_a_person_out() -> None:
    fail(PAIR_FAILURES_MAX, address="203.0.113.9")
    note_attempt(address="192.0.2.1", email="alice@example.com", now=NOW)


def test_one_address_cannot_try_many_people() -> None:
    for number in range(ADDRESS_FAILURES_MAX):
        fail(1, email=f"person-{number}@example.com")
    with pytest.raises(TooManyAttempts):
        note_attempt(address="192.0.2.1", email="alice@example.com", now=NOW)
    note_attempt(address="192.0.2.2", email="alice@example.com", now=NOW)


def test_many_addresses_cannot_try_one_person() -> None:
    for number in range(EMAIL_FAILURES_MAX):
        fail(1, address=f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts):
        note_attempt(address="192.0.2.1", email="alice@example.com", now=NOW)
    note_attempt(address="192.0.2.1", email="bob@example.com", now=NOW)


def test_success_forgets_the_failures_of_the_pair_alone() -> None:
    fail(PAIR_FAILURES_MAX - 1)
    fail(2, email="bob@example.com")
    forget_failures(attempt=note_attempt(address="192.0.2.1", email="alice@example.com", now=NOW))
    assert SignInAttempt.objects.count() == 2
    fail(PAIR_FAILURES_MAX)


def test_what_no_longer_counts_is_not_kept() -> None:
    fail(3)
    fail(2, email="bob@example.com")
    note_attempt(address="192.0.2.7", email="petra@example.com", now=NOW + WINDOW + 10 * SECOND)
    assert SignInAttempt.objects.count() == 1


def test_what_was_typed_is_not_kept() -> None:
    attempt = note_attempt(address="192.0.2.1", email="a password typed into the wrong field", now=NOW)
    stored = SignInAttempt.objects.get(pk=attempt.pk)
    assert b"password" not in bytes(stored.email_sha256)
    assert len(bytes(stored.email_sha256)) == 32


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::", "2001:db8:1:2::"),
        ("", ""),
        ("unknown", ""),
        ("192.0.2.1:443", ""),
    ],
)
def test_an_address_counts_as_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


@given(st.ip_addresses() | st.text(max_size=60))
def test_every_address_fits_its_column_and_stands_for_itself(address: object) -> None:
    network = network_of(str(address))
    assert len(network) <= 39
    assert network_of(network) == network
