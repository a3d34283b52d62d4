"""What is on record of an address follows the person, and is safe to bring up to date at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress

from tenants.accounts.addresses import keep_address
from tenants.models import User

if TYPE_CHECKING:
    from tests.factories import Cast


def on_record() -> list[tuple[str, bool, bool]]:
    return sorted(EmailAddress.objects.values_list("email", "verified", "primary"))


def test_a_person_made_by_the_operator_has_a_confirmed_address(cast: Cast) -> None:
    for _ in range(2):
        keep_address(cast.alice.pk)
    assert on_record() == [("alice@example.com", True, True)]


def test_an_address_is_kept_in_small_letters(cast: Cast) -> None:
    User.objects.filter(pk=cast.alice.pk).update(email="Alice@Example.com")
    keep_address(cast.alice.pk)
    assert User.objects.get(pk=cast.alice.pk).email == "alice@example.com"
    assert on_record() == [("alice@example.com", True, True)]


def test_an_address_that_the_operator_changed_takes_the_place_of_the_old_one(cast: Cast) -> None:
    keep_address(cast.alice.pk)
    User.objects.filter(pk=cast.alice.pk).update(email="ng@example.com")
    EmailAddress.objects.create(user=cast.alice, email="waits@example.com")
    keep_address(cast.alice.pk)
    assert on_record() == [("ng@example.com", True, True), ("waits@example.com", False, False)]


def test_one_that_waited_is_taken_into_use(cast: Cast) -> None:
    EmailAddress.objects.create(user=cast.alice, email="alice@example.com")
    keep_address(cast.alice.pk)
    assert on_record() == [("alice@example.com", True, True)]
